"""The Chinese documents say what the English ones do: the same headings, commands, tables, links.

What a person types or reads on a screen stands in code spans and blocks, which are the same word
for word. Prose is not compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.pages import Block, Table, anchors, blocks, headings, name_of, texts
from tests.paths import ROOT

PAGES = {
    ROOT / "README.md": ROOT / "README.zh-CN.md",
    **{
        ROOT / f"docs/{name}.md": ROOT / f"docs/zh-CN/{name}.md"
        for name in ("operate", "upgrade", "load-balancers")
    },
}
CHINESE = {chinese: english for english, chinese in PAGES.items()}

IN_ENGLISH_ALONE = ("Traffic",)
"""Sections whose figures change with every run: the Chinese page links to them."""

TERMS = ("后端服务器", "虚拟服务器组", "默认服务器组", "主备服务器组", "健康检查", "权重", "监听")
TERMS += ("连接优雅中断", "会话保持", "慢启动", "全端口转发", "AccessKey", "RAM 角色", "交换机")
"""Of Alibaba Cloud's own documentation."""

each_pair = pytest.mark.parametrize(
    ("english", "chinese"), PAGES.items(), ids=map(name_of, PAGES.values())
)


def compared(page: Path, left_out: set[int]) -> Iterator[Block | Table]:
    """The blocks of a page without those below the headings of these numbers."""
    number, inside = -1, False
    for one in blocks(page):
        if isinstance(one, Block) and one.kind == "heading":
            number += 1
            inside = number in left_out
            yield one
        elif not inside:
            yield one


def in_english_alone(english: Path) -> set[int]:
    return {n for n, one in enumerate(headings(english)) if one.text in IN_ENGLISH_ALONE}


def both(english: Path, chinese: Path) -> list[tuple[Block | Table, Block | Table]]:
    left_out = in_english_alone(english)
    pair = [list(compared(page, left_out)) for page in (english, chinese)]
    assert len(pair[0]) == len(pair[1])
    return list(zip(*pair, strict=True))


@each_pair
def test_the_headings_are_as_many_and_of_the_same_levels(english: Path, chinese: Path) -> None:
    assert [one.level for one in headings(english)] == [one.level for one in headings(chinese)]


@each_pair
def test_the_blocks_are_of_the_same_kinds(english: Path, chinese: Path) -> None:
    for one, other in both(english, chinese):
        assert type(one) is type(other)
        if isinstance(one, Block) and isinstance(other, Block):
            assert one.kind == other.kind, (one.text, other.text)


@each_pair
def test_the_commands_are_the_same(english: Path, chinese: Path) -> None:
    code = [
        [one.text for one in blocks(page) if isinstance(one, Block) and one.kind == "code"]
        for page in (english, chinese)
    ]
    assert code[0] == code[1]


@each_pair
def test_the_tables_have_the_same_rows_and_columns(english: Path, chinese: Path) -> None:
    for one, other in both(english, chinese):
        if isinstance(one, Table) and isinstance(other, Table):
            assert [len(row) for row in one.rows] == [len(row) for row in other.rows]


@each_pair
def test_code_stands_in_the_same_paragraphs_and_cells(english: Path, chinese: Path) -> None:
    for one, other in zip(parts(english, chinese, 0), parts(english, chinese, 1), strict=True):
        if one.kind != "heading":
            assert Counter(one.spans) == Counter(other.spans), (one.text, other.text)


def parts(english: Path, chinese: Path, which: int) -> Iterator[Block]:
    for pair in both(english, chinese):
        found = pair[which]
        if isinstance(found, Table):
            for row in found.rows:
                yield from row
        else:
            yield found


@each_pair
def test_the_links_lead_to_the_same_places(english: Path, chinese: Path) -> None:
    for one, other in zip(parts(english, chinese, 0), parts(english, chinese, 1), strict=True):
        here = [place(english, link) for link in one.links]
        there = [place(chinese, link) for link in other.links]
        if "README.zh-CN.md" not in one.links:  # the way from one language to the other
            assert here == there, (one.text, other.text)


def place(page: Path, link: str) -> tuple[object, ...]:
    """Where a link leads: the English page of it, and the number of its heading there."""
    if re.match(r"[a-z]+:", link):
        return (link,)
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    number = anchors(target)[anchor] if anchor else None
    return CHINESE.get(target, target), number


@each_pair
def test_it_is_chinese(english: Path, chinese: Path) -> None:
    """No paragraph was forgotten."""
    for one in texts(chinese):
        if one.kind in ("paragraph", "heading") and not one.spans and not one.links:
            assert re.search("[\u3400-\u9fff]", one.text) or one.text == "slb-registration-test"


def test_the_terms_are_those_of_alibaba_clouds_own_documentation() -> None:
    text = "".join(page.read_text() for page in CHINESE)
    assert [term for term in TERMS if term not in text] == []
    assert not re.search("后台服务器|证书优雅|侦听|健康检测", text)


@each_pair
def test_emphasis_is_understood_and_punctuation_is_chinese(english: Path, chinese: Path) -> None:
    for one in texts(chinese):
        if one.kind != "code":
            assert "**" not in one.text
            prose = one.text
            for span in one.spans:
                prose = prose.replace(span, "`", 1)
            assert not re.search("[\u3400-\u9fff][,;:?!(]|[,;?!)][\u3400-\u9fff]", prose), prose
