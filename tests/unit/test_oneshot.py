"""Commands that give the running agent an order and see it through, on a clock that is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import pytest

from slb_registration import config as config_module
from slb_registration import markers, oneshot
from slb_registration.config import Config
from slb_registration.control import NotRunningError
from slb_registration.instance import MetadataError
from slb_registration.log import EventLog

from .driver import QUIET

Document = dict[str, Any]


def group(**changes: Any) -> Document:
    return {
        "name": "clb/lb-1",
        "wanted": True,
        "state": "in service",
        "in_service": True,
        "registered": True,
        "weight": 100,
        "last_error": None,
        "health_known": True,
        "health": [{"listener": "tcp:80", "port": 8080, "status": "normal"}],
        **changes,
    }


def document(*groups: Document, **changes: Any) -> Document:
    return {
        "state": "in service",
        "instance_id": "i-self",
        "drain": None,
        "error": None,
        **QUIET,
        "groups": list(groups),
        **changes,
    }


def draining(stage: str, connections: int | None = None, **changes: Any) -> Document:
    state = "drained" if stage == "done" else "draining"
    one = group(state=state, in_service=False, weight=0)
    drain = {"stage": stage, "connections": connections}
    return document(one, state=state, drain=drain, **changes)


class Time:
    """Passes only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.on_sleep: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1_763_900_000.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.on_sleep()


class LocalAgent:
    """Stands in for the agent that a command runs itself where no other answers."""

    made: ClassVar[list[LocalAgent]]
    work: ClassVar[Callable[[threading.Event], None]]
    end: ClassVar[Document]

    def __init__(self, config: Config, log: EventLog) -> None:
        self.config = config
        LocalAgent.made.append(self)

    def drain(self, stop: threading.Event, *, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        LocalAgent.work(stop)

    def document(self) -> Document:
        return LocalAgent.end


class Vm:
    """A VM with an agent that answers, or does not."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.time = Time()
        self.lines = StringIO()
        self.log = EventLog(self.lines)
        self.orders: list[str] = []
        self.answers: list[Document] | None = None
        """The agent's statuses, the last one for ever; None: no agent answers."""
        self.hangs = False
        LocalAgent.made = []
        LocalAgent.work = staticmethod(lambda stop: None)
        LocalAgent.end = document(state="drained")
        monkeypatch.setattr(oneshot, "time", self.time)
        monkeypatch.setattr(oneshot, "ask", self._ask)
        monkeypatch.setattr(oneshot, "ask_status", self._ask_status)
        monkeypatch.setattr(oneshot, "Agent", LocalAgent)

    def _ask(self, path: Path, method: str, route: str, *, timeout_seconds: float = 5.0) -> bytes:
        assert (path, method) == (self.folder / "agent.sock", "POST")
        if self.answers is None or self.hangs:
            self.time.now += timeout_seconds if self.hangs else 0
            raise NotRunningError("no agent answers")
        self.orders.append(route)
        return b"ok\n"

    def _ask_status(self, path: Path, *, timeout_seconds: float = 5.0) -> Document:
        assert path == self.folder / "agent.sock"
        if not self.answers:
            raise NotRunningError("no agent answers on the socket")
        return self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)

    def config(self, **properties: Any) -> Config:
        file = self.folder / "agent.json"
        given = {
            "access_key": "id",
            "secret_key": "secret",
            "load_balancer_id": "lb-1",
            **properties,
        }
        spec = {"id": "x", "deployment": "cf", "instance_group": "router", "director": True}
        whole = {
            "properties": given,
            "spec": {**spec, "index": 0, "az": "z1", "address": "10.0.0.1"},
            "run_dir": str(self.folder),
            "data_dir": str(self.folder),
        }
        file.write_text(json.dumps(whole))
        return config_module.load(file)

    def said(self, level: str) -> list[Document]:
        events = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [event for event in events if event["level"] == level]


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vm:
    return Vm(tmp_path, monkeypatch)


# drain


def test_a_drain_writes_the_marker_before_it_orders_anything(vm: Vm, monkeypatch):
    seen: list[float | None] = []
    real = oneshot.ask

    def ask(*args, **kwargs):
        seen.append(markers.draining(vm.folder).since())
        return real(*args, **kwargs)

    monkeypatch.setattr(oneshot, "ask", ask)
    vm.answers = [draining("done")]
    assert oneshot.drain(vm.config(), vm.log)
    assert seen == [vm.time.time()]
    assert vm.orders == ["/drain"]


