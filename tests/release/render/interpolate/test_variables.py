"""Variables: where their values come from and how they are put into a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bosh_release.render.interpolate.interpolation import interpolate
from bosh_release.render.interpolate.unresolved import expect_all
from bosh_release.render.interpolate.variables import collect
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.untyped import parse_yaml
from bosh_release.yaml.values import OtherKey, place_of


def put_in(document: Any, **values: Any) -> Any:
    result = interpolate(document, values)
    assert result.unresolved == ()
    return result.document


def names_missing(document: Any, **values: Any) -> list[str]:
    return [found.name for found in interpolate(document, values).unresolved]


@pytest.mark.parametrize(
    "value", [1, 1.5, True, None, "", "text", "((other))", [1, "a"], {"k": {"l": [None]}}]
)
def test_value_of_a_whole_text_keeps_its_type(value: Any) -> None:
    assert put_in({"a": ["((x))"]}, x=value) == {"a": [value]}


@pytest.mark.parametrize("text", ["((x))", "(( x ))", "((x ))", "(( x))", "((!x))", "(( !x ))"])
def test_spaces_and_exclamation_mark_change_nothing(text: str) -> None:
    assert put_in(text, x=7) == 7


@pytest.mark.parametrize("text", ["(( x ))", "((x ))", "(( x))", "(( !x ))"])
def test_spaces_inside_a_longer_text_are_no_reference(text: str) -> None:
    assert put_in(f"a{text}b((x))((!x))", x=7) == f"a{text}b77"


def test_names_may_have_dashes_slashes_and_letters_of_any_script() -> None:
    document = ["((/dir/a-b_c))", "((größe))", "((变量))"]
    assert put_in(document, **{"/dir/a-b_c": 1, "größe": 2, "变量": 3}) == [1, 2, 3]


def test_keys_of_maps_are_looked_at() -> None:
    assert put_in({"((x))": 1, "pre-((x))": {"((y))": 2}}, x="k", y=5) == {
        "k": 1,
        "pre-k": {OtherKey(5): 2},
    }


def test_values_are_not_looked_at_again() -> None:
    assert put_in(["((x))", "a((x))"], x="((y))", y="z") == ["((y))", "a((y))"]
    assert put_in("((x))", x="((gone))") == "((gone))"


def test_value_may_hold_the_variable_that_comes_next() -> None:
    assert put_in("a((x))((y))", x="((y))", y="z") == "azz"
    assert put_in("((x))((y))", x="", y=7) == 7


@pytest.mark.parametrize("text", ["(()", "((", "((a b))", "(())", "((a)b))", "( (x) )", "((x\n))"])
def test_text_that_is_no_reference_is_left_alone(text: str) -> None:
    assert put_in(text, x=1) == text


def test_paths_look_into_values() -> None:
    values = {"x": {"list": [{"k": "v"}], "0": "zero"}}
    assert put_in("((x.list.0.k))", **values) == "v"
    assert put_in("((x.0))", **values) == "zero"
    assert put_in("<((x.list.0.k))>", **values) == "<v>"


def test_path_that_does_not_exist_is_told_with_the_keys_there_are() -> None:
    with pytest.raises(ReleaseError) as caught:
        interpolate({"k": "((x.pasword))"}, {"x": {"password": "sesame"}})
    assert "x.pasword (k)" in str(caught.value)
    assert "found map keys: 'password'" in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("value", [True, 1.5, None, ["sesame"], {"k": "sesame"}])
def test_only_strings_and_integers_stand_inside_a_longer_text(value: Any) -> None:
    with pytest.raises(ReleaseError) as caught:
        interpolate("pre ((x))", {"x": value})
    assert "cannot stand inside a longer text" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_every_missing_variable_is_told_once_with_its_place() -> None:
    text = "a: ((one))\nb:\n- x((two))((one))\nc: ((one))\n((three)): ((given))\n"
    result = interpolate(parse_yaml(text, "m.yml"), {"given": 1, "tow": 2})
    assert result.document["a"] == "((one))"
    with pytest.raises(ReleaseError) as caught:
        expect_all(result.unresolved, result.document)
    assert str(caught.value).splitlines() == [
        "Expected to find variables:",
        "  - one (m.yml:1, a)",
        "  - two (m.yml:3, b/0)",
        "  - one (m.yml:3, b/0)",
        "  - one (m.yml:4, c)",
        "  - three (m.yml:5, ((three)))",
        "Give their values in a YAML file with -l FILE (secrets belong there), or with -v.",
    ]


def test_name_that_is_spelt_alike_is_proposed() -> None:
    result = interpolate("((access_key))", {"acces_key": "sesame"})
    with pytest.raises(ReleaseError, match=r"; did you mean acces_key\?") as caught:
        expect_all(result.unresolved, None)
    assert "sesame" not in str(caught.value)


def test_variable_that_a_director_would_generate_is_told_so() -> None:
    document = {"variables": [{"name": "pw", "type": "password"}], "k": "((pw))"}
    result = interpolate(document, {})
    with pytest.raises(ReleaseError, match="a director would generate it, here it must be given"):
        expect_all(result.unresolved, result.document)


def test_nothing_missing_is_no_error() -> None:
    expect_all((), {})


def test_document_is_not_changed_in_place() -> None:
    document = {"a": ["((x))"], "((x))": 1}
    put_in(document, x="v")
    assert document == {"a": ["((x))"], "((x))": 1}


def test_filled_text_keeps_its_place() -> None:
    document = parse_yaml("\nk: a((x))", "m.yml")
    assert place_of(put_in(document, x=1)["k"]) == "m.yml:2"


@pytest.fixture
def vars_file(tmp_path: Path) -> Path:
    path = tmp_path / "vars.yml"
    path.write_text("a: 1\nb: {c: text}\nd.e: nested\n")
    return path


def test_later_files_and_then_assignments_win(vars_file: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.yml"
    second.write_text("a: 2\nf: 5\n")
    (tmp_path / "content").write_text("line 1\nline 2\n")
    values = collect(
        [vars_file, second], [f"f={tmp_path / 'content'}", f"g={tmp_path / 'content'}"], ["g=7"]
    )
    assert values == {
        "a": 2,
        "b": {"c": "text"},
        "d.e": "nested",
        "f": "line 1\nline 2\n",
        "g": 7,
    }


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("x=1", 1), ("x=true", True), ("x=~", None), ("x=[1, a]", [1, "a"]),
        ("x={k: v}", {"k": "v"}), ("x=a=b", "a=b"), ("x='quoted'", "quoted"),
        ('x="1"', "1"), ("x=''", ""), ('x=""', ""), ("x=two words", "two words"),
        ("x=one\ntwo", "one\ntwo"), ("x='\"\"'", '""'), ("x=G4/+Va1aw==", "G4/+Va1aw=="),
        ("x='", None),
    ],
)  # fmt: skip
def test_assignment_is_yaml_as_in_the_cli(assignment: str, value: Any) -> None:
    if assignment == "x='":
        with pytest.raises(ReleaseError, match="-v x:1: not valid YAML"):
            collect([], [], [assignment])
        return
    assert collect([], [], [assignment]) == {"x": value}


def test_dotted_names_of_several_sources_make_one_map(vars_file: Path) -> None:
    values = collect([vars_file], [], ["d.x.y=1", "d.z=2"])
    document = ["((d.e))", "((d.x.y))", "((d))"]
    assert put_in(document, **values) == ["nested", 1, {"e": "nested", "x": {"y": 1}, "z": 2}]


@pytest.mark.parametrize(
    "names", [("x", "x.y"), ("x.y", "x.y.z"), ("x.y.a", "x.y.b"), ("x.y.z", "y"), ("x.x.y", "z")]
)
def test_dotted_names_of_which_the_cli_takes_one_by_chance_are_refused(
    names: tuple[str, str],
) -> None:
    values = dict.fromkeys(names, "sesame")
    assert put_in("no variable", **values) == "no variable"
    with pytest.raises(ReleaseError, match="side by side: which one it sees is chance") as caught:
        interpolate("((z))", values)
    assert "sesame" not in str(caught.value)


def test_declaration_of_a_variable_with_a_value_is_taken_out() -> None:
    document = parse_yaml("variables:\n- {name: x, type: a}\n- {name: z, type: a}\n", "m.yml")
    assert interpolate(document, {"x": 1}).document == {"variables": [{"name": "z", "type": "a"}]}


def test_value_is_passed_over_where_its_declared_options_are_not_known() -> None:
    text = "variables:\n- {name: x, type: a, options: {b: ((gone))}}\nk: ((x))\n"
    result = interpolate(parse_yaml(text, "m.yml"), {"x": 1})
    assert result.document["k"] == "((x))"
    with pytest.raises(ReleaseError, match="; its options, under `variables`, have"):
        expect_all(result.unresolved, result.document)


@pytest.mark.parametrize(
    "text",
    [
        "variables: text",
        "variables: [text]",
        "variables: [{name: [x]}]",
        "variables: [{name: 1}]",
        "variables: [{name: x}, {name: x}]",
        "variables: [{name: x, type: a, options: {b: ((x))}}]",
    ],
)
def test_declarations_that_the_cli_refuses_are_refused(text: str) -> None:
    with pytest.raises(ReleaseError):
        interpolate(parse_yaml(text, "m.yml"), {"x": 1, "1": 2})


@pytest.mark.parametrize(
    "arguments",
    [
        ([], [], ["sesame"]), ([], [], ["=sesame"]), ([], ["sesame"], []),
        ([], [], ["k={sesame"]), ([], [], ["k=*sesame"]), ([], [], ["k='sesame"]),
    ],
)  # fmt: skip
def test_bad_assignment_is_refused_without_its_value(arguments: tuple[Any, Any, Any]) -> None:
    with pytest.raises(ReleaseError) as caught:
        collect(*arguments)
    assert "sesame" not in str(caught.value)


def test_empty_assignment_says_how_to_write_an_empty_string() -> None:
    with pytest.raises(ReleaseError, match="""write x='""'"""):
        collect([], [], ["x="])


@pytest.mark.parametrize(
    ("content", "problem"),
    [("- sesame", "is a map, this is an array"), ("sesame", "a map, this is a scalar"),
     ("? [a]\n: sesame", "an array where a text belongs"),
     ("a: [sesame", "vars.yml:1: not valid YAML")],
)  # fmt: skip
def test_file_that_is_no_map_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "vars.yml"
    path.write_text(content)
    with pytest.raises(ReleaseError) as caught:
        collect([path], [], [])
    assert problem in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_names_are_the_texts_that_were_written(tmp_path: Path) -> None:
    (tmp_path / "vars.yml").write_text("y: 1\non: 2\n0x1: 3\n1: 4\ntrue: 5\n~: 6\n'1.0': 7\n")
    values = collect([tmp_path / "vars.yml"], [], [])
    assert values == {"y": 1, "on": 2, "0x1": 3, "1": 4, "true": 5, "": 6, "1.0": 7}


def test_empty_file_of_variables_is_fine(tmp_path: Path) -> None:
    (tmp_path / "vars.yml").write_text("---\n")
    assert collect([tmp_path / "vars.yml"], [], []) == {}


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"gone\.yml: No such file"):
        collect([tmp_path / "gone.yml"], [], [])
    with pytest.raises(ReleaseError, match="gone: No such file"):
        collect([], [f"x={tmp_path / 'gone'}"], [])
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(ReleaseError, match="binary: not UTF-8 text"):
        collect([], [f"x={tmp_path / 'binary'}"], [])
