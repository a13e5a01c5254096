"""A configuration that is wrong, in each command; and what validate says of a good one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.unit.commands.shell import COMMANDS, Shell

from slb_registration.commands import drain
from slb_registration.config import loading as config_module
from slb_registration.model.configuration import GroupSpec


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
