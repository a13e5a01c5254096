"""pre-stop and drain with the real agent, where nothing helps: in time, and with what remains."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from mock_slb.faults import Delay, Refuse, Rule

from .machine import DATA, Machine, eventually

TIMEOUT_SECONDS = 6
REFUSES = Rule(Refuse("ServiceUnavailable", 503), action="[A-Z]*")
HANGS = Rule(Delay(60))  # the metadata service, too


def refusing(machine: Machine) -> None:
    machine.stage.server.faults.add(REFUSES)


def hanging(machine: Machine) -> None:
    machine.stage.server.faults.add(HANGS)


def hanging_and_the_agent_as_well(machine: Machine) -> None:
    machine.stage.server.faults.add(HANGS)
    machine.signal_agent(signal.SIGSTOP)


def hanging_and_the_agent_gone(machine: Machine) -> None:
    machine.stage.server.faults.add(HANGS)
    machine.script("run", "stop")


def serving(machine: Machine, **drain: object) -> None:
    """The agent alone: monit would restart it in the middle of a test."""
    machine.deploy(drain=drain)
    machine.script("pre-start")
    machine.script("run", "start")
    machine.in_service()


@pytest.mark.parametrize("name", ["pre-stop", "drain"])
@pytest.mark.parametrize(
    "trouble",
    [refusing, hanging, hanging_and_the_agent_as_well, hanging_and_the_agent_gone],
)
def test_a_dead_api_delays_a_stop_by_drain_timeout_and_no_more(
    machine: Machine, trouble: Callable[[Machine], None], name: str
) -> None:
    serving(machine, timeout=TIMEOUT_SECONDS)
    trouble(machine)

    started = time.monotonic()
    done = machine.run(name)
    took = time.monotonic() - started

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert took <= TIMEOUT_SECONDS + 0.5  # the machine of the test may be busy
    assert "may still be in rotation" in machine.log("drain.stderr") or (
        "not all server groups of this VM are known" in machine.log("drain.stderr")
    )
    assert machine.weight() == 100


def test_a_drain_that_must_not_fail_stops_the_deploy(machine: Machine) -> None:
    serving(machine, timeout=TIMEOUT_SECONDS, on_error="fail")
    refusing(machine)

    done = machine.run("drain")

    assert done.stdout == "0\n"
    assert done.returncode != 0
    assert "may still be in rotation" in machine.log("drain.stderr")


def test_an_agent_that_hangs_does_not_keep_the_vm_in_rotation(machine: Machine) -> None:
    serving(machine, timeout=20)
    machine.signal_agent(signal.SIGSTOP)

    assert machine.script("drain") == "0\n"

    assert machine.weight() is None


def test_a_disk_that_is_read_only_does_not_keep_the_vm_in_rotation(machine: Machine) -> None:
    serving(machine)
    for options in (("--bind", DATA), ("-o", "remount,bind,ro")):
        mounted = machine.vm.run("mount", *options, DATA)
        assert mounted.returncode == 0, mounted.stderr

    assert machine.script("pre-stop") == "0\n"

    assert machine.weight() is None
    assert "a restart will not know of it" in machine.log("drain.stderr")


@pytest.mark.parametrize("left", ["keep", "delete"])
def test_what_becomes_of_the_vm_makes_no_difference(machine: Machine, left: str) -> None:
    names = ("BOSH_VM_NEXT_STATE", "BOSH_INSTANCE_NEXT_STATE", "BOSH_DEPLOYMENT_NEXT_STATE")
    serving(machine)

    done = machine.run("pre-stop", environment=dict.fromkeys(names, left))

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert machine.weight() is None


def test_draining_lowers_the_weight_first_and_waits_before_it_removes(machine: Machine) -> None:
    serving(machine, min_wait=1)
    seen: list[int | None] = [machine.weight()]

    with machine.begin("drain") as drain:
        eventually(lambda: seen.append(machine.weight()) or drain.poll() is not None)
        assert drain.stdout is not None
        assert drain.stdout.read() == "0\n"

    assert list(dict.fromkeys(seen)) == [100, 0, None]
