"""The status command through its real socket: exit codes, and documents that are not as ours."""

from __future__ import annotations

import contextlib
import copy
import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.unit.commands.shell import Shell
from tests.unit.one_vm import document, group
from tests.unit.rendered import rendered
from tests.unit.supervision import quiet

from slb_registration.agent.control_socket import serving
from slb_registration.commands import cli, orders, post_start
from slb_registration.commands.status_table import COLUMNS, render
from slb_registration.model.orders import Order
from slb_registration.reporting.overall import STATES
from slb_registration.reporting.received import read

NOW = 1_763_913_600.0
HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202egpj.exe\r\n\x9b31m\ud800 \u2028state      in service"
Tree = dict[str, Any]


class Agent:
    """Answers with what it is given."""

    def __init__(self, answer: Tree) -> None:
        self.answer = answer
        self.orders: list[Order] = []

    def alive(self) -> str | None:
        return None

    def document(self) -> Tree:
        return self.answer

    waited_for = document

    def metrics(self) -> str:
        return ""

    def order(self, order: Order) -> None:
        self.orders.append(order)


def whole(**changes: Any) -> Tree:
    """A document with something in every field."""
    one = group(
        product="clb",
        because_of="manifest",
        state="lowering",
        in_service=False,
        wanted_weight=0,
        configured_weight=100,
        conflict=False,
        conflict_until="2025-11-23T16:09:00Z",
        health=[{"listener": "tcp:80", "port": 8080, "status": "abnormal", "reason": "no answer"}],
        reason="weight 100 although the local check fails: SetBackendServers: Throttling.User",
        kept=None,
        last_change="2025-11-23T15:59:00Z",
        last_change_seconds=NOW - 60,
        last_asked="2025-11-23T15:59:56Z",
        last_asked_seconds=NOW - 4,
        last_read="2025-11-23T15:58:00Z",
        last_read_seconds=NOW - 120,
        next={
            "step": "set_weight", "weight": 0, "of_predecessor": False, "at": "x",
            "at_seconds": NOW + 40, "waits_for": "quota",
        },
        calls=17,
    )  # fmt: skip
    return {
        **document(one),
        "state": "not in service",
        "although": None,
        "time_seconds": NOW,
        "register": True,
        "region": "cn-hangzhou",
        "remark": "the region is not the metadata service's",
        "under_way": "looking for what carries the tags a=b",
        "held_since": "2025-11-23T15:00:00Z",
        "held_until": "2025-11-23T17:00:00Z",
        "held_reason": "kernel update",
        "drain": {
            "stage": "waiting", "since": "2025-11-23T15:59:00Z", "connections": 4,
            "seconds_left": 61.5,
        },
        "readiness": {
            "address": "10.0.0.5", "port": 8079, "answer": 503, "because": "draining",
            "error": None,
        },
        "backend": {
            "port": 8080, "port_from": "property port", "path": "/up", "path_from": "default",
            "ignored": "the link is not used",
        },
        "credentials": {
            "source": "ecs_ram_role", "good_until": "2025-11-23T18:00:00Z", "error": "HTTP 500",
        },
        "local_checks": [
            {"check": "tcp 127.0.0.1:8080", "health": "unhealthy", "detail": "refused"}
        ],
        "discovered": [
            {"product": "alb", "id": "sgp-1", "joined": False, "because_of": "it holds functions"}
        ],
        "dynamic_configs": [{"file": "/var/vcap/jobs/web/config/x.json", "problem": "is no JSON"}],
        "log_lines_dropped": 3,
        "log_lines_stuck": 2,
        "parts": [
            {"name": "clb/lb-1", "silent_seconds": 131.0, "may_be_silent_seconds": 120.0,
             "stuck": True, "failures": 0, "error": None},
            {"name": "files", "silent_seconds": 1.0, "may_be_silent_seconds": 9.0,
             "stuck": False, "failures": 3, "error": "no more threads"},
            {"name": "main", "silent_seconds": 0.1, "may_be_silent_seconds": 9.0,
             "stuck": False, "failures": 0, "error": None},
        ],
        "barred": False,
        **changes,
    }  # fmt: skip


class StatusShell(Shell):
    def told(self, answer: Tree, *arguments: str) -> tuple[int, str, str]:
        """With an agent that answers so."""
        with serving(self.folder / "agent.sock", Agent(answer), quiet()):
            return self.run(*arguments)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> StatusShell:
    return StatusShell(tmp_path, capsys)


