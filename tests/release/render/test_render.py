"""Rendering as a whole: a release folder and a manifest in, a VM's files or one message out."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.release.render.sample_job import SPEC, show, write_job

from bosh_release.cli import main
from bosh_release.render.rendering import render
from bosh_release.render.request import Request

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)


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
