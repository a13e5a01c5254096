"""YAML as the BOSH CLI's library reads and writes it; each expectation is what the CLI does."""

from __future__ import annotations

from typing import Any

import pytest

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.typed import FLAG, INTEGER, TEXT, list_of, map_of, read_typed, record_of
from bosh_release.yaml.writing import write_yaml

RECORD = record_of({"name": TEXT, "files": list_of(TEXT), "flag": FLAG, "size": INTEGER}, "T")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        *((word, f'"{word}"') for word in ("y", "No", "on", "TRUE", "null", "~", "", "Null")),
        *((word, f'"{word}"') for word in ("1", "017", "0x1F", "1_000", "-5", "0b11", "1:30")),
        *((word, f'"{word}"') for word in ("1.5", ".5", "1e3", ".inf", "-.Inf", ".NaN", "5.")),
        *((word, f'"{word}"') for word in ("2026-11-23", "2026-11-23T10:00:00Z", "2026-1-2")),
        *((word, word) for word in ("nO", "08x", "1:99", "2026-13-01", "0x", "1.2.3", "=", "<<")),
        *((word, word) for word in ("plain", "größe", "a b", "a:b", "a#b", "0+dev.1", "+", "..")),
        ("a: b", "'a: b'"),
        ("- a", "'- a'"),
        ("#x", "'#x'"),
        (" lead", "' lead'"),
        ("a\tb", '"a\\tb"'),
        # As the CLI writes the short hashes of commits: a number that 64 bits do not hold is text.
        ("1234e56", '"1234e56"'),
        ("1e308", '"1e308"'),
        ("1e309", "1e309"),
        ("12e4567", "12e4567"),
        ("9" * 400, "9" * 400),
        (".5_5", '".5_5"'),
        ("0b-11", '"0b-11"'),
        ("2026-11-23T10:00:00-24:60", '"2026-11-23T10:00:00-24:60"'),
        ("2026-11-23T10:00:00-25:00", "2026-11-23T10:00:00-25:00"),
        ("a\r\nb", '"a\\r\\nb"'),
        ("\u2028", "'\u2028'"),
        ("\ufeffa", '"\\uFEFF\\x61"'),
        ("word " * 20 + "end", "word " * 15 + "word\n  word word word word end"),
    ],
)
def test_text_gets_quotes_where_the_cli_puts_them(text: str, written: str) -> None:
    assert write_yaml({"name": text}).decode() == f"name: {written}\n"


def test_lists_are_not_indented() -> None:
    document = {"jobs": [{"name": "a", "packages": ["x"]}, {"name": "b", "packages": []}]}
    assert write_yaml(document) == (
        b"jobs:\n- name: a\n  packages:\n  - x\n- name: b\n  packages: []\n"
    )


def test_a_name_that_is_not_utf_8_is_written_as_binary() -> None:
    written = write_yaml({"name": "\udcff\udcfe"})
    assert read_typed(written, RECORD)["name"] == "\udcff\udcfe"


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ("name: 0x10", "0x10"),
        ("name: 1.0", "1.0"),
        ("name: yes", "yes"),
        ("name: 2026-11-23", "2026-11-23"),
        ("name: ~", ""),
        ('name: "~"', "~"),
        ("name: !!str ~", "~"),
        ("name: !!binary cA==", "p"),
        ("name: a\nname: b", "b"),
        ("name: a\n---\nname: b", "a"),
        ("", ""),
        ("# only a comment", ""),
        ("name: q\n<<: {name: p}", "p"),
        ("<<: [{name: p}, {name: q}]", "p"),
        ("other: &x p\nname: *x", "p"),
        ("name: p\nunknown: {[a]: b}", "p"),
    ],
)
def test_text_is_taken_as_it_stands(document: str, name: str) -> None:
    assert read_typed(document.encode(), RECORD)["name"] == name


@pytest.mark.parametrize(
    ("document", "value"), [("flag: yes", True), ("flag: y", True), ("flag: Off", False)]
)
def test_flags_are_those_of_yaml_1_1(document: str, value: bool) -> None:
    assert read_typed(document.encode(), RECORD)["flag"] is value


@pytest.mark.parametrize(("document", "value"), [("1_000", 1000), ("0x10", 16), ("010", 8)])
def test_numbers_are_those_of_go(document: str, value: int) -> None:
    assert read_typed(b"size: " + document.encode(), RECORD)["size"] == value


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("name: [a]", "  line 1: cannot unmarshal !!seq into string"),
        ("files: {a: b}", "  line 1: cannot unmarshal !!map into []string"),
        ("\nfiles: averylongvalue", "  line 2: cannot unmarshal !!str `averylo...` into []string"),
        ("flag: 1", "  line 1: cannot unmarshal !!int `1` into bool"),
        ('flag: "yes"', "  line 1: cannot unmarshal !!str `yes` into bool"),
        ("size: 2026-01-01", "  line 1: cannot unmarshal !!timestamp `2026-01-01` into int64"),
        ("[]", "  line 1: cannot unmarshal !!seq into T"),
    ],
)
def test_wrong_types_are_told_as_the_cli_tells_them(document: str, message: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        read_typed(document.encode(), RECORD)
    assert str(caught.value) == f"yaml: unmarshal errors:\n{message}"


def test_all_wrong_types_are_told_at_once() -> None:
    with pytest.raises(ReleaseError) as caught:
        read_typed(b"name: []\nfiles: x\n", RECORD)
    assert str(caught.value).count("cannot unmarshal") == 2


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("a: b: c", "mapping values are not allowed in this context"),
        ("name: [", "line 1: did not find expected node content"),
        ("a:\n\t- x", "line 2: found character that cannot start any token"),
        ("name: *x", "unknown anchor 'x' referenced"),
        ("name: \x01", "control characters are not allowed"),
        ("<<: 5", "map merge requires map or sequence of maps as the value"),
    ],
)
def test_bad_yaml_is_told_as_the_cli_tells_it(document: str, message: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        read_typed(document.encode(), RECORD)
    assert str(caught.value) == f"yaml: {message}"


@pytest.mark.parametrize(
    "document",
    [
        b"x: " + b"[" * 100_000 + b"]" * 100_000,
        b"&a {<<: *a}",
        b"a: &a {k: v}\n"
        + b"".join(
            b"%c: &%c {<<: [%s]}\n" % (n, n, b", ".join([b"*%c" % (n - 1)] * 9))
            for n in range(ord("b"), ord("m"))
        )
        + b"<<: *l\n",
    ],
    ids=["deep", "contains itself", "grows"],
)
def test_hostile_documents_end_in_a_refusal_and_soon(document: bytes) -> None:
    kind: Any = map_of(map_of(TEXT))
    with pytest.raises(ReleaseError):
        read_typed(document, kind)
