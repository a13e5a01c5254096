"""Ops files: the paths and operations of go-patch."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from bosh_release.render.interpolate.ops import apply_operations, apply_ops_files
from bosh_release.render.interpolate.ops_files import parse_operations
from bosh_release.render.interpolate.pointers import AfterLast, Index, Key, Match, parse_pointer
from bosh_release.support.errors import ReleaseError

ITEMS = [{"name": "item7"}, {"name": "item8"}, {"name": "item8"}]
DOCUMENT = {
    "key": 1,
    "key2": {"nested": {"super_nested": 2}, "other": 3},
    "array": [4, 5, 6],
    "items": ITEMS,
    "a/b": {"~": {"c:d": 0}},
    "nothing": None,
    "?": 1,
}


def apply_to(document: Any, *operations: dict[str, Any]) -> Any:
    parsed = parse_operations(json.dumps(operations), "ops.yml")
    return apply_operations(document, parsed, "ops.yml")


def apply(*operations: dict[str, Any]) -> Any:
    return apply_to(DOCUMENT, *operations)


def replaced(path: str, value: Any = 10) -> Any:
    """Return what `replace` changed: only the keys that differ from the document."""
    after = apply({"type": "replace", "path": path, "value": value})
    if not isinstance(after, dict):
        return after
    return {key: after[key] for key in after if after[key] != DOCUMENT.get(key)}


def removed(path: str) -> Any:
    return apply({"type": "remove", "path": path})


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("/key", {"key": 10}),
        ("/new_key?", {"new_key": 10}),
        ("/nothing", {"nothing": 10}),
        ("/key2/nested/super_nested", {"key2": {"nested": {"super_nested": 10}, "other": 3}}),
        (
            "/key2/nested?/another/deep",
            {"key2": {"nested": {"super_nested": 2, "another": {"deep": 10}}, "other": 3}},
        ),
        ("/array/0", {"array": [10, 5, 6]}),
        ("/array/-1", {"array": [4, 5, 10]}),
        ("/array/-", {"array": [4, 5, 6, 10]}),
        ("/array2?/-", {"array2": [10]}),
        ("/array/1:prev", {"array": [10, 5, 6]}),
        ("/array/0:next", {"array": [4, 10, 6]}),
        ("/array/0:after", {"array": [4, 10, 5, 6]}),
        ("/array/-1:after", {"array": [4, 5, 6, 10]}),
        ("/array/0:before", {"array": [10, 4, 5, 6]}),
        ("/array/-1:prev:before", {"array": [4, 10, 5, 6]}),
        ("/items/name=item7/count", None),
        (
            "/items/name=item7/count?",
            {"items": [{"name": "item7", "count": 10}, {"name": "item8"}, {"name": "item8"}]},
        ),
        ("/items/name=item7", {"items": [10, {"name": "item8"}, {"name": "item8"}]}),
        (
            "/items/name=item7:after",
            {"items": [{"name": "item7"}, 10, {"name": "item8"}, {"name": "item8"}]},
        ),
        (
            "/items/name=item7:next/count?",
            {"items": [{"name": "item7"}, {"name": "item8", "count": 10}, {"name": "item8"}]},
        ),
        (
            "/items/name=item9?/count",
            {"items": [*ITEMS, {"name": "item9", "count": 10}]},
        ),
        ("/items/name=item9?", {"items": [*ITEMS, 10]}),
        ("/new?/name=x/y", {"new": [{"name": "x", "y": 10}]}),
        ("/new?/k/l/-", {"new": {"k": {"l": [10]}}}),
        ("/a~1b/~0/c~7d", {"a/b": {"~": {"c:d": 10}}}),
        ("/-?", {"-": 10}),
    ],
)
def test_replace_changes_what_the_path_names(path: str, changed: Any) -> None:
    if changed is None:
        with pytest.raises(ReleaseError, match="Expected to find a map key 'count'"):
            replaced(path)
        return
    assert replaced(path) == changed


def test_replace_of_the_whole_document() -> None:
    assert replaced("", [1]) == [1]


def test_replaced_value_is_a_copy() -> None:
    text = (
        "- {type: replace, path: '/one?', value: &v []}\n"
        "- {type: replace, path: '/two?', value: *v}\n"
        "- {type: replace, path: /one/-, value: 1}\n"
    )
    operations = parse_operations(text, "ops.yml")
    for _ in range(2):
        assert apply_operations({}, operations, "ops.yml") == {"one": [1], "two": []}


def test_remove_takes_away_what_the_path_names() -> None:
    assert removed("/array/1")["array"] == [4, 6]
    assert removed("/array/-1:prev")["array"] == [4, 6]
    assert removed("/items/name=item7")["items"] == [{"name": "item8"}] * 2
    assert removed("/key2/nested")["key2"] == {"other": 3}
    assert "nothing" not in removed("/nothing")


@pytest.mark.parametrize(
    "path", ["/gone?", "/gone?/x/y", "/items/name=gone?", "/items/name=gone?/x"]
)
def test_remove_of_what_is_optional_and_missing_changes_nothing(path: str) -> None:
    assert removed(path) == DOCUMENT


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (
            {"type": "replace", "path": "/gone", "value": 1},
            "Expected to find a map key 'gone' for path '/gone' (found map keys: '?', 'a/b', ",
        ),
        (
            {"type": "replace", "path": "/key2/nested/gone/x", "value": 1},
            "Expected to find a map key 'gone' for path '/key2/nested/gone' "
            "(found map keys: 'super_nested')",
        ),
        (
            {"type": "replace", "path": "/array/3", "value": 1},
            "Expected to find array index '3' but found array of length '3' for path '/array/3'",
        ),
        ({"type": "replace", "path": "/array/-4", "value": 1}, "Expected to find array index '-4'"),
        ({"type": "replace", "path": "/array/0:prev:prev:prev:prev", "value": 1}, "index '-4'"),
        (
            {"type": "replace", "path": "/items/name=item8/x?", "value": 1},
            "to find exactly one matching array item for path '/items/name=item8' but found 2",
        ),
        ({"type": "replace", "path": "/items/name=gone/x?", "value": 1}, "but found 0"),
        (
            {"type": "replace", "path": "/key/x", "value": 1},
            "Expected to find a map at path '/key/x' but found an integer",
        ),
        (
            {"type": "replace", "path": "/key2/0", "value": 1},
            "Expected to find an array at path '/key2/0' but found a map",
        ),
        ({"type": "replace", "path": "/nothing/x?", "value": 1}, "but found nothing"),
        (
            {"type": "replace", "path": "/new?/0", "value": 1},
            "Expected to find key, matching index or after last index token at path '/new?/0'",
        ),
        (
            {"type": "replace", "path": "/array/0:before:next", "value": 1},
            "Expected to find 'before' only at the end of the path of a replace operation",
        ),
        ({"type": "replace", "path": "/key"}, "Missing value"),
        ({"type": "replace", "value": 1}, "Missing path"),
        (
            {"type": "replace", "path": "key", "value": 1},
            "Invalid path: Expected to start with '/'",
        ),
        (
            {"type": "replace", "path": "/key:prev", "value": 1},
            "Invalid path: Expected not to find any modifiers with key token",
        ),
        (
            {"type": "replace", "path": "/array/-:prev", "value": 1},
            "Expected not to find any modifiers with after last index token",
        ),
        ({"type": "replace", "path": "/array/0:unknown", "value": 1}, "but found 'unknown'"),
        ({"type": "remove", "path": "/gone"}, "Expected to find a map key 'gone'"),
        ({"type": "remove", "path": "/array/-"}, "Expected to not find token '-'"),
        ({"type": "remove", "path": "/key", "value": 1}, "Cannot specify value"),
        ({"type": "remove", "path": ""}, "Cannot remove entire document"),
        ({"type": "test", "path": "/key", "value": 2}, "Found value does not match expected value"),
        ({"type": "test", "path": "/key", "absent": True}, "Expected to not find '/key'"),
        ({"type": "test", "path": "/gone/x", "absent": True}, "Expected to find a map key 'gone'"),
        ({"type": "test", "path": "/key"}, "Missing value or absent"),
        (
            {"type": "move", "path": "/key"},
            "Unknown type 'move'; known are replace, remove and test",
        ),
        ({"type": "replace", "path": "/key", "value": None}, "Missing value"),
        ({"type": "test", "path": "/nothing", "value": None}, "Missing value or absent"),
        ({"type": "test", "path": "/key", "value": True}, "Found value does not match expected"),
        ({"type": "test", "path": "/key", "value": 1.5}, "Found value does not match expected"),
        ({"type": "replace", "path": "/array/0:before/x", "value": 1}, "only at the end"),
        ({"type": "replace", "path": "/items/name=item7:after/x?", "value": 1}, "only at the end"),
        ({"type": "remove", "path": "/array/0:before"}, "only at the end"),
        ({"type": "test", "path": "/array/0:after", "value": 1}, "only at the end"),
        ({"type": "replace", "path": 7, "value": 1}, "Expected to start with '/'"),
        (None, "Unknown type ''"),
        ("replace", "Expected an operation to be a map but found a scalar"),
    ],
)
def test_operation_that_cannot_be_done_is_told(operation: Any, problem: str) -> None:
    fine = {"type": "test", "path": "/key", "value": 1}
    with pytest.raises(ReleaseError) as caught:
        apply(fine, operation)
    assert str(caught.value).startswith("operation [1] in ops.yml failed: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "operation",
    [
        {"path": "/key", "value": 1},
        {"path": "/key2/nested", "value": {"super_nested": 2}},
        {"path": "/array/-1", "value": 6},
        {"path": "/gone", "absent": True},
        {"path": "/array/3", "absent": True},
        {"path": "/key2/gone", "absent": True},
        {"path": "/nothing", "absent": False},
        {"path": "/gone?", "absent": False},
    ],
)
def test_test_operation_passes_and_changes_nothing(operation: dict[str, Any]) -> None:
    assert apply({"type": "test", **operation}) == DOCUMENT


def test_document_is_untouched_also_where_a_later_operation_fails() -> None:
    before = copy.deepcopy(DOCUMENT)
    with pytest.raises(ReleaseError):
        apply({"type": "remove", "path": "/key2"}, {"type": "remove", "path": "/gone"})
    assert before == DOCUMENT


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ()),
        ("/", (Key(""),)),
        ("/ ", (Key(" "),)),
        ("/key/", (Key("key"), Key(""))),
        ("/key?/b", (Key("key", True), Key("b", True))),
        ("/-2", (Index(-2),)),
        ("/-/key", (Key("-"), Key("key"))),
        ("/ary/-", (Key("ary"), AfterLast())),
        ("/0:before", (Index(0, ("before",)),)),
        ("/==", (Match("", "="),)),
        ("/=?", (Match("", "", True),)),
        ("/name=val:after", (Match("name", "val", False, ("after",)),)),
        ("/key?/name=val", (Key("key", True), Match("name", "val", True))),
        ("/m~0n", (Key("m~n"),)),
        ("/a~01b", (Key("a~1b"),)),
        ("/n~1=v~7", (Match("n/", "v:"),)),
        ("/c%d", (Key("c%d"),)),
        ('/k"l', (Key('k"l'),)),
        ("/٣", (Key("٣"),)),
        ("/9223372036854775808", (Key("9223372036854775808"),)),
        ("/+01", (Index(1),)),
    ],
)
def test_paths_are_read_as_go_patch_reads_them(text: str, tokens: tuple[Any, ...]) -> None:
    assert parse_pointer(text).tokens == tokens


def test_files_are_applied_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "1.yml", tmp_path / "2.yml"
    first.write_text("- type: replace\n  path: /a?\n  value: [1]\n")
    second.write_text("- type: replace\n  path: /a/-\n  value: 2\n")
    assert apply_ops_files({}, [first, second]) == {"a": [1, 2]}
    with pytest.raises(ReleaseError, match=r"operation \[0\] in .*2\.yml failed"):
        apply_ops_files({}, [second, first])


def test_keys_that_go_patch_does_not_know_are_passed_over() -> None:
    operation = {"type": "remove", "path": "/key", "release": "bosh-alicloud-cpi", "vlaue": [1]}
    assert "key" not in apply(operation)


@pytest.mark.parametrize("text", ["", "# nothing to do\n", "---\n", "[]\n", "--- ~\n"])
def test_file_without_operations_changes_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ops.yml"
    path.write_text(text)
    assert apply_ops_files({"a": 1}, [path]) == {"a": 1}


def test_null_is_a_value_only_where_go_yaml_takes_it_for_one() -> None:
    operations = parse_operations("[{type: replace, path: /key, value: NULL}]", "ops.yml")
    assert apply_operations(DOCUMENT, operations, "ops.yml")["key"] is None
    with pytest.raises(ReleaseError, match='the text "null" cannot stand here'):
        parse_operations("[{type: replace, path: /key, value: 'null'}]", "ops.yml")


def test_value_is_written_and_read_on_its_way_into_the_document() -> None:
    assert replaced("/key", 2.0) == {"key": 2}
    assert type(apply({"type": "replace", "path": "/key", "value": 2.0})["key"]) is int


def test_item_that_is_no_map_takes_the_place_of_its_list() -> None:
    # go-patch takes what stands behind `key=value` for a map
    before = {"list": [{"name": "x"}, [1, 2]]}
    operation = {"type": "replace", "path": "/list/name=x:next/0", "value": 9}
    assert apply_to(before, operation) == {"list": [9, 2]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [("a: 1", "a list of operations, this is a map"), ("text", "this is a scalar")],
)
def test_file_that_is_no_list_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "ops.yml"
    path.write_text(text)
    with pytest.raises(ReleaseError, match=problem):
        apply_ops_files({}, [path])
