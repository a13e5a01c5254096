"""Arguments, exit codes and what a person reads where something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import ACCESS_KEY, QUIET, SECRET_KEY
from tests.unit.rendered import rendered
from tests.unit.supervision import quiet

import slb_registration
from slb_registration import __version__
from slb_registration.agent.control_socket import serving
from slb_registration.agent.lock import AlreadyRunningError
from slb_registration.commands import cli, drain, errand, orders, post_start, with_sdk
from slb_registration.commands.client import NotRunningError
from slb_registration.commands.errand import Finding
from slb_registration.config import loading as config_module
from slb_registration.instance.build import this_build
from slb_registration.instance.metadata import IdentityError, MetadataError
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.orders import Order
from slb_registration.model.server_group import ListenerHealth
from slb_registration.preflight import SettingWarning

TOKEN = "CAIS-a-Security-Token"
COMMANDS = (
    "run", "validate", "check", "orphans", "wait", "healthy", "drain", "status", "hold", "resume",
)  # fmt: skip


class Shell:
    """Runs the command line in this process; secrets that get through fail the test."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.configure()

    def configure(self, **properties: Any) -> None:
        given = {
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "security_token": TOKEN,
            "load_balancer_id": "lb-1",
            **properties,
        }
        rendered(self.folder, given)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        command, *rest = arguments
        config = ["--config", str(self.folder / "agent.json")]
        code = cli.main([command, *config, *rest])
        out, err = self._capsys.readouterr()
        for secret in (ACCESS_KEY, SECRET_KEY, TOKEN):
            assert secret not in out + err
        assert "Traceback" not in out + err
        return code, out, err


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def answer(value: Any):
    def function(*arguments: Any, **options: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return function


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


# Configuration


def test_every_problem_of_the_configuration_is_listed_and_exits_with_1(shell: Shell):
    shell.configure(secret_key=None, panic_threshold=200, colour="red")
    code, out, err = shell.run("validate")
    assert (code, out) == (1, "")
    for name in ("secret_key", "panic_threshold", "colour"):
        assert any(line.strip().startswith(name) for line in err.splitlines())


@pytest.mark.parametrize("options", [[], ["--pre-start"]])
def test_a_key_of_the_metrics_that_is_none_is_found_before_the_start(shell: Shell, options):
    shell.configure(metrics={"port": 9115, "address": "0.0.0.0"})
    config = json.loads((shell.folder / "agent.json").read_text())
    config["metrics_tls"] = {}
    for name in ("certificate", "private_key", "ca"):
        file = shell.folder / f"{name}.pem"
        file.write_text(f"((slb_metrics_tls.{name}))\n")
        file.chmod(0o640)
        config["metrics_tls"][name] = str(file)
    (shell.folder / "agent.json").write_text(json.dumps(config))

    code, out, err = shell.run("validate", *options)

    assert (code, out) == (1, "")
    assert err.startswith("slb-registration: metrics.tls.certificate: holds no certificate in PEM")
    assert len(err.splitlines()) == 1


def test_problems_are_also_found_in_the_log_file(shell: Shell):
    shell.configure(colour="red")
    log = shell.folder / "pre-start.log"
    assert shell.run("validate", "--log-file", str(log))[0] == 1
    assert "colour" in log.read_text()


@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in ("healthy", "drain")])
def test_no_command_works_with_a_wrong_configuration(shell: Shell, command: str):
    shell.configure(colour="red")
    assert shell.run(command)[0] == 1


DRAINS = [["drain"], ["drain", "--pre-stop"], ["drain", "--after-pre-stop"], ["drain", "--quick"]]


@pytest.mark.parametrize("arguments", DRAINS)
def test_who_never_got_in_can_be_stopped_whatever_the_configuration_is(shell: Shell, arguments):
    shell.configure(colour="red")
    code, out, err = shell.run(*arguments)
    assert (code, out) == (0, "")
    assert "colour" in err
    assert err.splitlines()[-1] == f"slb-registration: {drain.NEVER_IN}"