GOOD = {"idle", "in service", "held", "drained", "observing"}


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("state", [*STATES, "unknown", "a state of a later version"])
def test_every_state_has_its_exit_code(shell: StatusShell, state: str, form: tuple[str, ...]):
    code, out, err = shell.told(whole(state=state), "status", *form)
    assert (code, err) == (0 if state in GOOD else 1, "")
    assert state in out


@pytest.mark.parametrize("state", ["held", "drained"])
def test_a_hold_or_a_drain_that_is_not_seen_through_is_none_of_the_good_ones(
    shell: StatusShell, state: str
):
    although = "still in rotation in 1 of 2 server groups"
    code, out, _ = shell.told(whole(state=state, although=although), "status")
    assert (code, out.splitlines()[0]) == (1, f"state      {state}, but {although}")


def test_of_an_earlier_agent_that_does_not_say_it_the_groups_are_asked(shell: StatusShell):
    answer = whole(state="held", drain=None)
    del answer["although"]
    code, out, _ = shell.told(answer, "status")
    first = "state      held, but still in rotation in 1 of 1 server group"
    assert (code, out.splitlines()[0]) == (1, first)


def test_json_is_what_the_agent_said(shell: StatusShell):
    answer = whole(a_field_of_a_later_version={"x": [1]})
    assert json.loads(shell.told(answer, "status", "--json")[1]) == answer


def test_without_an_agent_the_code_is_1_and_nothing_is_on_stdout(shell: StatusShell):
    for form in ((), ("--json",)):
        code, out, err = shell.run("status", *form)
        assert (code, out) == (1, "")
        assert "no agent answers" in err


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"HTTP/1.0 503 Service Unavailable\r\n\r\nstuck\n",
        b"HTTP/1.0 200 OK\r\n\r\nno JSON",
        b"HTTP/1.0 200 OK\r\n\r\n[1, 2]",
        b"HTTP/1.0 200 OK\r\n\r\n\xff\xfe",
    ],
    ids=["hangs", "says nothing", "503", "no JSON", "a list", "no UTF-8"],
)
def test_what_does_not_answer_properly_is_no_agent(
    shell: StatusShell, monkeypatch: pytest.MonkeyPatch, answer: bytes | None
):
    monkeypatch.setattr(cli, "ask_status", partial(cli.ask_status, timeout_seconds=0.2))
    with _answering(shell.folder / "agent.sock", answer):
        code, out, err = shell.run("status")
    assert (code, out) == (1, "")
    assert "agent" in err
    assert "Traceback" not in err


@contextlib.contextmanager
def _answering(path: Path, answer: bytes | None) -> Iterator[None]:
    """Whatever listens there: says this and closes, or (None) nothing at all."""

    def run() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            if answer is not None:
                connection.sendall(answer)
            else:
                connection.recv(1)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield
        thread.join(5)


