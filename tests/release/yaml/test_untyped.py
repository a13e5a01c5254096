"""Reading operators' YAML: what scalars mean, where texts stood, and how bad YAML is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.untyped import parse_with_notes, parse_yaml, read_yaml
from bosh_release.yaml.values import place_of, scalar_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("+1", 1),
        ("-0x1F", -31),
        ("0777", 511),
        ("0o17", 15),
        ("0b101", 5),
        ("1_000", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("08", 8.0),
        ("y", True),
        ("No", False),
        ("ON", True),
        ("off", False),
        ("yEs", "yEs"),
        ("~", None),
        ("null", None),
        ("''", ""),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1:30", "1:30"),
        ("2026-11-23", "2026-11-23"),
        ("10.0.0.1", "10.0.0.1"),
        ("1.2.3", "1.2.3"),
        ("!!str 5", "5"),
        ("!!int '7'", 7),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_mean_what_they_mean_to_bosh(text: str, value: Any) -> None:
    found = parse_yaml(f"k: {text}", "m.yml")["k"]
    assert found == value
    assert isinstance(found, type(value))


def test_texts_and_keys_know_where_they_stood() -> None:
    document = parse_yaml("a: 1\nb:\n- x\n- key: |\n    long\n", "m.yml")
    assert place_of(document["b"][0]) == "m.yml:3"
    (key,) = document["b"][1]
    assert place_of(key) == "m.yml:4"
    assert place_of(document["b"][1]["key"]) == "m.yml:4"
    assert place_of(document["a"]) == ""


def test_aliases_are_copies_and_merges_fill_in() -> None:
    document = parse_yaml("a: &a {k: [1], l: 2}\nb: *a\nc: {<<: *a, l: 3}", "m.yml")
    document["a"]["k"].append(9)
    assert document["b"] == {"k": [1], "l": 2}
    assert document["c"] == {"k": [1], "l": 3}


def test_first_of_several_merged_maps_wins() -> None:
    text = "a: &a {k: 1}\nb: &b {k: 2, l: 3}\nc: {<<: [*a, *b]}"
    assert parse_yaml(text, "m.yml")["c"] == {"k": 1, "l": 3}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b: c", "m.yml:1: not valid YAML: mapping values are not allowed in this context"),
        ("a:\n  - b\n c: d", "m.yml:3: not valid YAML: "),
        ("a: 'open", "m.yml:1: not valid YAML: found unexpected end of stream"),
        ("a: @b", "m.yml:1: not valid YAML: found character that cannot start any token"),
        ("a: 1\nb: [c\n", "m.yml:2: not valid YAML: did not find expected ',' or ']'"),
        ('a: "\\/"', "m.yml:1: not valid YAML: found unknown escape character"),
        ("- {path: /a?}", "m.yml:1: not valid YAML: found ? in a text without quotes"),
        ("%YAML 1.2\n---\na: 1", "not valid YAML: found incompatible YAML document"),
        (".nan: 1", "m.yml:1: not valid YAML: NaN cannot be a key"),
        ("a: &a {x: 1}\nb: &l [*a]\nc: {<<: *l}", "<< needs a map or a list of maps"),
        ("a\n\x07", "m.yml:2: not valid YAML: the character U+0007 is not allowed"),
        ("? [a]\n: 1", "m.yml:1: not valid YAML: a list or map cannot be a key"),
        ("a: !!int x", "m.yml:1: not valid YAML: not a value for !!int, whatever its tag says"),
        ("a: !!binary a b", "m.yml:1: not valid YAML: not base64, whatever its !!binary says"),
        ("<<: 1", "m.yml:1: not valid YAML: << needs a map or a list of maps"),
        ("[" * 150, "m.yml"),
        ("[" * 150 + "]" * 150, "nested more than 100 levels deep"),
        ("[" * 5000, "exceeded max depth of 1000 levels"),
        ("a: &a [*a]", "an anchor's value contains itself"),
        ("a: &a\n  <<: *a", "an anchor's value contains itself"),
    ],
)
def test_bad_yaml_is_told_with_file_and_line(text: str, problem: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        parse_yaml(text, "m.yml")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "k: *sesame",
        "k: 'sesame",
        "k: sesame: 1",
        'k: "sesame',
        "k: [sesame",
        "k: !!bool sesame",
        "k: !!int sesame",
        "k: !!binary sesame",
    ],
)
def test_messages_do_not_quote_values(text: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        parse_yaml(text, "m.yml")
    assert "sesame" not in str(caught.value)


def test_first_document_counts_and_tags_that_yaml_does_not_know_are_passed_over() -> None:
    document = parse_yaml("a: !x 1\nb: !y {c: !!z 2}\nd: !!binary aGk=\n--- @", "m.yml")
    assert document == {"a": "1", "b": {"c": "2"}, "d": "hi"}


def test_keys_of_several_types_are_several_keys() -> None:
    document = parse_yaml("1: a\n1.0: b\ntrue: c\n'1': d\n~: e", "m.yml")
    assert [(scalar_of(key), value) for key, value in document.items()] == [
        (1, "a"), (1.0, "b"), (True, "c"), ("1", "d"), (None, "e"),
    ]  # fmt: skip


def test_last_of_equal_keys_counts_and_a_merge_is_one_of_them() -> None:
    document, notes = parse_with_notes("a: &a {k: 1}\nb: {k: 2, <<: *a}\nk: 3\n\nk: 4", "m.yml")
    assert document == {"a": {"k": 1}, "b": {"k": 1}, "k": 4}
    assert notes == ["m.yml:5: the key 'k' is given twice, this counts"]


def test_tabs_may_stand_between_tokens() -> None:
    assert parse_yaml("a:\t1\t# why\nb: [1,\t2]\nc :\tx", "m.yml")["b"] == [1, 2]


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ReleaseError, match="aliases stand for too much"):
        parse_yaml("\n".join(lines), "m.yml")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"gone\.yml: No such file"):
        read_yaml(tmp_path / "gone.yml")
    with pytest.raises(ReleaseError, match="Is a directory"):
        read_yaml(tmp_path)
    (tmp_path / "latin.yml").write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(ReleaseError, match=r"latin\.yml:2: not UTF-8 text"):
        read_yaml(tmp_path / "latin.yml")


def test_empty_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "e.yml").write_text("# only a comment\n")
    assert read_yaml(tmp_path / "e.yml") is None


def test_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse_yaml("\ufeffa: 1", "m.yml") == {"a": 1}