def test_a_drain_sees_the_agents_through_and_tells_its_progress(vm: Vm):
    vm.answers = [
        document(group()),
        draining("lowering"),
        draining("waiting", 9),
        draining("waiting", 9),
        draining("waiting", 2),
        draining("removing", 2),
        draining("done", 2),
    ]
    assert oneshot.drain(vm.config(), vm.log)
    stages = [(event["stage"], event["connections"]) for event in vm.said("info")[:-1]]
    assert stages == [
        ("lowering", None),
        ("waiting", 9),
        ("waiting", 2),
        ("removing", 2),
        ("done", 2),
    ]
    assert LocalAgent.made == []


def test_a_drain_that_does_not_end_is_given_up_in_time_and_says_what_remains(vm: Vm):
    stuck = group(state="draining", weight=100, last_error="SetBackendServers: Throttling")
    done = group(name="clb/lb-2", state="drained", weight=None)
    vm.answers = [document(stuck, done, state="draining", drain=draining("removing")["drain"])]
    started = vm.time.now
    assert not oneshot.drain(vm.config(drain={"timeout": 60}), vm.log)
    assert vm.time.now - started <= 60
    (error,) = vm.said("error")
    assert (error["group"], error["weight"]) == ("clb/lb-1", 100)
    assert "may still be in rotation" in error["message"]
    assert error["error"] == "SetBackendServers: Throttling"


def test_a_drain_of_groups_that_are_not_known_says_so(vm: Vm):
    vm.answers = [document(state="draining", error="DescribeLoadBalancers: Forbidden")]
    assert not oneshot.drain(vm.config(drain={"timeout": 5, "min_wait": 0}), vm.log)
    assert vm.said("error")[0]["error"] == "DescribeLoadBalancers: Forbidden"


def test_without_an_agent_the_drain_is_done_here(vm: Vm):
    config = vm.config()
    assert oneshot.drain(config, vm.log)
    assert markers.draining(vm.folder).since() is not None
    (agent,) = LocalAgent.made
    assert agent.config.drain.method == config.drain.method
    assert agent.config.drain.timeout_seconds <= 120
    assert len(vm.said("warning")) == 1


def test_an_agent_that_dies_meanwhile_is_replaced(vm: Vm):
    vm.answers = [draining("lowering")]

    def die() -> None:
        vm.answers = None

    vm.time.on_sleep = die
    assert oneshot.drain(vm.config(), vm.log)
    assert len(LocalAgent.made) == 1


def test_an_agent_that_does_not_know_which_vm_this_is_is_not_waited_for(vm: Vm):
    """Without the metadata service it can drain nothing; the journal may know who we are."""
    vm.answers = [document(instance_id=None, state="draining", drain=draining("lowering")["drain"])]
    started = vm.time.now
    assert oneshot.drain(vm.config(drain={"timeout": 60}), vm.log)
    assert vm.time.now - started <= 10
    assert len(LocalAgent.made) == 1


def test_an_agent_that_hangs_does_not_use_up_the_time(vm: Vm):
    vm.hangs = True
    started = vm.time.now
    assert oneshot.drain(vm.config(drain={"timeout": 8, "min_wait": 0}), vm.log)
    assert vm.time.now - started <= 4
    assert len(LocalAgent.made) == 1


def test_a_drain_here_that_hangs_is_broken_off(vm: Vm):
    stopped = threading.Event()

    def hang(stop: threading.Event) -> None:
        stop.wait(10)
        stopped.set()

    LocalAgent.work = staticmethod(hang)
    LocalAgent.end = draining("lowering")
    assert not oneshot.drain(vm.config(drain={"timeout": 0.4, "min_wait": 0}), vm.log)
    assert stopped.is_set()
    assert "may still be in rotation" in vm.said("error")[0]["message"]


