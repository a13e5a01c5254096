"""The words and documents in which the errand tells what it has found, and how it exits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.commands.shell import TOKEN, Shell, answer
from tests.unit.driver import SECRET_KEY

from slb_registration.commands import errand
from slb_registration.commands.errand import Finding
from slb_registration.instance.metadata import MetadataError
from slb_registration.model.server_group import ListenerHealth
from slb_registration.preflight import SettingWarning


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