def entry(**changes: Any) -> dict[str, Any]:
    spec = asdict(GroupSpec("clb", "lb-1", None, None, 100, None))
    return {"spec": spec, "served": False, "discovered": False, **changes}


def keep_journal(folder: Path, **registrations: Any) -> None:
    journal = {"version": 1, "instance_id": "i-self", "region": "cn-hangzhou"}
    text = json.dumps({**journal, "registrations": registrations})
    (folder / "journal.json").write_text(text)


@pytest.mark.parametrize("arguments", DRAINS)
@pytest.mark.parametrize("changes", [{}, {"confirmed": True}])
def test_who_may_be_in_is_not_stopped_without_a_word(shell: Shell, arguments, changes):
    shell.configure(colour="red")
    keep_journal(shell.folder, **{"clb/lb-1": entry(**changes)})
    code, _, err = shell.run(*arguments)
    assert code == 1
    assert err.splitlines()[-1].endswith("cannot drain: this VM may still be in rotation")


def test_a_registration_that_was_not_answered_is_told_of(shell: Shell):
    shell.configure(colour="red")
    keep_journal(shell.folder, **{"clb/lb-1": entry(confirmed=False)})
    code, _, err = shell.run("drain")
    assert code == 0
    assert f"{drain.NEVER_IN}; {drain.MAY_BE_IN} clb/lb-1" in err


def test_of_a_file_that_is_no_json_the_usual_journal_is_asked(shell: Shell, monkeypatch):
    usual = shell.folder / "usual"
    usual.mkdir()
    monkeypatch.setattr(config_module, "DATA_DIR", usual)
    for text in ("{", '{"data_dir": 1}', '{"data_dir": "relative"}', "[]"):
        (shell.folder / "agent.json").write_text(text)
        keep_journal(usual)
        assert shell.run("drain")[0] == 0
        keep_journal(usual, **{"clb/lb-1": entry(confirmed=True)})
        assert shell.run("drain")[0] == 1
    (shell.folder / "agent.json").unlink()
    assert shell.run("drain")[0] == 1


def test_what_cannot_be_asked_takes_no_instance_out_of_dns(shell: Shell):
    shell.configure(colour="red")
    assert shell.run("healthy")[0] == 0


def test_validate_says_that_all_is_well_and_leaves_markers_alone(shell: Shell):
    (shell.folder / "draining").write_text("1\n")
    code, out, err = shell.run("validate")
    assert (code, out) == (0, "")
    assert "the configuration is valid" in err
    assert (shell.folder / "draining").exists()


def test_pre_start_ends_a_drain(shell: Shell):
    (shell.folder / "draining").write_text("1\n")
    (shell.folder / "hold").write_text("1\n")
    assert shell.run("validate", "--pre-start")[0] == 0
    assert not (shell.folder / "draining").exists()
    assert (shell.folder / "hold").exists()


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


# check


def finding(**changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "group": "clb/lb-1",
        "server_id": "i-self",
        "port": None,
        "weight": 100,
        "health": (),
        "problem": None,
    }
    return Finding(**{**fields, **changes})


def found(*findings: Finding):
    return answer(errand.Checked(list(findings), []))


def test_check_prints_the_table_on_stdout_and_reasons_on_stderr(shell: Shell, monkeypatch):
    monkeypatch.setattr(errand, "check", found(finding(), finding(problem="it is not there")))
    code, out, err = shell.run("check")
    assert code == 1
    assert [line.split()[-1] for line in out.splitlines()] == ["RESULT", "ok", "FAILED"]
    assert err == "clb/lb-1, i-self: it is not there\n"


def test_check_exits_with_0_only_if_all_is_as_it_should_be(shell: Shell, monkeypatch):
    monkeypatch.setattr(errand, "check", found(finding(), finding()))
    code, _, err = shell.run("check")
    assert (code, err) == (0, "")


HEALTH = (
    ListenerHealth(80, "tcp", "i-self", 8080, "abnormal", reason="TIMEOUT", told_apart=False),
    ListenerHealth(81, "tcp", "i-self", 8080, "unavailable", checked=False),
)


