"""The documents of the project, as a Markdown renderer takes them apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.paths import ROOT

_CHINESE = re.compile(r"[\u3400-\u9fff]")


def every_page() -> list[Path]:
    """README, what lies beside it, and all below docs/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def name_of(page: Path) -> str:
    """As a test is called for it."""
    return str(page.relative_to(ROOT))


def each_page(test: Callable[[Path], None]) -> Callable[[], None]:
    """Make one test of what holds for each page: all of them take less than setting up a few."""

    def of_every_page() -> None:
        for page in every_page():
            try:
                test(page)
            except AssertionError as error:
                raise AssertionError(f"{name_of(page)}: {error}") from error

    of_every_page.__name__, of_every_page.__doc__ = test.__name__, test.__doc__
    return of_every_page


@dataclass(frozen=True)
class Block:
    """A heading (`level` 1 to 6), a paragraph, a cell, or a block of code with its language."""

    kind: str
    text: str
    level: int = 0
    spans: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows of cells, the headings first."""

    rows: tuple[tuple[Block, ...], ...]


@cache
def blocks(page: Path) -> tuple[Block | Table, ...]:
    """What a page consists of, in its order."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text())
    return tuple(_blocks(tokens))


def _blocks(tokens: list[Token]) -> Iterator[Block | Table]:
    rows: list[list[Block]] = []
    kind, level = "", 0
    for token in tokens:
        if token.type in ("heading_open", "paragraph_open", "th_open", "td_open"):
            kind = token.type.removesuffix("_open")
            level = int(token.tag[1:]) if kind == "heading" else 0
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "table_close":
            yield Table(tuple(map(tuple, rows)))
        elif token.type == "inline":
            block = _inline(token, kind, level)
            if kind in ("th", "td"):
                rows[-1].append(block)
            else:
                yield block
        elif token.type in ("fence", "code_block"):
            yield Block("code", f"{token.info}\n{token.content}")


def _inline(token: Token, kind: str, level: int) -> Block:
    parts = token.children or []
    links = [unquote(str(part.attrGet("href"))) for part in parts if part.type == "link_open"]
    links += [str(part.attrGet("src")) for part in parts if part.type == "image"]
    spans = tuple(part.content for part in parts if part.type == "code_inline")
    text = "".join(" " if part.type == "softbreak" else part.content for part in parts)
    return Block(kind, text, level, spans, tuple(links))


def headings(page: Path) -> list[Block]:
    """Those of a page."""
    return [one for one in blocks(page) if isinstance(one, Block) and one.kind == "heading"]


def tables(page: Path) -> list[Table]:
    """Those of a page."""
    return [one for one in blocks(page) if isinstance(one, Table)]


def texts(page: Path) -> Iterator[Block]:
    """Every heading, paragraph, cell and block of code."""
    for one in blocks(page):
        if isinstance(one, Table):
            for row in one.rows:
                yield from row
        else:
            yield one


def spans(page: Path) -> list[str]:
    """What stands in code spans."""
    return [span for block in texts(page) for span in block.spans]


def section(page: Path, title: str) -> list[Block | Table]:
    """What stands below a heading, up to the next of its level."""
    found: list[Block | Table] = []
    level = 0
    for one in blocks(page):
        if isinstance(one, Block) and one.kind == "heading":
            if level and one.level <= level:
                break
            if one.text == title:
                level = one.level
                continue
        if level:
            found.append(one)
    assert found, f"{page}: there is nothing below {title}"
    return found


def anchors(page: Path) -> dict[str, int]:
    """What GitHub names the headings of a page in links, with their numbers."""
    found: dict[str, int] = {}
    for number, heading in enumerate(headings(page)):
        base = re.sub(r"[^\w\- ]", "", heading.text.lower()).replace(" ", "-")
        again = sum(re.fullmatch(rf"{re.escape(base)}(-\d+)?", one) is not None for one in found)
        found[base if not again else f"{base}-{again}"] = number
    return found


def words(text: str) -> int:
    """How long it is to read: two Chinese characters are a word."""
    chinese = len(_CHINESE.findall(text))
    return len(_CHINESE.sub(" ", text).split()) + chinese // 2


def columns(text: str) -> int:
    """How wide it is, in letters: a Chinese character is as wide as two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
