"""Rendering as a whole: a release folder and a manifest in, a VM's files or one message out."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bosh_release.cli import main
from bosh_release.render.output.rendered_folder import MARKER
from bosh_release.render.rendering import render, render_to
from bosh_release.render.request import Request

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)

SPEC = {
    "name": "web",
    "templates": {
        "run.erb": "bin/run",
        "healthy.erb": "bin/dns/healthy",
        "web.json.erb": "config/deep/web.json",
    },
    "properties": {
        "port": {"default": 8080},
        "password": {"description": "no default"},
        "tls.enabled": {"default": True},
        "tls.options": {"default": {"b": 1, "a": 2}},
        "list": {"default": [{"z": 1, "a": 2}]},
        "bare": None,
    },
}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


SHOW_ALL = "<%= {properties: raw_properties, name: name, index: index, id: spec.id}.to_json %>\n"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "rel"
    write_job(
        folder,
        SPEC,
        {"run.erb": "#!/bin/sh\n", "healthy.erb": "exit 0\n", "web.json.erb": SHOW_ALL},
    )
    (folder / "config").mkdir()
    (folder / "config" / "final.yml").write_text("name: rel\n")
    return folder


def write_job(release: Path, spec: dict[str, Any], templates: dict[str, str]) -> None:
    job = release / "jobs" / str(spec["name"])
    (job / "templates").mkdir(parents=True, exist_ok=True)
    (job / "spec").write_text(yaml.safe_dump(spec, sort_keys=False))
    (job / "monit").write_text("check process <%= name %>\n")
    for name, text in templates.items():
        (job / "templates" / name).write_text(text)


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    def write(own: Any = None, **group: Any) -> Path:
        job = {"name": "web", "release": "rel"}
        if own is not None:
            job["properties"] = own
        document = {"instance_groups": [{"name": "grp", "jobs": [job], **group}]}
        path = tmp_path / "manifest.yml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    return write


@pytest.fixture
def run(
    tmp_path: Path, release: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run the command; returns its exit code and all of stderr."""

    def call(manifest: Path, *options: object) -> tuple[int, str]:
        arguments = ["render", "--manifest", manifest, "--release-dir", release]
        arguments += ["--output", tmp_path / "out", *options]
        if "-d" not in options and "--no-name" not in options:
            arguments += ["-d", "dep"]
        code = main([str(each) for each in arguments if each != "--no-name"])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        assert code in (0, 1)
        if code:
            assert captured.out == ""
        return code, captured.err

    return call


