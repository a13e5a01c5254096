"""tools/release.py as a program: help, exit codes, one message and no traceback."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.paths import ROOT

MakeRelease = Callable[[dict[str, Any]], Path]
RELEASE_PY = ROOT / "tools" / "release.py"


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RELEASE_PY), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_lists_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("blobs", "render", "build", "verify", "sbom"):
        assert re.search(rf"^    {command} ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", ["blobs", "render", "build", "verify", "sbom"])
def test_every_command_has_help_that_says_what_it_does(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout.split()) > 40


def test_the_version_of_the_tools_is_told_with_their_commit() -> None:
    done = run("--version")
    project = (RELEASE_PY.parents[1] / "pyproject.toml").read_text()
    assert done.returncode == 0, done.stderr
    version, commit = re.fullmatch(r"release.py (\S+) \(commit (.+)\)\n", done.stdout).groups()  # type: ignore[union-attr]
    assert f'version = "{version}"' in project
    assert commit


def test_without_pyyaml_it_goes_on_with_the_virtual_environment(tmp_path: Path) -> None:
    tools = tmp_path / "checkout/tools"
    shutil.copytree(RELEASE_PY.parent, tools, ignore=shutil.ignore_patterns("__pycache__"))
    without = [sys.executable, "-I", "-S", tools / "release.py", "--help"]
    done = subprocess.run(without, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("has no PyYAML: run `make setup` once.\n")

    python = tmp_path / "checkout/.venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(without, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "build" in done.stdout


def test_without_the_library_of_the_bill_sbom_goes_on_with_the_virtual_environment(
    tmp_path: Path,
) -> None:
    """A system's Python may have PyYAML alone; the other commands need no more."""
    tools = tmp_path / "checkout/tools"
    shutil.copytree(RELEASE_PY.parent, tools, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "site").mkdir()
    (tmp_path / "site/yaml").symlink_to(Path(yaml.__file__).parent)

    def run_with_yaml(command: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-S", tools / "release.py", command, "--help"]
        paths = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        return subprocess.run(program, env=paths, capture_output=True, text=True, check=False)

    assert run_with_yaml("build").returncode == 0
    done = run_with_yaml("sbom")
    assert done.returncode == 1
    assert done.stderr.endswith("has no cyclonedx-python-lib: run `make setup` once.\n")

    python = tmp_path / "checkout/.venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "went on with $*"\n')
    python.chmod(0o755)
    assert run_with_yaml("sbom").stdout.endswith("release.py sbom --help\n")


def test_build_prints_path_size_sha256_and_fingerprints(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({"jobs/j/spec": "name: j\n", "LICENSE": "l"})
    output = tmp_path / "o.tgz"
    done = run("build", "--version", "1.2", "--output", output, "--release-dir", folder)
    assert done.returncode == 0, done.stderr
    data = output.read_bytes()
    assert "Built t 1.2 from commit non-git" in done.stdout
    assert re.search(r"^  path +\S*o\.tgz$", done.stdout, re.MULTILINE)
    assert f"  size    {len(data)} bytes" in done.stdout
    assert f"  sha256  {hashlib.sha256(data).hexdigest()}" in done.stdout
    assert re.search(r"^  job +j\s+[0-9a-f]{64}$", done.stdout, re.MULTILINE)
    assert re.search(r"^  license +license\s+[0-9a-f]{64}$", done.stdout, re.MULTILINE)


def test_verify_prints_what_it_found_and_takes_strictly_only_what_is_checked(
    golden_release: Callable[[str], Path], tmp_path: Path
) -> None:
    output = tmp_path / "o.tgz"
    run("build", "--version", "1", "--output", output, "--release-dir", golden_release("beta"))
    done = run("verify", output)
    assert done.returncode == 1
    assert "--allow-changed app" in done.stderr
    done = run("verify", "--allow-changed", "app", "--allow-changed", "ap", output)
    assert done.returncode == 0
    assert "--allow-changed ap: the release has no such package" in done.stderr
    assert re.search(r"package +app .* fingerprint not checked", done.stdout)
    assert re.search(r"package +libx .* fingerprint right", done.stdout)
    strict = run("verify", "--strict", "--allow-changed", "app", output)
    assert strict.returncode == 1
    assert "the fingerprint of package 'app' was not checked" in strict.stderr


def test_verify_reads_from_a_pipe(golden_release: Callable[[str], Path], tmp_path: Path) -> None:
    output = tmp_path / "o.tgz"
    run("build", "--version", "1", "--output", output, "--release-dir", golden_release("alpha"))
    done = subprocess.run(
        [sys.executable, str(RELEASE_PY), "verify", "/dev/stdin"],
        input=output.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Nothing is wrong with it." in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "--release-dir", "{tmp}/nope"),
        ("build", "--release-dir", "{tmp}", "--version", "1"),
        ("build", "--release-dir", "{tmp}", "--version", "not a version"),
        ("blobs", "--release-dir", "{tmp}/nope"),
        ("verify", "{tmp}/nope.tgz"),
        ("verify", "{tmp}"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_1(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("other", ["--timestamp-version", "--commit-version"])
def test_ways_to_a_version_exclude_each_other(other: str) -> None:
    done = run("build", "--version", "1", other)
    assert done.returncode == 2
    assert "not allowed with" in done.stderr


def test_a_place_that_cannot_be_written_is_one_message(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    done = run("build", "--version", "1", "--output", "/dev/null/x", "--release-dir", folder)
    assert done.returncode == 1
    assert "not a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_name_that_is_not_utf_8_does_not_stop_the_message(make_release: MakeRelease) -> None:
    folder = make_release(
        {"packages/p/spec": "name: p\nfiles: ['*']\n", "packages/p/packaging": ""}
    )
    (folder / "src" / os.fsdecode(b"\xff")).mkdir()
    os.mkfifo(folder / "src" / os.fsdecode(b"\xfe"))
    done = run("build", "--version", "1", "--release-dir", folder, "--output", folder / "o")
    assert done.returncode == 1
    assert "\\xfe" in done.stderr or "\\udcfe" in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {},
    ],
)
def test_a_path_that_the_terminal_cannot_show_is_escaped_in_errors_and_listings(
    locale: dict[str, str], make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({"jobs/j/spec": "name: j\ntemplates: {t: t}\n"})
    (folder / "jobs/j/templates").mkdir()
    (folder / "jobs/j/templates/t").write_text("x")
    (folder / "jobs/j/monit").write_text("")
    manifest = tmp_path / "manifest.yml"
    manifest.write_text("name: d\ninstance_groups: [{name: g, jobs: [{name: j, release: t}]}]\n")
    for name in ("größe 日本", os.fsdecode(b"\xff\x1b[2J")):
        place = tmp_path / name
        tarball = place / "o.tgz"
        for arguments in (
            ("build", "--version", "1", "--release-dir", folder, "--output", tarball),
            ("verify", tarball),
            ("render", "--release-dir", folder, "--manifest", manifest, "--output", place / "r"),
            ("verify", place / "gone"),
            ("build", "--version", "1", "--release-dir", place / "gone"),
            ("blobs", "--release-dir", place / "gone"),
            ("render", "--release-dir", folder, "--manifest", place / "x", "--output", place / "r"),
        ):
            done = subprocess.run(
                [sys.executable, str(RELEASE_PY), *map(os.fsencode, map(str, arguments))],
                capture_output=True,
                check=False,
                env={**os.environ, **locale},
            )
            good = "gone" not in str(arguments) and place / "x" not in arguments
            assert done.returncode == (0 if good else 1), done.stderr
            assert b"Traceback" not in done.stderr
            assert b"\x1b" not in done.stdout + done.stderr
            if locale and b"latin" not in str(locale).encode():
                assert (done.stdout + done.stderr).isascii()


def test_output_into_a_closed_pipe_is_no_traceback(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    command = (
        f"{sys.executable} {RELEASE_PY} build --version 1 --release-dir {folder}"
        f" --output {tmp_path}/o.tgz | true"
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_a_closed_output_is_no_traceback(make_release: MakeRelease, tmp_path: Path) -> None:
    folder = make_release({})
    command = (
        f"{sys.executable} {RELEASE_PY} build --version 1 --release-dir {folder}"
        f" --output {tmp_path}/o.tgz >&-"
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
