"""What becomes of values between the manifest and the template: Go writes, then Ruby reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bosh_release.render.rendering import render
from bosh_release.render.request import Request
from bosh_release.support.errors import ReleaseError

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)

SPEC = """\
name: web
templates: {show.erb: config/show}
consumes: [{name: db, type: db, optional: true}]
provides: [{name: web, type: web, properties: [host]}]
properties: {host: {}, months: {}, rate: {}, map: {}, secret_key: {}, list: {}}
"""
SHOW = "<%= raw_properties.transform_values { |v| [v.class, v].inspect }.to_a.inspect %>"
MANIFEST = """\
name: dep
instance_groups:
- name: grp
  jobs:
  - name: web
    properties:
"""

Rendered = Callable[..., tuple[str, tuple[str, ...]]]


@pytest.fixture
def rendered(tmp_path: Path) -> Rendered:
    """Render the properties (lines of YAML); returns what the template showed and the warnings."""
    job = tmp_path / "rel" / "jobs" / "web"
    (job / "templates").mkdir(parents=True)
    (job / "spec").write_text(SPEC)
    (job / "monit").write_text("")

    def call(properties: str, show: str = SHOW, **more: Any) -> tuple[str, tuple[str, ...]]:
        (job / "templates" / "show.erb").write_text(show)
        path = tmp_path / "m.yml"
        path.write_text(MANIFEST + "".join(f"      {line}\n" for line in properties.splitlines()))
        rendering = render(Request(manifest=path, release=tmp_path / "rel", **more))
        content = rendering.jobs[0].files[1].content.decode()
        return content, tuple(each.replace(str(path), "m.yml") for each in rendering.warnings)

    return call


@pytest.mark.parametrize(
    ("written", "arrives", "change"),
    [
        ("'::1'", '[Symbol, :":1"]', '"::1" becomes :":1" (a Symbol)'),
        ("':x'", "[Symbol, :x]", '":x" becomes :x (a Symbol)'),
        ("'1,000'", "[Integer, 1000]", '"1,000" becomes 1000 (an integer)'),
        ("'2,5,8,11'", "[Integer, 25811]", '"2,5,8,11" becomes 25811 (an integer)'),
        ("1000000.0", '[String, "1e+06"]', '1000000.0 becomes "1e+06" (a string)'),
        ("1e20", '[String, "1e+20"]', '1e+20 becomes "1e+20" (a string)'),
        ("2.0", "[Integer, 2]", "2.0 becomes 2 (an integer)"),
        ("-.Inf", "[Float, -Infinity]", ""),
        ("!!binary /w==", '[String, "\\xFF"]', ""),
        ("!!binary aGk=", '[String, "hi"]', ""),
        ("'1:30'", '[String, "1:30"]', ""),
        ("2026-11-23", '[String, "2026-11-23"]', ""),
        ("0o17", "[Integer, 15]", ""),
        ("on", "[TrueClass, true]", ""),
        ("1.5", "[Float, 1.5]", ""),
    ],
)
def test_value_arrives_as_the_director_reads_it(
    rendered: Rendered, written: str, arrives: str, change: str
) -> None:
    shown, warnings = rendered(f"host: {written}", "<%= [p('host').class, p('host')].inspect %>")
    assert shown == arrives
    if not change:
        assert warnings == ()
        return
    place = "m.yml:7" if "'" in written else "m.yml"
    path = "instance_groups/0/jobs/0/properties/host"
    assert warnings == (
        f"{place}: {path}: {change}; that is how the BOSH CLI writes it and a director reads it",
    )


def test_create_env_reads_with_the_cli_alone(rendered: Rendered) -> None:
    shown, warnings = rendered(
        "host: ':x'\nmonths: '1,000'\nrate: 1e20\nmap: {a: 2.0}",
        "<%= [p('host'), p('months'), p('rate').class, p('map')].inspect %>",
        context="create-env",
    )
    assert shown.replace(" ", "") == '[":x","1,000",Float,{"a"=>2}]'
    assert len(warnings) == 1
    assert (
        "2.0 becomes 2 (an integer); that is how the BOSH CLI writes it and create-env reads"
        in (warnings[0])
    )


def test_value_that_may_be_a_secret_is_not_shown(rendered: Rendered) -> None:
    _, warnings = rendered(
        "secret_key: ':sesame'\nhost: ((given))\nlist: [((given))]\nmap: ((map))\nrate: 1.0",
        variables={"given": ":sesame", "map": {":sesame": [":sesame"]}},
    )
    assert len(warnings) == 5
    assert "properties/map: a string becomes a Symbol (values are not shown)" in "".join(warnings)
    assert "sesame" not in "".join(warnings)
    assert "properties/secret_key: a string becomes a Symbol (values are not shown)" in "".join(
        warnings
    )


def test_key_that_changes_is_told(rendered: Rendered) -> None:
    shown, warnings = rendered("map: {':b': 1, ':a': 2}", "<%= p('map').to_a.inspect %>")
    assert shown == "[[:a, 2], [:b, 1]]"
    assert 'properties/map/:a: ":a" becomes :a (a Symbol)' in warnings[0]
    assert 'properties/map/:b: ":b" becomes :b (a Symbol)' in warnings[1]
    with pytest.raises(ReleaseError, match="A director cannot sort the keys :a, b of one map"):
        rendered("map: {':a': 1, b: 2}")


def test_unchanged_values_keep_their_place_in_messages(rendered: Rendered) -> None:
    with pytest.raises(ReleaseError, match=r"m\.yml:8: Job 'web' does not declare .* 'hots'"):
        rendered("host: '::1'\nhots: a")


@pytest.mark.parametrize(
    ("written", "kind"), [("2026-02-29", "Date"), ("2001-12-14 21:59:43.10 -5", "Time")]
)
def test_text_that_is_a_date_to_ruby_alone_is_refused_with_its_place(
    rendered: Rendered, written: str, kind: str
) -> None:
    with pytest.raises(ReleaseError) as caught:
        rendered(f"map: {{a: [1, '{written}']}}")
    assert "m.yml:7: instance_groups/0/jobs/0/properties/map/a/1: to a director this is a " in str(
        caught.value
    )
    assert f"this is a {kind}, which it refuses" in str(caught.value)
    assert written not in str(caught.value)


def test_keys_of_maps_in_lists_are_sorted_too(rendered: Rendered) -> None:
    shown, _ = rendered("list: [{b10: 1, b9: 2, a: {d: 1, c: 2}}]", "<%= p('list').to_json %>")
    assert shown == '[{"a":{"c":2,"d":1},"b9":2,"b10":1}]'


def test_links_are_json_on_their_way(rendered: Rendered, tmp_path: Path) -> None:
    link = {"instances": [{"address": ":x"}], "properties": {"port": 1}}
    show = "<%= link('db').instances[0].address.inspect %>"
    assert rendered("host: a", show, links={"db": link})[0] == '":x"'
    own = tmp_path / "rel" / "jobs" / "web" / "spec"
    own.write_text(SPEC.replace("name: db, type: db", "name: web, type: web"))
    shown, _ = rendered("host: '::1'", "<%= [p('host'), link('web').p('host')].inspect %>")
    assert shown == '[:":1", ":1"]'


@pytest.mark.parametrize(
    ("default", "seen"),
    [("::1", '":1"'), ("1,000", "1000"), ("2.0", "2.0"), ("'1,000'", '"1,000"'), ("1e3", '"1e3"')],
)
def test_default_in_the_spec_is_what_ruby_reads_as_json(
    rendered: Rendered, tmp_path: Path, default: str, seen: str
) -> None:
    spec = tmp_path / "rel" / "jobs" / "web" / "spec"
    before = "name: web\ntemplates: {show.erb: config/show}\nproperties:\n  rate: {}\n"
    spec.write_text(f"{before}  host:\n    default: {default}\n")
    assert rendered("rate: 1", "<%= p('host').inspect %>") == (seen, ())
    create_env = {"::1": '"::1"', "2.0": "2", "1e3": "1000", "1,000": '"1,000"'}
    shown, _ = rendered("rate: 1", "<%= p('host').inspect %>", context="create-env")
    assert shown == create_env.get(default, seen)
    spec.write_text(f"{before}  host:\n    default: 2026-11-23\n")
    with pytest.raises(ReleaseError, match=r"spec:6: properties/host/default: .* a Date, .* quote"):
        rendered("rate: 1")


def test_first_document_counts_and_the_last_of_two_keys_with_a_warning(rendered: Rendered) -> None:
    shown, warnings = rendered("host: a\nhost: !mine b\n", "<%= p('host') %>")
    assert shown == "b"
    assert warnings == ("m.yml:8: the key 'host' is given twice, this counts",)
