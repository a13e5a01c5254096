"""Arguments, exit codes and what a person reads where something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.commands.shell import COMMANDS, Shell, answer
from tests.unit.driver import QUIET, SECRET_KEY
from tests.unit.supervision import quiet

import slb_registration
from slb_registration import __version__
from slb_registration.agent.control_socket import serving
from slb_registration.agent.lock import AlreadyRunningError
from slb_registration.commands import cli, drain, orders, post_start, with_sdk
from slb_registration.commands.client import NotRunningError
from slb_registration.instance.build import this_build
from slb_registration.instance.metadata import IdentityError, MetadataError
from slb_registration.model.orders import Order

# Wrong usage


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["drain", "--slow"], ["run", "now"], ["status", "--config"]]
)
def test_wrong_usage_exits_with_2_and_says_how(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: slb-registration" in capsys.readouterr().err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert all(f"    {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "--config FILE" in text
    assert "--log-file FILE" in text


def test_the_version_says_which_build_it_is(tmp_path: Path, capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"{__version__} (not from a package)\n"
    written = tmp_path / "fingerprint"
    for text in ("", "\n"):  # compiled by something that does not say which package it is
        written.write_text(text)
        assert str(this_build(written)) == f"{__version__} (not from a package)"
    written.write_text("f00d\n")
    assert str(this_build(written)) == f"{__version__} (aliyun_py/f00d)"


# Exit codes


@pytest.mark.parametrize(
    ("command", "function", "result", "properties", "code"),
    [
        ("wait", "wait", True, {}, 0),
        ("wait", "wait", False, {}, 1),
        ("wait", "wait", False, {"post_start": {"required": False}}, 0),
        ("healthy", "healthy", True, {}, 0),
        ("healthy", "healthy", False, {}, 69),
        ("drain", "drain", True, {}, 0),
        ("drain", "drain", False, {}, 0),
        ("drain", "drain", True, {"drain": {"on_error": "fail"}}, 0),
        ("drain", "drain", False, {"drain": {"on_error": "fail"}}, 1),
        ("hold", "hold", True, {}, 0),
        ("hold", "hold", False, {}, 1),
        ("resume", "resume", True, {}, 0),
        ("resume", "resume", False, {}, 1),
    ],
)
def test_exit_codes(shell: Shell, monkeypatch, command, function, result, properties, code):
    shell.configure(**properties)
    module = {"drain": drain, "wait": post_start}.get(command, orders)
    monkeypatch.setattr(module, function, answer(result))
    assert shell.run(command)[:2] == (code, "")  # nothing on stdout: bin/drain prints there


@pytest.mark.parametrize("result", [True, False])
def test_the_removal_after_the_stop_never_fails_the_stop(shell: Shell, monkeypatch, result):
    shell.configure(drain={"on_error": "fail"})
    monkeypatch.setattr(drain, "remove_what_is_left", answer(result))
    monkeypatch.setattr(drain, "drain", answer(AssertionError("the slow drain")))
    assert shell.run("drain", "--quick")[:2] == (0, "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IdentityError("instance_id: i-1 is given, but this VM is i-2"), "i-1 is given"),
        (MetadataError("metadata service http://x: no answer"), "no answer"),
        (NotRunningError("no agent answers on /x"), "no agent answers"),
        (AlreadyRunningError("another agent is running"), "another agent"),
        (OSError(13, "Permission denied", "/x/agent.lock"), "/x/agent.lock: Permission denied"),
        (OSError("no name"), "no name"),
    ],
)
def test_what_goes_wrong_is_one_line_and_exits_with_1(shell: Shell, monkeypatch, error, said):
    monkeypatch.setattr(orders, "hold", answer(error))
    code, out, err = shell.run("hold")
    assert (code, out) == (1, "")
    assert err.startswith("slb-registration: ")
    assert said in err
    assert err.count("\n") == 1


def test_hold_is_told_for_how_long_and_why(shell: Shell, monkeypatch):
    given: list[object] = []
    monkeypatch.setattr(orders, "hold", lambda config, log, *rest: given.append(rest) or True)
    assert shell.run("hold")[0] == 0
    assert shell.run("hold", "--for", "2h", "--reason", "kernel update")[0] == 0
    assert given == [(None, None), (7200, "kernel update")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--for", "2"), "argument --for: '2' is no length of time: give one whole number"),
        (("--for", "1h\x1b[2J"), "argument --for: '1h\\x1b[2J' is no length of time"),
        (("--reason", "a\nb"), "argument --reason: must have 1 to 200 characters"),
    ],
)
def test_a_hold_that_is_not_understood_is_not_begun(monkeypatch, capsys, options, said):
    monkeypatch.setattr(orders, "hold", answer(AssertionError("held")))
    with pytest.raises(SystemExit) as caught:
        cli.main(["hold", *options])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_an_interrupt_by_a_person_is_no_crash(shell: Shell, monkeypatch):
    monkeypatch.setattr(post_start, "wait", answer(KeyboardInterrupt()))
    assert shell.run("wait")[0] == 130


def in_a_shell(shell: Shell, rest: str) -> subprocess.CompletedProcess[str]:
    line = f"{sys.executable} -m slb_registration validate --config {shell.folder}/agent.json"
    environment = {
        "PYTHONPATH": str(Path(slb_registration.__file__).parents[1]),
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run(
        ["sh", "-c", f"{line} {rest}"], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing(shell: Shell, closed: str):
    done = in_a_shell(shell, closed)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kilobytes", [1, 1000])  # what fits into a buffer, and what does not
def test_a_reader_that_has_seen_enough_is_no_error_message(
    shell: Shell, monkeypatch, kilobytes: int
):
    reading, writing = os.pipe()
    os.close(reading)
    document = {**status_document(), "error": "x" * 1024 * kilobytes}
    monkeypatch.setattr(cli, "ask_status", answer(document))
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert shell.run("status", "--json") == (1, "", "")


class Agent:
    """An agent that answers: it has drained."""

    def alive(self) -> str | None:
        return None

    def document(self) -> dict[str, Any]:
        return {**status_document(), "state": "drained"}

    def metrics(self) -> str:
        return ""

    def order(self, order: Order) -> None:
        pass


COMMANDS_WITHOUT_SDK = [
    ["--help"], ["validate"], ["healthy"], ["status"], ["drain"], ["drain", "--pre-stop"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS_WITHOUT_SDK, ids=" ".join)
def test_what_only_asks_the_agent_does_not_import_the_sdk(shell: Shell, arguments: list[str]):
    """It takes a tenth of a second of a core, and BOSH DNS asks `healthy` every few seconds.

    What probes and the SDK speak HTTP with takes half as long.
    """
    if arguments != ["--help"]:
        arguments = [*arguments, "--config", str(shell.folder / "agent.json")]
    program = (
        "import sys\n"
        "unwanted = {'aliyunsdkcore', 'tenacity', 'http', 'ssl', 'subprocess'}\n"
        "from slb_registration.commands.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print({name.partition('.')[0] for name in sys.modules} & unwanted)"
    )
    environment = {"PYTHONPATH": str(Path(slb_registration.__file__).parents[1])}
    line = [sys.executable, "-c", program, *arguments]
    with serving(shell.folder / "agent.sock", Agent(), quiet()):
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    assert "no agent" not in done.stderr


# status


def status_document() -> dict[str, Any]:
    return {
        "state": "held",
        "complete": True,
        "instance_id": "i-self",
        "region": "cn-hangzhou",
        **QUIET,
        "drain": None,
        "held_since": "2025-11-23T16:00:00Z",
        "error": None,
        "groups": [],
    }


def test_status_is_a_table_or_json(shell: Shell, monkeypatch):
    monkeypatch.setattr(cli, "ask_status", answer(status_document()))
    code, out, err = shell.run("status")
    assert (code, err) == (0, "")
    assert out.startswith("state      held\n")
    code, out, err = shell.run("status", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == status_document()


def test_status_without_an_agent_says_so(shell: Shell):
    code, out, err = shell.run("status")
    assert (code, out) == (1, "")
    assert err == (
        f"slb-registration: no agent answers on {shell.folder / 'agent.sock'}: "
        "No such file or directory; monit summary tells whether it runs\n"
    )


# run and the log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_run_stops_on_a_signal_and_logs_to_stdout(shell: Shell, monkeypatch, number):
    class Agent:
        def __init__(self, config, log) -> None:
            self.log = log

        def run(self, stop, *, wait) -> None:
            self.log.info(f"started with {SECRET_KEY}")
            signal.raise_signal(number)
            wait(5)
            assert stop.is_set()

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    monkeypatch.setattr(with_sdk, "Agent", Agent)
    try:
        code, out, err = shell.run("run")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (code, err) == (0, "")
    assert json.loads(out)["message"] == "started with [redacted]"


def test_commands_log_to_stderr_and_append_to_the_log_file(shell: Shell):
    log = shell.folder / "agent.log"
    log.write_text("before\n")
    _, out, err = shell.run("validate", "--log-file", str(log))
    assert out == ""
    assert log.read_text() == "before\n" + err


def test_a_log_file_that_cannot_be_written_stops_nothing(shell: Shell):
    assert shell.run("validate", "--log-file", str(shell.folder / "no" / "log"))[0] == 0
    code, _, err = shell.run("validate", "--log-file", str(shell.folder))
    assert code == 0
    assert f"cannot log to {shell.folder}: Is a directory\n" in err


def test_a_refusal_and_a_crash_are_found_in_the_log_file_too(shell: Shell, monkeypatch, capsys):
    log = shell.folder / "drain.log"
    monkeypatch.setattr(drain, "drain", answer(MetadataError("the service is silent")))
    assert shell.run("drain", "--log-file", str(log))[0] == 1
    assert log.read_text() == "slb-registration: the service is silent\n"

    monkeypatch.setattr(drain, "drain", answer(ZeroDivisionError("a mistake")))
    assert (
        cli.main(["drain", "--config", str(shell.folder / "agent.json"), "--log-file", str(log)])
        == 1
    )
    for said in (log.read_text(), capsys.readouterr().err):
        assert "Traceback" in said
        assert said.endswith("ZeroDivisionError: a mistake\n")


@pytest.mark.parametrize("command", ["hold", "resume"])
def test_an_order_is_answered_whatever_the_level_of_the_log_is(
    shell: Shell, monkeypatch, command: str
):
    shell.configure(log={"level": "error"})
    monkeypatch.setattr(orders, command, lambda _, log, *rest: log.info("what came of it") or True)
    assert "what came of it" in shell.run(command)[2]


def test_the_configured_level_and_format_count(shell: Shell):
    shell.configure(log={"format": "text", "level": "info"})
    assert " INFO the configuration is valid " in shell.run("validate")[2]
    shell.configure(log={"level": "warning"})
    assert shell.run("validate")[2] == ""
