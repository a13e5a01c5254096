"""Which local checks stand for which server group; no thread runs and nothing is probed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from io import StringIO

import pytest
from tests.unit.probes.checks import config
from tests.unit.supervision import ByHand

from slb_registration.model.configuration import HealthCheck
from slb_registration.model.health import Health
from slb_registration.probes import monitor as board_module
from slb_registration.probes.checker import Result
from slb_registration.probes.monitor import Monitor, combined
from slb_registration.support.logs.event_log import EventLog

CONFIG = config()


@dataclass
class Service:
    """The services on this VM, as probes see them: ports that answer."""

    answering: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Check:
    port: int | None
    service: Service = field(compare=False, hash=False)

    def __str__(self) -> str:
        return f"tcp {self.port}"

    def probe(self, *_: object) -> Result:
        return Result(self.port in self.service.answering, f"port {self.port}")


class OneWay:
    """A monitor whose groups are all checked in the same way."""

    def __init__(self, config: HealthCheck, monitor: Monitor) -> None:
        self.config = config
        self.monitor = monitor

    def watch(self, group: str, ports: tuple[int, ...] | None) -> None:
        self.monitor.watch(group, self.config, ports)

    def __getattr__(self, name: str) -> object:
        return getattr(self.monitor, name)


class Host:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = Service()
        self.lines = StringIO()
        self.changes = 0
        self.supervisor = ByHand()
        monkeypatch.setattr(board_module, "checks_for", self._checks_for)

    def _checks_for(self, config: HealthCheck, ports) -> tuple[Check, ...]:
        if config.type == "none":
            return ()
        if config.type == "script":
            return (Check(None, self.service),)
        chosen = [config.port] if config.port is not None else sorted(set(ports))
        return tuple(Check(port, self.service) for port in chosen)

    def monitor(self, **changes: object) -> OneWay:
        return OneWay(replace(CONFIG, **changes), self.new())

    def new(self) -> Monitor:
        return Monitor(EventLog(self.lines), self._changed, self.supervisor)

    def _changed(self) -> None:
        self.changes += 1

    def probe(self, monitor: Monitor, times: int = 3) -> None:
        for _, checker in monitor.checkers():
            for _ in range(times):
                checker.turn()

    def said(self, level: str) -> list[dict]:
        events = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [event for event in events if event["level"] == level]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def ports(monitor: Monitor) -> list[int | None]:
    return [check.port for check, _ in monitor.checkers()]


def test_health_is_unknown_until_the_ports_are_known_and_every_check_has_its_verdict(host: Host):
    monitor = host.monitor()
    assert monitor.health("clb/lb-1") is Health.UNKNOWN
    monitor.watch("clb/lb-1", None)
    assert monitor.health("clb/lb-1") is Health.UNKNOWN
    monitor.watch("clb/lb-1", (80, 443))
    assert monitor.health("clb/lb-1") is Health.UNKNOWN

    host.service.answering = {80, 443}
    host.probe(monitor, 1)
    assert monitor.health("clb/lb-1") is Health.UNKNOWN
    host.probe(monitor, 1)
    assert monitor.health("clb/lb-1") is Health.HEALTHY


def test_one_port_that_fails_makes_its_groups_unhealthy_and_no_others(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", (80, 443))
    monitor.watch("clb/b", (80,))
    host.service.answering = {80}
    host.probe(monitor)
    assert monitor.health("clb/a") is Health.UNHEALTHY
    assert monitor.health("clb/b") is Health.HEALTHY


def test_groups_with_the_same_port_share_one_check(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", (80, 443))
    monitor.watch("clb/b", (80,))
    assert ports(monitor) == [80, 443]


def test_a_change_is_told_and_logged_once(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", (80,))
    before = host.changes
    host.probe(monitor, 10)
    assert host.changes == before + 1
    (warning,) = host.said("warning")
    assert (warning["check"], warning["health"]) == ("tcp 80", "unhealthy")
    host.service.answering = {80}
    host.probe(monitor, 10)
    assert host.changes == before + 2
    assert host.said("info")[-1]["health"] == "healthy"


def test_the_configured_port_is_checked_whatever_slb_says(host: Host):
    monitor = host.monitor(port=7000)
    monitor.watch("clb/a", None)
    monitor.watch("clb/a", (80,))
    monitor.watch("clb/b", ())
    assert ports(monitor) == [7000]


def test_a_script_is_checked_whatever_slb_says(host: Host):
    monitor = host.monitor(type="script")
    monitor.watch("clb/a", None)
    assert ports(monitor) == [None]


def test_type_none_counts_as_healthy_without_a_word(host: Host):
    monitor = host.monitor(type="none")
    monitor.watch("clb/a", None)
    assert monitor.health("clb/a") is Health.HEALTHY
    assert host.said("warning") == []


def test_a_group_without_any_port_counts_as_healthy_with_a_warning_once(host: Host):
    monitor = host.monitor()
    for _ in range(5):
        monitor.watch("clb/a", ())
    assert monitor.health("clb/a") is Health.HEALTHY
    (warning,) = host.said("warning")
    assert "health_check.port" in warning["message"]
    assert warning["group"] == "clb/a"


def test_a_port_that_becomes_known_later_is_checked(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", ())
    monitor.watch("clb/a", (80,))
    assert monitor.health("clb/a") is Health.UNKNOWN
    assert ports(monitor) == [80]


def test_ports_that_slb_forgets_are_still_checked(host: Host):
    """A VM that is out of its group would else count as healthy, and come back in."""
    monitor = host.monitor()
    monitor.watch("clb/a", (80,))
    host.probe(monitor)
    monitor.watch("clb/a", None)
    monitor.watch("clb/a", ())
    assert monitor.health("clb/a") is Health.UNHEALTHY


def test_a_listener_that_moves_takes_the_check_along_and_the_old_one_ends(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", (80,))
    (old,) = monitor._running.values()
    monitor.watch("clb/a", (81,))
    assert ports(monitor) == [81]
    assert old.stop.is_set()
    assert monitor.health("clb/a") is Health.UNKNOWN


def test_a_check_that_another_group_needs_goes_on(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", (80,))
    monitor.watch("clb/b", (80,))
    host.probe(monitor)
    monitor.watch("clb/a", (81,))
    assert sorted(ports(monitor)) == [80, 81]
    assert monitor.health("clb/b") is Health.UNHEALTHY


def test_watching_what_is_watched_changes_nothing(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", (80,))
    before = host.changes
    for _ in range(3):
        monitor.watch("clb/a", (80,))
    assert host.changes == before


def test_each_group_is_checked_in_its_own_way(host: Host):
    monitor = host.new()
    monitor.watch("clb/a", CONFIG, (80,))
    monitor.watch("clb/b", replace(CONFIG, port=7000), None)
    monitor.watch("clb/c", replace(CONFIG, type="none"), None)
    host.service.answering = {7000}
    host.probe(monitor)
    assert [monitor.health(f"clb/{name}") for name in "abc"] == [
        Health.UNHEALTHY,
        Health.HEALTHY,
        Health.HEALTHY,
    ]


def test_the_same_check_at_another_pace_has_its_own_verdict(host: Host):
    monitor = host.new()
    monitor.watch("clb/a", CONFIG, (80,))
    monitor.watch("clb/b", replace(CONFIG, unhealthy_threshold=9), (80,))
    monitor.watch("clb/c", replace(CONFIG, expected_status=frozenset({204})), (80,))
    host.probe(monitor)
    assert monitor.health("clb/a") is Health.UNHEALTHY
    assert monitor.health("clb/b") is Health.UNKNOWN
    assert ports(monitor) == [80, 80]  # a and c share one: type tcp reads no status


def test_a_group_that_is_checked_in_another_way_begins_anew(host: Host):
    monitor = host.new()
    monitor.watch("clb/a", CONFIG, (80,))
    host.probe(monitor)
    monitor.watch("clb/a", replace(CONFIG, port=7000), (80,))
    assert ports(monitor) == [7000]
    assert monitor.health("clb/a") is Health.UNKNOWN


def test_the_checks_of_groups_that_are_gone_end(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", (80,))
    monitor.watch("clb/b", (443,))
    monitor.keep({"clb/b", "clb/c"})
    assert ports(monitor) == [443]
    assert monitor.health("clb/a") is Health.UNKNOWN


def test_stopping_ends_every_check(host: Host):
    monitor = host.monitor()
    monitor.watch("clb/a", (80, 443))
    monitor.stop()
    assert all(running.stop.is_set() for running in monitor._running.values())


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (set(), Health.HEALTHY),
        ({Health.HEALTHY}, Health.HEALTHY),
        ({Health.HEALTHY, Health.UNKNOWN}, Health.UNKNOWN),
        ({Health.UNHEALTHY, Health.UNKNOWN, Health.HEALTHY}, Health.UNHEALTHY),
    ],
)
def test_verdicts_together(verdicts, together):
    assert combined(verdicts) is together
