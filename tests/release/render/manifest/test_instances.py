"""The instance: its index, zone, networks and addresses, by the manifest and the options."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.release.render.sample_job import show

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)


def test_instance_has_defaults_that_stay_the_same(
    release: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    show(
        release,
        "[name, index, spec.name, spec.deployment, spec.index, spec.id, spec.az, "
        "spec.bootstrap, spec.address, spec.ip, spec.networks.default.ip, spec.job.name]",
    )
    first: Any = shown(manifest())
    name, index, *rest = first
    assert (name, index) == ("grp", 0)
    identifier = rest.pop(3)
    assert len(identifier) == 36
    assert rest == ["grp", "dep", 0, None, True, "127.0.0.1", "127.0.0.1", "127.0.0.1", "grp"]
    assert shown(manifest()) == first
    other: Any = shown(manifest(), "--index", 1)
    assert other[5] != identifier
    assert other[7] is False


def test_instance_comes_from_the_manifest(
    release: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    show(release, "[spec.az, spec.ip, spec.address, spec.networks.to_h.keys, "
         "spec.networks.b.dns_record_name, spec.networks.b.default, spec.networks.a.ip, "
         "spec.persistent_disk]")  # fmt: skip
    path = manifest(
        instances=3,
        azs=["z1", "z2"],
        persistent_disk=9,
        networks=[
            {"name": "a"},
            {
                "name": "b",
                "static_ips": ["10.0.0.2", "10.0.0.8 - 10.0.0.9"],
                "default": ["gateway"],
            },
        ],
    )
    seen: Any = shown(path, "--index", 2)
    assert seen == [
        "z1", "10.0.0.9", "10.0.0.9", ["a", "b"], "2.grp.b.dep.bosh", ["gateway"], "127.0.0.1", 9,
    ]  # fmt: skip


def test_instance_can_be_set(
    release: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    show(
        release,
        "[spec.index, spec.id, spec.az, spec.bootstrap, spec.address, spec.ip, "
        "spec.networks.default.ip, spec.networks.extra.gateway, spec.networks.plain.ip]",
    )
    seen: Any = shown(
        manifest(networks=[{"name": "default"}]),
        "--index", 4, "--id", "my-id", "--az", "z9", "--bootstrap", "--address", "web.example",
        "--ip", "10.0.0.5", "--network", "extra={ip: 10.9.0.1, gateway: 10.9.0.254}",
        "--network", "plain=10.8.0.1",
    )  # fmt: skip
    assert seen == [
        4, "my-id", "z9", True, "web.example", "10.0.0.5", "10.0.0.5", "10.9.0.254", "10.8.0.1",
    ]  # fmt: skip
    show(release, "[spec.bootstrap]")
    without: Any = shown(manifest(), "--no-bootstrap")
    assert without == [False]


@pytest.mark.parametrize(
    ("group", "options", "problem"),
    [
        ({"instances": 2}, ["--index", "2"], "has 2 instance(s), so there is none with index 2"),
        ({"instances": "two"}, [], "instances of instance group 'grp' must be a whole number"),
        ({"azs": "z1"}, [], "azs of instance group 'grp' must be a list of names"),
        ({"networks": {"name": "a"}}, [], "networks of instance group 'grp' must be a list"),
        ({"networks": ["a"]}, [], "each of the networks of instance group 'grp' needs a name"),
        ({"networks": [{"name": "a", "static_ips": ["10.0.0"]}]}, [], "'10.0.0' is not an IP"),
        ({"networks": [{"name": "a", "static_ips": "10.0.0.9-10.0.0.1"}]}, [], "not a range"),
        ({}, ["--index", "-1"], "--index must be 0 or more"),
        ({}, ["--ip", "host"], "--ip: 'host' is not an IP address"),
        ({}, ["--network", "a=[1]"], "--network a: expects an IP address or a map"),
        ({}, ["--network", "a"], "--network expects NAME=VALUE"),
    ],
)
def test_instance_that_cannot_be_is_refused(
    manifest: Callable[..., Path],
    refused: Callable[..., str],
    group: dict[str, Any],
    options: list[str],
    problem: str,
) -> None:
    assert problem in refused(manifest(**group), *options)
