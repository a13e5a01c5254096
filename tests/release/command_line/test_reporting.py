"""What the commands tell with --json and --quiet, and their exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.paths import ROOT

from bosh_release.cli import main
from bosh_release.verify import command as verify_command

MakeRelease = Callable[[dict[str, Any]], Path]
Run = Callable[..., tuple[int, str, str]]

COMMANDS = ("blobs", "build", "render", "verify")
KEYS = ["command", "exit_code", "error", "notes", "result"]

needs_ruby = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; returns its exit code, stdout and stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def words(make_release: MakeRelease, tmp_path: Path, run: Run) -> dict[str, list[object]]:
    """Return a command line for each command that succeeds."""
    folder = make_release(
        {"jobs/j/spec": "name: j\ntemplates: {a.erb: config/a}\n", "jobs/j/monit": "",
         "jobs/j/templates/a.erb": "<%= p('x', 1) %>"}
    )  # fmt: skip
    manifest = tmp_path / "m.yml"
    manifest.write_text("name: d\ninstance_groups: [{name: g, jobs: [{name: j, release: t}]}]\n")
    tarball = tmp_path / "t.tgz"
    build = ["build", "--release-dir", folder, "--version", "1", "--output", tarball]
    assert run(*build)[0] == 0
    render = ["render", "--release-dir", folder, "--manifest", manifest, "--output"]
    return {
        "blobs": ["blobs", "--release-dir", folder],
        "build": build,
        "render": [*render, tmp_path / "rendered"],
        "verify": ["verify", tarball],
    }


@needs_ruby
@pytest.mark.parametrize("command", COMMANDS)
def test_json_tells_what_was_done_and_quiet_nothing(
    words: dict[str, list[object]], run: Run, command: str
) -> None:
    code, text, notes = run(*words[command])
    assert (code, bool(text)) == (0, True)

    code, out, err = run(*words[command], "--json")
    document = json.loads(out)
    assert (code, err) == (0, notes)
    assert list(document) == KEYS
    assert (document["command"], document["exit_code"]) == (command, 0)
    assert (document["error"], document["notes"]) == (None, [])
    assert document == read_by_ruby(out)

    assert run(*words[command], "--quiet") == (0, "", notes)


def read_by_ruby(text: str) -> Any:
    program = "print JSON.generate(JSON.parse(STDIN.read))"
    done = subprocess.run(
        ["ruby", "-rjson", "-e", program], input=text, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@needs_ruby
def test_the_results_are_those_of_the_commands(
    words: dict[str, list[object]], run: Run, tmp_path: Path
) -> None:
    found = {command: json.loads(run(*words[command], "--json")[1])["result"] for command in words}

    built = found["build"]
    data = Path(built["path"]).read_bytes()
    assert (built["path"], built["size"]) == (str(tmp_path / "t.tgz"), len(data))
    (job,) = found["verify"]["parts"]
    assert job["fingerprint"] == built["parts"][0]["fingerprint"]
    assert (job["kind"], job["name"], job["unchecked"]) == ("job", "j", None)
    assert found["blobs"] == {"blobs": []}
    rendered = {"name": "j", "path": str(tmp_path / "rendered/j"), "files": ["monit", "config/a"]}
    assert found["render"] == {"jobs": [rendered]}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_keys_of_the_result_and_the_exit_codes(
    capsys: pytest.CaptureFixture[str], words: dict[str, list[object]], run: Run, command: str
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out

    result = json.loads(run(*words[command], "--json")[1])["result"]
    for key in (*KEYS, *result, *(key for each in result.values() for key in keys_below(each))):
        assert f'"{key}"' in text
    for code in ("  0  ", "  1  ", "  2  ", "  130  ", "  143  "):
        assert code in text


def keys_below(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else []
    return [key for entry in entries if isinstance(entry, dict) for key in entry]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_failure_is_told_alike_on_stderr_and_as_json(
    tmp_path: Path, run: Run, command: str
) -> None:
    gone = tmp_path / "gone"
    in_folder = ["--release-dir", gone]
    options: dict[str, list[object]] = {
        "blobs": in_folder,
        "build": in_folder,
        "render": [*in_folder, "--manifest", gone, "--output", tmp_path / "o"],
        "verify": [gone],
    }
    words = [command, *options[command]]
    code, out, message = run(*words)
    assert (code, out) == (1, "")

    code, out, err = run(*words, "--json")
    document = json.loads(out)

    assert (code, err) == (1, message)
    assert document["error"] + "\n" == message
    assert (document["exit_code"], document["result"]) == (1, None)
    assert run(*words, "--quiet") == (1, "", message)


def test_notes_are_told_whatever_is_asked_for(make_release: MakeRelease, run: Run) -> None:
    blobs = "a.whl: {size: 1, sha: abc}\n"
    folder = make_release({"config/blobs.yml": blobs, "jobs/j/spec": "name: j\n"})
    words = ["build", "--release-dir", folder, "--version", "1", "--output", folder / "o.tgz"]

    code, out, err = run(*words, "--json")

    (note,) = json.loads(out)["notes"]
    assert (code, err) == (0, f"Note: {note}\n")
    assert run(*words, "--quiet") == (0, "", err)


def test_strict_tells_both_what_was_found_and_why_it_fails(
    golden_release: Callable[[str], Path], tmp_path: Path, run: Run
) -> None:
    tarball = tmp_path / "o.tgz"
    run("build", "--version", "1", "--output", tarball, "--release-dir", golden_release("beta"))

    code, out, err = run("verify", "--strict", "--json", "--allow-changed", "app", tarball)

    document = json.loads(out)
    assert (code, document["error"] + "\n") == (1, err)
    unchecked = [part["name"] for part in document["result"]["parts"] if part["unchecked"]]
    assert unchecked
    assert all(f"'{name}' was not checked" in err for name in unchecked)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["--json"], None),
        (["nope", "--json"], "nope"),
        (["build", "--json", "--verzion", "1"], "build"),
        (["verify", "--json"], "verify"),
        (["verify", "x", "--json", "--quiet"], "verify"),
    ],
)
def test_a_command_line_that_is_wrong_ends_with_2(
    run: Run, words: list[str], command: str | None
) -> None:
    code, out, err = run(*words)

    document = json.loads(out)
    assert (code, document["exit_code"], document["command"]) == (2, 2, command)
    assert err.startswith("usage: ")
    assert err.endswith(document["error"] + "\n")


def test_a_shortened_option_counts(words: dict[str, list[object]], run: Run) -> None:
    assert json.loads(run(*words["verify"], "--js")[1])["exit_code"] == 0
    assert run(*words["verify"], "--qui") == (0, "", "")


def test_names_that_are_no_text_are_json_all_the_same(tmp_path: Path, run: Run) -> None:
    gone = tmp_path / os.fsdecode(b"a\nb\xff")

    code, out, _ = run("verify", gone, "--json")

    assert code == 1
    assert "a\nb" in json.loads(out)["error"]


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify_command, "verify_tarball", interrupted)

    code, out, err = run("verify", "x", "--json")

    assert (code, json.loads(out)["exit_code"], err) == (130, 130, "Interrupted.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_cannot_be_written_is_one_message(options: tuple[str, ...]) -> None:
    program = ROOT / "tools/release.py"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, program, "verify", "gone", *options],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "read gone: no such file or directory" in done.stderr
