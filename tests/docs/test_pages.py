"""Every document can be read: short paragraphs, tables that fit, links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.docs.pages import (
    ROOT,
    Block,
    Table,
    anchors,
    blocks,
    each_page,
    every_page,
    tables,
    texts,
    words,
)

import property_docs

MOST_WORDS = 80
"""Of a paragraph, an item of a list or a cell."""

COLUMN_PIXELS = 838
"""The width of GitHub's column of text."""

TEXT_PIXELS, CODE_PIXELS = 8.6, 8.2
"""Of a letter: 16 px of a proportional font, 13.6 px of a monospaced one."""

CELL_PIXELS, SPAN_PIXELS = 27, 11
"""What a cell and a code span have around them."""


@each_page
def test_no_paragraph_is_long(page: Path) -> None:
    long = {block.text for block in texts(page) if block.kind != "code"}
    assert {text: words(text) for text in long if words(text) > MOST_WORDS} == {}


@each_page
def test_tables_fit(page: Path) -> None:
    for table in tables(page):
        assert _least_width(table) <= COLUMN_PIXELS, table.rows[0]
        assert {len(row) for row in table.rows} == {len(table.rows[0])}


def _least_width(table: Table) -> float:
    """A browser breaks lines at spaces, and between Chinese characters."""
    columns = zip(*table.rows, strict=True)
    return sum(max(map(_least_cell, cells)) + CELL_PIXELS for cells in columns)


def _least_cell(cell: Block) -> float:
    text = cell.text
    widest = 16.0
    for span in cell.spans:
        pieces = span.split() or [""]
        widest = max(widest, max(map(len, pieces)) * CODE_PIXELS + SPAN_PIXELS)
        text = text.replace(span, " ", 1)
    pieces = re.split(r"[\s\u2e80-\uffff]+", text)
    return max(widest, max(map(len, pieces)) * TEXT_PIXELS)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for block in texts(page):
        for link in block.links:
            if not re.match(r"[a-z]+:", link):
                _check(page, link)


def _check(page: Path, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists(), link
    if anchor:
        assert anchor in anchors(target), link


def test_the_readme_leads_to_every_document() -> None:
    told = {link for block in texts(ROOT / "README.md") for link in block.links}
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} | {"README.zh-CN.md"}
    assert len(pages) > 5
    assert pages - told == set()


def test_every_fence_names_its_language() -> None:
    for page in every_page():
        for block in blocks(page):
            if isinstance(block, Block) and block.kind == "code":
                language = block.text.split("\n")[0]
                assert language in ("sh", "yaml", "json", "mermaid", "promql"), block.text


def test_the_properties_are_those_of_the_spec() -> None:
    """`make properties` writes them anew."""
    spec = yaml.safe_load(property_docs.SPEC.read_text())
    assert property_docs.PAGE.read_text() == property_docs.page(spec)


def test_a_property_that_no_section_has_is_refused() -> None:
    told = {"type": "string", "description": "It is new."}
    with pytest.raises(ValueError, match=r"in no section .*: brand\.new"):
        property_docs.page({"properties": {"brand.new": told}})
