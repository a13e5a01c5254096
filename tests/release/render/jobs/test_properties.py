"""Properties: what a template sees of those in a manifest, and which are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)


def test_only_declared_properties_are_seen_with_their_defaults(
    manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    seen = shown(manifest({"port": None, "tls": {"enabled": False}, "password": "x"}))
    assert seen["properties"] == {
        "port": 8080,
        "password": "x",
        "tls": {"enabled": False, "options": {"a": 2, "b": 1}},
        "list": [{"z": 1, "a": 2}],
        "bare": None,
    }


def test_maps_come_in_key_order_as_from_a_director(
    release: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    options = {"b": {"d": 1, "c": 2}, "a": [{"v": 1, "u": 2}], "1.0": 2.0, "half": 1.5}
    path = manifest({"tls": {"options": options}})
    seen = shown(path, warning="properties/tls/options/1.0: 2.0 becomes 2 (an integer)")
    assert json.dumps(seen["properties"]["tls"]["options"]) == json.dumps(
        {"1.0": 2, "a": [{"u": 2, "v": 1}], "b": {"c": 2, "d": 1}, "half": 1.5}
    )
    assert isinstance(seen["properties"]["tls"]["options"]["1.0"], int)


def test_shared_properties_count_only_for_jobs_without_their_own(
    tmp_path: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    group = {"properties": {"tls": {"enabled": False}, "of_another_job": 1}}
    document = yaml.safe_load(manifest(None, **group).read_text())
    document["properties"] = {"port": 1, "tls": {"enabled": True, "options": 3}}
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(document))
    seen = shown(path)["properties"]
    assert (seen["port"], seen["tls"]) == (1, {"enabled": False, "options": 3})
    assert shown(manifest({}, **group))["properties"]["tls"]["enabled"] is True


@pytest.mark.parametrize(
    ("properties", "complaint"),
    [
        ({"prot": 1}, "the property 'prot' in the release spec; did you mean port?"),
        ({"tls": {"enable": 1}}, "the property 'tls.enable' in the release spec; did you mean tls"),
        ({"tsl": {"enabled": True}}, "the property 'tsl' in the release spec; did you mean tls?"),
        ({"unheard_of": 1}, "the property 'unheard_of' in the release spec\n"),
    ],
)
def test_undeclared_property_is_refused_with_place_and_nearest_name(
    manifest: Callable[..., Path],
    refused: Callable[..., str],
    properties: dict[str, Any],
    complaint: str,
) -> None:
    message = refused(manifest(properties))
    assert complaint in message
    assert "manifest.yml:7: " in message.replace("manifest.yml:8", "manifest.yml:7")
    assert "--allow-undeclared" in message


def test_every_undeclared_property_is_told_and_may_be_allowed(
    manifest: Callable[..., Path], refused: Callable[..., str], run: Callable[..., tuple[int, str]]
) -> None:
    path = manifest({"one": 1, "tls": {"two": 2}, "port": 3})
    message = refused(path)
    assert "'one'" in message
    assert "'tls.two'" in message
    code, warnings = run(path, "--allow-undeclared")
    assert code == 0
    assert [line.split(": ")[0] for line in warnings.splitlines()] == ["warning", "warning"]


def test_inside_a_declared_map_everything_is_declared(
    manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    seen = shown(manifest({"tls": {"options": {"anything": {"at": "all"}}}}))
    assert seen["properties"]["tls"]["options"] == {"anything": {"at": "all"}}


@pytest.mark.parametrize(
    ("value", "kind"),
    [("x", "String"), (1, "Integer"), ([1], "Array"), (True, "TrueClass"), (1.5, "Float")],
)
def test_other_value_in_the_place_of_a_map_is_refused_in_the_directors_words(
    manifest: Callable[..., Path], refused: Callable[..., str], value: Any, kind: str
) -> None:
    message = refused(manifest({"tls": value}))
    assert f"Property 'tls.enabled' expects a hash, but received '{kind}'" in message
    assert "manifest.yml:" in message


def test_key_that_is_no_string_is_refused(
    tmp_path: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    path = manifest({"tls": {"options": "@"}})
    path.write_text(path.read_text().replace("'@'", "{a: [{8080: x}]}"))
    assert "Property 'tls.options.a' has the key 8080" in refused(path)
    path.write_text(path.read_text().replace("8080: x", "on: x, k: 1"))
    assert "has the key true" in refused(path, "--context", "create-env")
