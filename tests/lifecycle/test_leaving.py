"""pre-stop and drain with the real agent, where nothing helps: in time, and with what remains."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from tests.lifecycle.machine import DATA, LOGS, Machine

from demo.installation import JOB
from mock_slb.gateway.faults import Delay, Refuse, Rule

TIMEOUT_SECONDS = 6
REFUSES = Rule(Refuse("ServiceUnavailable", 503), action="[A-Z]*")
HANGS = Rule(Delay(300))  # the metadata service, too
LIMIT_SECONDS = 40
"""Of what has drain.timeout for it. A busy machine needs some of it to start the scripts; by itself
the API hangs for minutes, and a drain without its timeout goes on for ever."""


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


TROUBLES = [refusing, hanging, hanging_and_the_agent_as_well, hanging_and_the_agent_gone]


@pytest.mark.thorough
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_dead_api_delays_a_stop_by_drain_timeout_and_no_more(
    machine: Machine, trouble: Callable[[Machine], None]
) -> None:
    serving(machine, timeout=TIMEOUT_SECONDS)
    trouble(machine)

    ends = time.monotonic() + LIMIT_SECONDS
    for name in ("pre-stop", "drain"):
        done = machine.run(name)
        assert (done.stdout, done.returncode) == ("0\n", 0)

    assert time.monotonic() < ends
    assert says_what_remains(machine.log("drain.stderr"))
    assert machine.weight() == 100


@pytest.mark.thorough
@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_agents_own_drain_keeps_to_drain_timeout(
    machine: Machine, trouble: Callable[[Machine], None]
) -> None:
    """Nobody has to break it off, so it is the one to say what remains."""
    serving(machine, timeout=TIMEOUT_SECONDS)
    trouble(machine)

    ends = time.monotonic() + LIMIT_SECONDS
    done = machine.run("slb-registration", "drain")

    assert (done.stdout, done.returncode) == ("", 0)
    assert time.monotonic() < ends
    assert says_what_remains(done.stderr)


def says_what_remains(text: str) -> bool:
    return "may still be in rotation" in text or "not all server groups" in text


def test_a_drain_that_must_not_fail_stops_the_deploy(machine: Machine) -> None:
    serving(machine, timeout=TIMEOUT_SECONDS, on_error="fail")
    refusing(machine)

    done = machine.run("drain")

    assert done.stdout == ""  # 0 is success to BOSH, whatever the exit code
    assert done.returncode != 0
    assert "may still be in rotation" in machine.log("drain.stderr")


@pytest.mark.thorough
def test_an_agent_that_hangs_does_not_keep_the_vm_in_rotation(machine: Machine) -> None:
    serving(machine, timeout=20)
    machine.signal_agent(signal.SIGSTOP)

    assert machine.script("drain") == "0\n"

    assert machine.weight() is None


def test_a_disk_that_is_read_only_does_not_keep_the_vm_in_rotation(machine: Machine) -> None:
    serving(machine)
    for folder in (DATA, LOGS):  # on a VM these are one disk
        for options in (("--bind", folder), ("-o", "remount,bind,ro")):
            mounted = machine.vm.run("mount", *options, folder)
            assert mounted.returncode == 0, mounted.stderr

    done = machine.run("pre-stop")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert machine.weight() == 0
    assert machine.script("drain") == "0\n"
    assert machine.weight() is None
    assert "a reboot will not know of it" in done.stderr


def stopped(machine: Machine, next_state: str, *how: str) -> None:
    """What BOSH does to stop the VM's jobs. `how`: the arguments of drain."""
    names = ("BOSH_VM_NEXT_STATE", "BOSH_INSTANCE_NEXT_STATE", "BOSH_DEPLOYMENT_NEXT_STATE")
    done = machine.run("pre-stop", environment=dict.fromkeys(names, next_state))
    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert machine.weight() == 0
    assert machine.script("drain", *how) == "0\n"
    machine.script("run", "stop")
    machine.script("post-stop")


def put_next_version(machine: Machine) -> None:
    """As BOSH installs jobs: a folder for each version, a link to the one that runs."""
    versions = machine.vcap / "data/jobs" / JOB
    versions.rename(versions.with_name("moved"))
    versions.mkdir()
    versions.with_name("moved").rename(versions / "1")
    link = machine.vcap / "jobs" / JOB
    link.unlink()
    link.symlink_to(f"/var/vcap/data/jobs/{JOB}/1")
    (versions / "2").mkdir()


def test_a_restart_leaves_the_vm_its_place_and_takes_two_writes(machine: Machine) -> None:
    serving(machine)
    (before,) = machine.registrations()
    made = len(writes(machine))

    stopped(machine, "keep", "job_shutdown", "hash_unchanged")
    (kept,) = machine.registrations()
    assert (kept.weight, kept.description.split("/")[-1]) == (0, "kept-while-stopped")

    machine.script("pre-start")
    machine.script("run", "start")
    machine.in_service()
    (after,) = machine.registrations()
    assert (after.weight, after.description) == (before.weight, before.description)
    assert writes(machine)[made:] == ["SetBackendServers", "SetBackendServers"]


def test_an_update_in_place_leaves_the_vm_its_place(machine: Machine) -> None:
    serving(machine)
    put_next_version(machine)
    stopped(machine, "keep", "job_changed", "hash_unchanged")
    assert machine.weight() == 0


@pytest.mark.parametrize(
    ("next_state", "how"),
    [
        ("delete", ["job_shutdown", "hash_unchanged"]),
        ("keep", ["job_changed", "hash_unchanged"]),  # no next version: it is taken off the VM
    ],
)
def test_who_does_not_come_back_is_removed(
    machine: Machine, next_state: str, how: list[str]
) -> None:
    serving(machine)
    stopped(machine, next_state, *how)
    assert machine.weight() is None


def test_who_was_stopped_for_a_while_is_removed_when_it_is_deleted(machine: Machine) -> None:
    """`bosh stop`, and later `bosh delete-deployment`: the scripts run once more, without agent."""
    serving(machine)
    stopped(machine, "keep", "job_shutdown", "hash_unchanged")
    assert machine.weight() == 0
    stopped(machine, "delete", "job_shutdown", "hash_unchanged")
    assert machine.weight() is None


def writes(machine: Machine) -> list[str]:
    made = (call.action for call in machine.stage.server.calls.all())
    return [action for action in made if action.endswith("BackendServers")]


def test_draining_lowers_the_weight_first_and_waits_before_it_removes(machine: Machine) -> None:
    serving(machine, min_wait=1)
    seen: list[int | None] = [machine.weight()]

    with machine.begin("drain") as drain:
        while drain.poll() is None:
            seen.append(machine.weight())
            time.sleep(0.02)
        assert drain.stdout is not None
        assert drain.stdout.read() == "0\n"

    assert list(dict.fromkeys(seen)) == [100, 0, None]
