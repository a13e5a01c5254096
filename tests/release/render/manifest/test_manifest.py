"""Manifests of every shape: names, runtime configs, and the choice of jobs and groups."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.release.render.sample_job import names_in, show

from bosh_release.render.output.rendered_folder import MARKER

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)


def test_full_manifest_gives_the_deployments_name(
    tmp_path: Path,
    release: Path,
    manifest: Callable[..., Path],
    shown: Callable[..., dict[str, Any]],
    refused: Callable[..., str],
) -> None:
    show(release, "[spec.deployment, spec.release.name, spec.release.version]")
    path = manifest()
    path.write_text("name: full\nreleases: [{name: rel, version: 7}]\n" + path.read_text())
    seen: Any = shown(path, "--no-name")
    assert seen == ["full", "rel", 7]
    message = refused(path, "-d", "other")
    assert "manifest.yml:1: Expected manifest to specify deployment name 'other'" in message


def test_fragment_without_a_name_says_how_to_give_one(
    manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    assert "has no name; give one with --deployment" in refused(manifest(), "--no-name")


def test_runtime_config_is_rendered_as_in_the_instance_group_named(
    tmp_path: Path, release: Path, shown: Callable[..., dict[str, Any]]
) -> None:
    path = tmp_path / "runtime.yml"
    path.write_text(
        "releases: [{name: rel, version: 1}]\n"
        "addons:\n- name: lb\n  include: {jobs: [{name: x, release: z}]}\n"
        "  jobs: [{name: web, release: rel, properties: {port: 5}}]\n"
    )
    assert shown(path, "-g", "router")["name"] == "router"
    seen = shown(path)
    assert (seen["name"], seen["properties"]["port"]) == ("lb", 5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a manifest is a map, this is nothing"),
        ("- a", "a manifest is a map, this is an array"),
        ("a: 1", "there are neither instance_groups nor addons"),
        ("instance_groups: 1", "instance_groups must be a list, this is an integer"),
        ("instance_groups: [1]", "an instance group must be a map, this is an integer"),
        ("instance_groups: [{jobs: []}]", "an instance group has no name"),
        ("instance_groups: [{name: g, jobs: {}}]", "jobs of 'g' must be a list, this is a map"),
        ("instance_groups: [{name: g, jobs: [x]}]", "a job must be a map, this is a string"),
        ("instance_groups: [{name: g, jobs: [{release: rel}]}]", "a job has no name"),
        (
            "instance_groups: [{name: g, jobs: [{name: web, release: [1]}]}]",
            "must be a string, this is an array",
        ),
        (
            "instance_groups: [{name: g, jobs: [{name: web, properties: [1]}]}]",
            "m.yml:1: properties of job 'web' must be a map, this is an array",
        ),
        ("name: 5\ninstance_groups: []", "name must be a string that is not empty"),
        ("instance_groups: [", "not valid YAML: did not find expected node content"),
    ],
)
def test_manifest_of_another_shape_is_refused(
    tmp_path: Path, refused: Callable[..., str], text: str, problem: str
) -> None:
    path = tmp_path / "m.yml"
    path.write_text(text)
    assert problem in refused(path)


def test_manifest_that_is_not_there_is_named(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "gone.yml: No such file" in refused(tmp_path / "gone.yml")


@pytest.mark.parametrize(
    ("jobs", "options", "problem"),
    [
        ([{"name": "wbe", "release": "rel"}], [], "2: Job 'wbe' not found in release 'rel'; "),
        ([{"name": "wbe"}], [], "has web; did you mean web?"),
        ([{"name": "web", "release": "rle"}], [], "there are grp/web (release rle)"),
        ([], [], "there are no jobs"),
        ([{"name": "web"}], ["-j", "wbe"], "there is no job 'wbe' in instance group 'grp'"),
        (
            [{"name": "web"}],
            ["-g", "gpr"],
            "no instance group 'gpr'; there are grp; did you mean grp?",
        ),
        (
            [{"name": "x", "release": "y"}],
            ["-g", "grp", "-j", "x"],
            "job 'x' is of release 'y', but ",
        ),
        ([{"name": "web"}, {"name": "web"}], [], "Colocated job 'web' is already added to the"),
    ],
)
def test_job_or_group_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, refused: Callable[..., str], jobs: Any, options: list[str], problem: str
) -> None:
    path = tmp_path / "m.yml"
    path.write_text(f"instance_groups:\n- jobs: {json.dumps(jobs)}\n  name: grp\n")
    assert problem in refused(path, *options)


def test_jobs_of_other_releases_are_left_out(
    tmp_path: Path, manifest: Callable[..., Path], run: Callable[..., tuple[int, str]]
) -> None:
    path = manifest()
    document = yaml.safe_load(path.read_text())
    document["instance_groups"][0]["jobs"].append({"name": "nginx", "release": "nginx"})
    document["instance_groups"].append({"name": "db", "jobs": [{"name": "pg", "release": "pg"}]})
    path.write_text(yaml.safe_dump(document))
    assert run(path) == (0, "")
    assert names_in(tmp_path / "out") == [MARKER, "web"]


def test_several_groups_with_the_job_need_a_choice(
    tmp_path: Path, refused: Callable[..., str], shown: Callable[..., dict[str, Any]]
) -> None:
    path = tmp_path / "m.yml"
    group = "{name: %s, jobs: [{name: web, release: rel}]}"
    path.write_text(f"instance_groups: [{group % 'one'}, {group % 'two'}]\n")
    assert "choose one of one, two with --instance-group" in refused(path)
    assert shown(path, "-g", "two")["name"] == "two"