@pytest.fixture
def shown(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> Callable[..., dict[str, Any]]:
    """Render the job `web` and return what its template saw."""

    def call(manifest: Path, *options: object, warning: str = "") -> dict[str, Any]:
        code, errors = run(manifest, *options)
        assert code == 0
        assert errors.count("\n") == bool(warning)
        assert warning in errors
        text = (tmp_path / "out" / "web" / "config" / "deep" / "web.json").read_text()
        seen: dict[str, Any] = json.loads(text)
        return seen

    return call


@pytest.fixture
def refused(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> Callable[..., str]:
    """Run the command, which must fail and write nothing; returns the message."""

    def call(manifest: Path, *options: object) -> str:
        before = names_in(tmp_path)
        code, errors = run(manifest, *options)
        assert code == 1
        assert names_in(tmp_path) == before
        return errors

    return call


def test_files_lie_as_on_a_vm_with_its_modes(
    tmp_path: Path, manifest: Callable[..., Path], run: Callable[..., tuple[int, str]]
) -> None:
    old_umask = os.umask(0o077)
    try:
        assert run(manifest())[0] == 0
    finally:
        os.umask(old_umask)
    job = tmp_path / "out" / "web"
    modes = {
        str(path.relative_to(job)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in job.rglob("*")
    }
    assert modes == {
        "monit": "0o640",
        "bin": "0o750",
        "bin/run": "0o750",
        "bin/dns": "0o750",
        "bin/dns/healthy": "0o750",
        "config": "0o750",
        "config/deep": "0o750",
        "config/deep/web.json": "0o640",
    }
    assert stat.S_IMODE(job.stat().st_mode) == 0o750
    assert (job / "monit").read_text() == "check process grp\n"


# --- properties


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


# --- variables


def test_variables_come_from_files_and_the_command_line(
    tmp_path: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    secrets = tmp_path / "secrets.yml"
    secrets.write_text("password: 'p\"w'\nport: 1\n")
    path = manifest({"port": "((port))", "password": "<((password))>", "bare": "((all))"})
    seen = shown(path, "-l", secrets, "-v", "port=7", "-v", "all=[1, {a: b}]")["properties"]
    assert (seen["port"], seen["password"], seen["bare"]) == (7, '<p"w>', [1, {"a": "b"}])


def test_all_missing_variables_are_told_before_anything_else(
    manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    path = manifest({"port": "((one))", "tls": "((two))", "undeclared": 1}, azs="((three))")
    message = refused(path)
    assert message.startswith("Expected to find variables:\n")
    for name in ("one", "two", "three"):
        assert f"  - {name} (" in message
    assert "jobs/0/properties/port" in message


def test_variables_of_what_is_not_rendered_are_not_needed(
    tmp_path: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    document = yaml.safe_load(manifest({"port": 1}).read_text())
    document["stemcells"] = [{"alias": "default", "version": "((stemcell))"}]
    document["properties"] = {"port": "((shared))"}
    document["instance_groups"].append(
        {
            "name": "other",
            "instances": "((n))",
            "jobs": [{"name": "a", "release": "b", "c": "((d))"}],
        }
    )
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(document))
    assert shown(path)["properties"]["port"] == 1


@pytest.mark.parametrize("where", ["group", "job", "release", "deployment", "groups"])
def test_variable_in_a_name_is_told_as_missing(
    tmp_path: Path, manifest: Callable[..., Path], refused: Callable[..., str], where: str
) -> None:
    document = yaml.safe_load(manifest().read_text())
    group = document["instance_groups"][0]
    if where == "group":
        group["name"] = "((gone))"
    elif where == "groups":
        document["instance_groups"] = "((gone))"
    elif where == "deployment":
        document["name"] = "((gone))"
    else:
        group["jobs"][0]["name" if where == "job" else where] = "((gone))"
    path = tmp_path / "manifest.yml"
    path.write_text(yaml.safe_dump(document))
    options = ["--no-name"] if where == "deployment" else []
    message = refused(path, *options)
    assert "gone" in message
    assert message.startswith("Expected to find variables:")


def test_ops_are_done_before_variables_are_put_in(
    tmp_path: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    ops = tmp_path / "ops.yml"
    ops.write_text(
        "- type: replace\n"
        "  path: /instance_groups/name=grp/jobs/name=web/properties?/port\n"
        "  value: ((port))\n"
    )
    assert shown(manifest(), "-o", ops, "-v", "port=9")["properties"]["port"] == 9


def test_missing_variable_of_an_ops_file_is_told_with_the_ops_files_line(
    tmp_path: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    ops = tmp_path / "ops.yml"
    ops.write_text("- type: replace\n  path: /name?\n  value: x-((gone))\n")
    assert "ops.yml:3, name)" in refused(manifest(), "-o", ops, "--no-name")


# --- the instance


def show(release: Path, expression: str) -> None:
    template = release / "jobs" / "web" / "templates" / "web.json.erb"
    template.write_text(f"<%= ({expression}).to_json %>")


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


# --- the manifest


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


# --- the release


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"templates": {"gone.erb": "bin/x"}}, "spec:3: template 'gone.erb' is not in "),
        ({"templates": {"run.erb": "../x"}}, "paths inside the job's folder"),
        ({"templates": {"run.erb": "/etc/x"}}, "paths inside the job's folder"),
        ({"templates": {"../monit": "x"}}, "paths inside the job's folder"),
        ({"templates": {"run.erb": 5}}, "paths inside the job's folder"),
        ({"templates": {"run.erb": "a/b", "healthy.erb": "a/./b"}}, "are both rendered to a/b"),
        ({"templates": {"run.erb": "monit"}}, "'monit' and 'run.erb' are both rendered to monit"),
        ({"templates": ["run.erb"]}, "templates is not a map"),
        ({"properties": {"a": 1}}, "property 'a' is defined by a map"),
        ({"provides": [{"name": "x"}]}, "an entry of provides needs a name and a type"),
        ({"consumes": {"name": "x"}}, "consumes is not a list"),
    ],
)
def test_spec_that_cannot_be_rendered_is_refused(
    release: Path,
    manifest: Callable[..., Path],
    refused: Callable[..., str],
    change: dict[str, Any],
    problem: str,
) -> None:
    spec = {"name": "web", **change}
    (release / "jobs" / "web" / "spec").write_text(yaml.safe_dump(spec))
    assert problem in refused(manifest())


def test_job_without_monit_is_refused(
    release: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    (release / "jobs" / "web" / "monit").unlink()
    assert "the job has no monit file" in refused(manifest())


def test_folder_that_is_no_release_is_refused(
    tmp_path: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    assert "not a release folder" in refused(manifest(), "--release-dir", tmp_path)


def test_release_without_a_name_goes_by_its_folders(
    release: Path, manifest: Callable[..., Path], run: Callable[..., tuple[int, str]]
) -> None:
    (release / "config" / "final.yml").unlink()
    assert run(manifest())[0] == 0


# --- failing templates


def test_failing_templates_are_told_as_a_director_tells_them(
    release: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    write_job(
        release,
        SPEC,
        {
            "run.erb": "<%= p('nope.x') %>",
            "healthy.erb": "fine",
            "web.json.erb": 'a\n<% raise "two\\nlines" %>',
        },
    )
    assert refused(manifest()) == (
        "Unable to render instance groups for deployment. Errors are:\n"
        "  - Unable to render jobs for instance group 'grp'. Errors are:\n"
        "    - Unable to render templates for job 'web'. Errors are:\n"
        "      - Error filling in template 'run.erb' (line 1: "
        "Can't find property '[\"nope.x\"]')\n"
        "      - Error filling in template 'web.json.erb' (line 2: two\n"
        "      lines)\n"
    )


def test_failing_monit_is_told_too(
    release: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    (release / "jobs" / "web" / "monit").write_text("\n<%= link('x') %>")
    assert "- Error filling in template 'monit' (line 2: Can't find link 'x')" in refused(
        manifest()
    )


def test_failing_template_under_create_env_is_told_as_the_cli_tells_it(
    release: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    template = release / "jobs" / "web" / "templates" / "run.erb"
    template.write_text("<%= p('nope.x') %>")
    message = refused(manifest(), "--context", "create-env")
    assert message.splitlines()[1] == (
        f"  - Error filling in template '{template}' for web/0 (line 1: "
        "#<TemplateEvaluationContext::UnknownProperty: Can't find property 'nope.x'>)"
    )


@pytest.mark.parametrize("context", ["director", "create-env"])
def test_secrets_do_not_show_in_errors(
    tmp_path: Path,
    release: Path,
    manifest: Callable[..., Path],
    refused: Callable[..., str],
    context: str,
) -> None:
    secrets = tmp_path / "secrets.yml"
    secrets.write_text('var: "open \\"sesame\\"\\nsecond-line"\n')
    show(release, "raise(p('bare') + p('password') + p('bare').inspect)")
    path = manifest({"bare": "((var))", "password": "literal-password"})
    message = refused(path, "-l", secrets, "--context", context)
    assert "[redacted]" in message
    for part in ("sesame", "second-line", "literal-password"):
        assert part not in message


def test_secrets_do_not_show_in_what_ruby_prints(
    tmp_path: Path,
    release: Path,
    manifest: Callable[..., Path],
    refused: Callable[..., str],
) -> None:
    secrets = tmp_path / "secrets.yml"
    secrets.write_text("var: open-sesame-now\n")
    show(release, "warn(p('bare').inspect); abort('it was ' + p('bare')[0, 11])")
    message = refused(manifest({"bare": "((var))"}), "-l", secrets)
    assert message.count("[redacted]") == 3
    assert "sesame" not in message


# --- create-env


def test_both_contexts_give_the_same_files_save_what_create_env_does_not_know(
    tmp_path: Path,
    release: Path,
    manifest: Callable[..., Path],
    shown: Callable[..., dict[str, Any]],
) -> None:
    show(release, "[raw_properties, spec.deployment, spec.id, spec.address, spec.index]")
    path = manifest({"tls": {"options": {"b": [1], "a": 2.0}}, "port": None})
    director: Any = shown(path, warning="2.0 becomes 2 (an integer)")
    create_env: Any = shown(path, "--context", "create-env", warning="create-env reads it")
    assert create_env == director


def test_create_env_has_its_own_spec(
    release: Path, manifest: Callable[..., Path], shown: Callable[..., dict[str, Any]]
) -> None:
    show(release, "[name, spec.name, spec.ip, spec.az, spec.networks.default.ip, spec.id, "
         "spec.address, if_link('x')]")  # fmt: skip
    path = manifest(networks=[{"name": "net", "static_ips": ["10.0.0.3"]}])
    seen: Any = shown(path, "--context", "create-env", "--id", "me")
    assert seen == ["web", None, None, "unknown", "", "me", "10.0.0.3", False]


@pytest.mark.parametrize(
    "option",
    [
        ["--index", "1"], ["--az", "z"], ["--ip", "10.0.0.1"], ["--bootstrap"], ["--no-bootstrap"],
        ["--network", "a=10.0.0.1"], ["--link", "a={}"],
    ],
)  # fmt: skip
def test_create_env_refuses_what_it_cannot_set(
    manifest: Callable[..., Path], refused: Callable[..., str], option: list[str]
) -> None:
    message = refused(manifest(), "--context", "create-env", *option)
    assert "has no meaning with --context create-env" in message


# --- the output


def test_earlier_rendering_is_replaced_as_a_whole(
    tmp_path: Path, manifest: Callable[..., Path], run: Callable[..., tuple[int, str]]
) -> None:
    assert run(manifest({"port": 1}))[0] == 0
    (tmp_path / "out" / "web" / "stale").write_text("x")
    (tmp_path / "out" / "old-job").mkdir()
    assert run(manifest({"port": 2}))[0] == 0
    assert names_in(tmp_path / "out") == [MARKER, "web"]
    assert not (tmp_path / "out" / "web" / "stale").exists()
    assert names_in(tmp_path) == ["manifest.yml", "out", "rel"]


def test_failure_leaves_an_earlier_rendering_as_it_was(
    tmp_path: Path,
    release: Path,
    manifest: Callable[..., Path],
    run: Callable[..., tuple[int, str]],
    refused: Callable[..., str],
) -> None:
    assert run(manifest({"port": 1}))[0] == 0
    rendered = tmp_path / "out" / "web" / "config" / "deep" / "web.json"
    before = rendered.read_bytes()
    (release / "jobs" / "web" / "templates" / "run.erb").write_text("<% raise 'x' %>")
    refused(manifest({"port": 2}))
    assert rendered.read_bytes() == before


def test_empty_folder_and_missing_parents_are_fine(
    tmp_path: Path, release: Path, manifest: Callable[..., Path]
) -> None:
    (tmp_path / "empty").mkdir()
    request = Request(manifest(), release, deployment="dep")
    render_to(tmp_path / "empty", request)
    render_to(tmp_path / "a" / "b", request)
    assert (tmp_path / "a" / "b" / "web" / "monit").is_file()
    assert (tmp_path / "empty" / "web" / "monit").is_file()


def test_folder_with_other_things_is_never_replaced(
    tmp_path: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    other = tmp_path / "other" / "web"
    other.mkdir(parents=True)
    (other / "monit").write_text("precious")
    message = refused(manifest(), "--output", tmp_path / "other")
    assert "not empty and not an earlier rendering; nothing was changed" in message
    assert (other / "monit").read_text() == "precious"
    assert "is not a folder" in refused(manifest(), "--output", tmp_path / "manifest.yml")


def test_link_to_a_folder_is_followed(
    tmp_path: Path, release: Path, manifest: Callable[..., Path]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    request = Request(manifest(), release, deployment="dep")
    for _ in range(2):
        render_to(tmp_path / "link", request)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "web" / "monit").is_file()


def test_render_without_output_gives_the_files_in_memory(
    release: Path, manifest: Callable[..., Path]
) -> None:
    [job] = render(Request(manifest(), release, deployment="dep")).jobs
    assert job.name == "web"
    assert [file.path for file in job.files] == [
        "monit", "bin/run", "bin/dns/healthy", "config/deep/web.json",
    ]  # fmt: skip


def test_help_says_where_secrets_go_and_what_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["render", "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "pass secrets with -l" in text
    assert "A property that the job's spec does not declare is an error" in text