# Documents that are not as ours


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every field and element of a document."""
    found = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in found:
        yield (*at, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*at, key))


def changed(at: tuple[Any, ...], value: Any) -> Tree:
    """The whole document with another value there, or (...) without that field."""
    tree: Any = copy.deepcopy(whole())
    inner = tree
    for key in at[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return tree


ODD = (..., None, True, 0, -1.5, 10**400, float("inf"), float("nan"), "x", [], [None, 1, "x"], {})


@pytest.mark.parametrize("at", list(places(whole())), ids=lambda at: ".".join(map(str, at)))
def test_no_field_that_is_missing_or_of_another_type_breaks_a_command(
    at: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given = {"access_key": "i", "secret_key": "s", "load_balancer_id": "lb-1"}
    config = cli.load(rendered(tmp_path, {**given, "dns": {"enabled": True}}))
    for value in ODD:
        odd = changed(at, value)
        assert render(odd).startswith("state ")
        known = read(odd)
        list(post_start._obstacles(known))
        monkeypatch.setattr(orders, "ask_status", lambda *_, odd=odd, **__: odd)
        assert orders.healthy(config) in (True, False)


@pytest.mark.parametrize("answer", [{}, {"state": None}, {"groups": [{}]}, {"state": "held"}])
def test_an_answer_without_the_fields_of_a_status_is_shown_and_not_good(
    shell: StatusShell, answer: Tree
):
    code, out, err = shell.told(answer, "status")
    assert (code, err) == (1, "")
    assert out.startswith(f"state      {answer.get('state') or 'unknown'}")


def test_nothing_raw_reaches_the_terminal(shell: StatusShell):
    tree: Any = whole()
    for at in places(tree):
        inner = tree
        for key in at[:-1]:
            inner = inner[key]
        if isinstance(inner[at[-1]], str):
            inner[at[-1]] = HOSTILE
    for arguments in (["status"], ["status", "--json"]):
        code, out, err = shell.told(tree, *arguments)
        assert code == 1
        assert all(line.isprintable() for line in (out + err).splitlines())
        assert len((out + err).split("\n")) == len((out + err).splitlines()) + 1
    assert not [line for line in out.splitlines() if line.startswith("state      in service")]


@pytest.mark.parametrize("command", ["wait", "hold", "resume"])
def test_nothing_raw_comes_through_the_other_commands(
    shell: StatusShell, monkeypatch: pytest.MonkeyPatch, command: str
):
    monkeypatch.setattr(orders, "SETTLE_SECONDS", 0.3)
    configured = {"access_key": "id", "secret_key": "secret", "load_balancer_id": "lb-1"}
    for form in ("text", "json"):
        rendered(
            shell.folder, {**configured, "log": {"format": form}, "post_start": {"timeout": 1.5}}
        )
        bad = group(
            name=HOSTILE, state=HOSTILE, reason=HOSTILE, last_error=HOSTILE, in_service=False
        )
        answer = document(bad, state=HOSTILE, error=HOSTILE, complete=False)
        code, out, err = shell.told(answer, command)
        assert code == 1
        assert err
        assert all(line.isprintable() for line in (out + err).splitlines())
        assert "\\u202e" in err


# What a person reads


def test_no_line_is_longer_than_a_terminal_is_wide_and_no_word_is_cut():
    long = " ".join(f"word{number}" for number in range(60))
    tree = whole(error=long, remark=long)
    tree["groups"][0].update(reason=long, name="alb/sgp-bp1234567890abcdefghij:8080@10.0.0.5")
    tree["package"] = "aliyun_py/" + "0123456789abcdef" * 4
    tree["dynamic_configs"][0]["file"] = "/var/vcap/jobs/" + "x" * 40 + "/config/slb.json"
    tree["dynamic_configs"][0]["problem"] = long
    text = render(tree)
    assert max(map(len, text.splitlines())) <= COLUMNS
    words = set(text.split())
    assert set(long.split()) <= words
    assert {"alb/sgp-bp1234567890abcdefghij:8080@10.0.0.5", f"({tree['package']})"} <= words


def test_a_word_that_is_longer_than_a_line_is_left_whole():
    word = "x" * 200
    assert word in render(whole(error=word)).split()


def test_listeners_that_slb_does_not_tell_apart_are_named():
    tree = whole()
    assert "unclear" not in render(tree)
    tree["groups"][0]["health"][0]["told_apart"] = False
    said = " ".join(render(tree).split())
    assert "unclear SLB does not tell whose health that of tcp:80 is: another" in said


def test_settings_that_would_hurt_are_told_with_their_group():
    tree = whole()
    assert "warning" not in render(tree)
    one = {"code": "check_off", "group": "clb/lb-1", "text": "it is off", "advice": "turn it on"}
    tree["groups"][0]["warnings"] = [{**one, "listener": "tcp:80"}, {**one, "listener": None}]
    lines = [line for line in render(tree).splitlines() if line.startswith("  warning")]
    assert lines == [
        "  warning  tcp:80: it is off; turn it on (check_off)",
        "  warning  it is off; turn it on (check_off)",
    ]


def test_a_part_of_the_agent_that_does_not_work_is_told_and_no_other():
    lines = [line for line in render(whole()).splitlines() if line.startswith("part ")]
    assert lines == [
        "part       clb/lb-1: silent for 2 min, 120 s at most are usual",
        "part       files: no more threads",
    ]


def test_the_text_says_what_is_waited_for_and_how_old_it_is():
    text = render(whole())
    block = text[text.index("\nclb/lb-1\n") :].splitlines()[2:9]
    assert block == [
        "  state    lowering",
        "  weight   100 of 100, should be 0",
        "  health   tcp:80 abnormal",
        "  changed  2025-11-23T15:59:00Z, 60 s ago",
        "  read     2025-11-23T15:58:00Z, 2 min ago; asked in vain 2025-11-23T15:59:56Z,",
        "           4 s ago",
        "  next     set the weight to 0 in 40 s: throttled, it waits for its turn at the",
    ]


def test_a_question_that_is_open_is_not_called_in_vain():
    asked = {"step": "find", "weight": None, "of_predecessor": False, "at_seconds": NOW - 4}
    document = whole()
    document["groups"][0]["next"] = {**asked, "waits_for": "answer"}
    said = render(document)
    assert "in vain" not in said
    assert "  read     2025-11-23T15:58:00Z, 2 min ago\n" in said
    assert "  next     read the server group now: SLB is being asked\n" in said
    document["groups"][0]["next"] = {**asked, "waits_for": "retry"}
    assert "asked in vain" in render(document)