def test_a_drain_here_that_cannot_tell_who_we_are_says_so(vm: Vm):
    def unknown(stop: threading.Event) -> None:
        raise MetadataError("metadata service http://100.100.100.200: no answer")

    LocalAgent.work = staticmethod(unknown)
    assert not oneshot.drain(vm.config(), vm.log)
    assert "cannot drain" in vm.said("error")[0]["message"]


def test_a_mistake_in_a_drain_here_is_not_hidden(vm: Vm):
    def mistake(stop: threading.Event) -> None:
        raise KeyError("a mistake")

    LocalAgent.work = staticmethod(mistake)
    with pytest.raises(KeyError):
        oneshot.drain(vm.config(), vm.log)


def test_a_marker_that_cannot_be_written_stops_no_drain(vm: Vm):
    config = vm.config()
    vm.answers = [draining("done")]
    (vm.folder / "agent.json").unlink()
    vm.folder.rmdir()
    assert oneshot.drain(config, vm.log)
    assert vm.orders == ["/drain"]
    assert "cannot write" in vm.said("warning")[0]["message"]


def test_where_nothing_is_registered_there_is_nothing_to_drain(vm: Vm):
    assert oneshot.drain(vm.config(register=False), vm.log)
    assert (LocalAgent.made, vm.orders) == ([], [])
    # An agent that is told to register later finds the marker.
    assert markers.draining(vm.folder).since() is not None


# The removal after the stop


def test_what_is_left_after_the_stop_is_removed_at_once(vm: Vm):
    assert oneshot.remove_what_is_left(vm.config(), vm.log)
    (agent,) = LocalAgent.made
    drain = agent.config.drain
    assert (drain.method, drain.min_wait_seconds) == ("remove", 0)
    assert drain.timeout_seconds < 10
    assert any(str(network) == "0.0.0.0/0" for network in drain.ignore_cidrs)


def test_after_a_drain_nobody_is_asked_again(vm: Vm):
    journal = {"version": 1, "instance_id": "i", "region": "r", "registrations": {}}
    (vm.folder / "journal.json").write_text(json.dumps(journal))
    assert oneshot.remove_what_is_left(vm.config(), vm.log)
    assert oneshot.remove_what_is_left(vm.config(register=False), vm.log)
    assert LocalAgent.made == []


# hold and resume


def test_hold_is_seen_through_until_the_weight_is_0(vm: Vm):
    vm.answers = [document(group()), document(group()), document(group(weight=0))]
    assert oneshot.hold(vm.config(), vm.log)
    assert markers.hold(vm.folder).since() is not None
    assert vm.orders == ["/hold"]
    assert len(vm.answers) == 1


def test_a_hold_that_is_not_seen_in_time_says_which_group(vm: Vm):
    vm.answers = [document(group(last_error="Throttling"), group(name="clb/lb-2", weight=None))]
    started = vm.time.now
    assert not oneshot.hold(vm.config(), vm.log)
    assert vm.time.now - started <= 16
    (warning,) = vm.said("warning")
    assert (warning["group"], warning["error"]) == ("clb/lb-1", "Throttling")


@pytest.mark.parametrize("command", [oneshot.hold, oneshot.resume])
def test_without_an_agent_the_next_one_will_do_it(vm: Vm, command):
    markers.draining(vm.folder).set(1.0)
    assert not command(vm.config(), vm.log)
    assert "when it starts" in vm.said("warning")[0]["message"]
    held = markers.hold(vm.folder).since() is not None
    assert held is (command is oneshot.hold)


def test_resume_ends_a_hold_and_a_drain(vm: Vm):
    markers.hold(vm.folder).set(1.0)
    markers.draining(vm.folder).set(1.0)
    waiting = group(in_service=False, weight=0)
    left = group(in_service=False, wanted=False)
    vm.answers = [document(waiting), document(group(), left)]
    assert oneshot.resume(vm.config(), vm.log)
    assert vm.orders == ["/resume"]
    assert markers.hold(vm.folder).since() is None
    assert markers.draining(vm.folder).since() is None


def test_a_new_start_ends_a_drain_and_keeps_a_hold(vm: Vm):
    markers.hold(vm.folder).set(1.0)
    markers.draining(vm.folder).set(1.0)
    vm.answers = [document()]
    oneshot.prepare_start(vm.config())
    assert vm.orders == ["/start"]
    assert markers.draining(vm.folder).since() is None
    assert markers.hold(vm.folder).since() == 1.0