@pytest.mark.parametrize("problem", [None, "it is not there"])
def test_check_as_json_has_the_same_exit_code_and_all_that_was_found(
    shell: Shell, monkeypatch, problem: str | None
):
    monkeypatch.setattr(errand, "check", found(finding(health=HEALTH, port=8080, problem=problem)))
    monkeypatch.setattr(errand, "order_in_force", lambda config: "this VM is held")
    code, out, err = shell.run("check", "--json")
    assert code == (0 if problem is None else 1)
    assert (err == "") is (problem is None)
    assert json.loads(out) == {
        "schema": 1,
        "ok": problem is None,
        "findings": [
            {
                "group": "clb/lb-1",
                "server_id": "i-self",
                "port": 8080,
                "weight": 100,
                "health": [
                    {"listener": "tcp:80", "port": 8080, "status": "abnormal", "reason": "TIMEOUT",
                     "told_apart": False},
                    {"listener": "tcp:81", "port": 8080, "status": "not checked", "reason": None,
                     "told_apart": True},
                ],
                "problem": problem,
            }
        ],
        "warnings": [],
        "order": None if problem is None else "this VM is held",
        "error": None,
    }  # fmt: skip


def test_warnings_are_told_on_stderr_and_in_json_without_secrets(shell: Shell, monkeypatch):
    listener = SettingWarning("check_off", "clb/lb-1", "tcp:80", f"it is off {SECRET_KEY}", "on")
    group = SettingWarning("other_vpc", "nlb/sgp-1:80", "", "it is\x1b[31m elsewhere", "move it")
    checked = errand.Checked([finding()], [listener, group])
    monkeypatch.setattr(errand, "check", answer(checked))
    code, out, err = shell.run("check", "--json")
    assert code == 0
    assert json.loads(out)["warnings"] == [
        {"code": "check_off", "group": "clb/lb-1", "listener": "tcp:80",
         "text": "it is off [redacted]", "advice": "on"},
        {"code": "other_vpc", "group": "nlb/sgp-1:80", "listener": None,
         "text": "it is\x1b[31m elsewhere", "advice": "move it"},
    ]  # fmt: skip
    first, second = err.splitlines()
    assert first == "warning: clb/lb-1, tcp:80: it is off [redacted]; on (check_off)"
    assert "\x1b" not in second


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_check_that_finds_nothing_out_says_why_in_both_forms(
    shell: Shell, monkeypatch, form: tuple[str, ...]
):
    monkeypatch.setattr(errand, "check", answer(MetadataError("the service is silent")))
    code, out, err = shell.run("check", *form)
    assert (code, err) == (1, "slb-registration: the service is silent\n")
    told = {"schema": 1, "ok": False, "findings": [], "warnings": [],
            "order": None, "error": "slb-registration: the service is silent"}  # fmt: skip
    assert out == "" if not form else json.loads(out) == told


def test_check_as_json_says_what_is_wrong_with_the_configuration(shell: Shell):
    shell.configure(weigth=3)
    code, out, err = shell.run("check", "--json")
    assert code == 1
    assert "weigth" in json.loads(out)["error"]
    assert "weigth" in err


def test_nothing_that_the_api_says_reaches_the_terminal_raw(shell: Shell, monkeypatch):
    raw = "\x1b[2J\u202e\r\nok"
    health = (ListenerHealth(80, raw, "i-self", 8080, raw, reason=raw),)
    odd = finding(group=raw, server_id=raw, health=health, problem=raw)
    monkeypatch.setattr(errand, "check", found(odd))
    for form in ([], ["--json"]):
        _, out, err = shell.run("check", *form)
        assert all(line.isprintable() for line in (out + err).split("\n"))
    assert len(err.splitlines()) == 1


def test_a_reason_that_holds_a_secret_is_redacted(shell: Shell, monkeypatch):
    problem = f"the API says {SECRET_KEY} and SecurityToken={TOKEN}"
    monkeypatch.setattr(errand, "check", found(finding(problem=problem)))
    for form in ((), ("--json",)):
        _, out, err = shell.run("check", *form)
        assert "[redacted]" in err
        assert ("[redacted]" in out) is bool(form)


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