# wait (post-start)


def test_the_wait_ends_when_the_vm_is_in_service_everywhere(vm: Vm):
    rising = group(in_service=False, state="waiting for health", weight=0)
    unread = group(health=[], health_known=False)
    initial = group(health=[{"listener": "tcp:80", "port": 1, "status": "unavailable"}])
    stages = ((), (rising,), (unread,), (initial,), (group(),))
    vm.answers = [document(*groups) for groups in stages]
    assert oneshot.wait(vm.config(), vm.log)
    because = [event.get("because") for event in vm.said("info")]
    assert because == [
        "no server group is known yet",
        "clb/lb-1: waiting for health, weight 0",
        "clb/lb-1: what SLB says of its health is not known yet",
        "clb/lb-1: tcp:80 is unavailable",
        None,
    ]


def test_at_weight_0_no_health_is_waited_for(vm: Vm):
    """SLB may stop checking such a server: ALB does, and NLB calls it unused."""
    vm.answers = [document(group(weight=0, health_known=False, health=[]))]
    assert oneshot.wait(vm.config(), vm.log)


def test_a_listener_without_a_check_is_not_waited_for(vm: Vm):
    vm.answers = [
        document(group(health=[{"listener": "tcp:80", "port": 1, "status": "not checked"}]))
    ]
    assert oneshot.wait(vm.config(), vm.log)


def test_a_wait_that_is_too_long_says_why_for_every_group(vm: Vm):
    vm.answers = [
        document(
            group(in_service=False, state="failing", weight=None, last_error="Forbidden.RAM"),
            group(name="clb/lb-2", in_service=False, state="held", weight=0),
            group(name="clb/lb-3"),
            group(name="clb/old", wanted=False, in_service=False, state="draining"),
        )
    ]
    started = vm.time.now
    assert not oneshot.wait(vm.config(post_start={"timeout": 30}), vm.log)
    assert 29 <= vm.time.now - started <= 30
    assert [event["because"] for event in vm.said("error")] == [
        "clb/lb-1: Forbidden.RAM",
        "clb/lb-2: held, weight 0",
    ]


def test_an_agent_that_is_not_there_yet_is_waited_for(vm: Vm):
    def come() -> None:
        vm.answers = [document(group())]

    vm.time.on_sleep = come
    assert oneshot.wait(vm.config(), vm.log)


def test_an_agent_that_knows_no_group_says_why(vm: Vm):
    vm.answers = [document(error="no load balancer carries the tags")]
    assert not oneshot.wait(vm.config(post_start={"timeout": 2}), vm.log)
    assert vm.said("error")[0]["because"] == "no load balancer carries the tags"


def test_where_nothing_is_registered_nothing_is_waited_for(vm: Vm):
    assert oneshot.wait(vm.config(register=False), vm.log)


# healthy (BOSH DNS)

FAILING = [{"check": "tcp", "health": "unhealthy"}]
CHECKED = [{"check": "tcp", "health": "healthy"}, {"check": "x", "health": "unknown"}]


@pytest.mark.parametrize(
    ("answers", "healthy"),
    [
        (None, True),  # the agent is not asked for more than it can say
        ([document(group(), local_checks=CHECKED)], True),
        ([document(group(), local_checks=[*CHECKED, *FAILING])], False),
        ([draining("lowering", local_checks=CHECKED)], False),
        # SLB's word and its own troubles are no reason to leave DNS.
        ([document(group(in_service=False, last_error="x"), error="y")], True),
    ],
)
def test_dns_follows_the_local_check_and_a_drain(vm: Vm, answers, healthy: bool):
    vm.answers = answers
    assert oneshot.healthy(vm.config(dns={"enabled": True})) is healthy


def test_a_drain_marker_is_enough_to_leave_dns(vm: Vm):
    markers.draining(vm.folder).set(1.0)
    assert not oneshot.healthy(vm.config(dns={"enabled": True}))


def test_dns_is_left_alone_unless_it_is_asked_for(vm: Vm):
    markers.draining(vm.folder).set(1.0)
    vm.answers = [document(local_checks=FAILING)]
    assert oneshot.healthy(vm.config())
