"""Leaving: weight 0, connections end, removed. With a running agent, without, and across deaths."""

from __future__ import annotations

import signal

import pytest
from tests.integration.cloud import BALANCER, TAGS, Cloud
from tests.integration.service import Service
from tests.integration.vm import Done, Process, Vm
from tests.waiting import eventually

REMOVAL = ["SetBackendServers", "RemoveBackendServers"]


def serve(vm: Vm, cloud: Cloud) -> int:
    """An agent in service; returns the mark from which on calls are counted."""
    vm.start()
    vm.until("in service")
    return cloud.mark


def served_and_stopped(vm: Vm, cloud: Cloud) -> int:
    agent = vm.start()
    vm.until("in service")
    agent.kill()
    return cloud.mark


def stages(done: Done) -> list[object]:
    return [event["stage"] for event in done.events if event["message"] == "drain"]


def test_drain_lowers_waits_removes_and_tells_on_stderr_only(vm: Vm, cloud: Cloud) -> None:
    before = cloud.others()
    mark = serve(vm, cloud)

    done = vm.command("drain")

    assert (done.code, done.out) == (0, "")
    assert cloud.writes(mark) == REMOVAL
    assert cloud.me is None
    assert done.events[-1]["message"] == "drained"
    assert [e["stage"] for e in vm.events("drain")] == ["waiting", "removing", "done"]
    assert cloud.others() == before


def test_a_drained_vm_stays_out_across_restarts_until_the_job_starts_anew(
    vm: Vm, cloud: Cloud
) -> None:
    agent = vm.start()
    vm.until("in service")
    vm.command("drain")
    mark = cloud.mark
    agent.terminate()
    agent = vm.start()
    vm.until("drained")
    eventually(lambda: cloud.reads(mark) >= 1)
    assert (cloud.me, cloud.writes(mark)) == (None, [])
    agent.terminate()

    assert vm.command("validate", "--pre-start").code == 0
    serve(vm, cloud)

    assert cloud.weight == 100


def test_pre_start_tells_an_agent_that_still_runs_that_the_drain_is_over(
    vm: Vm, cloud: Cloud
) -> None:
    serve(vm, cloud)
    vm.command("drain")

    vm.command("validate", "--pre-start")
    vm.until("in service")

    assert cloud.weight == 100


def test_resume_ends_a_drain(vm: Vm, cloud: Cloud) -> None:
    serve(vm, cloud)
    vm.command("drain")

    resumed = vm.command("resume")

    assert resumed.code == 0
    assert (cloud.weight, vm.status()["state"]) == (100, "in service")


def test_drain_twice_is_done_at_once_the_second_time(vm: Vm, cloud: Cloud) -> None:
    serve(vm, cloud)
    vm.command("drain")
    mark = cloud.mark

    again = vm.command("drain")

    assert (again.code, again.out, cloud.writes(mark)) == (0, "", [])
    assert vm.status()["state"] == "drained"


def test_two_drains_at_a_time_end_well_and_remove_once(vm: Vm, cloud: Cloud) -> None:
    mark = serve(vm, cloud)

    both = [vm.begin("drain"), vm.begin("drain")]

    assert [process.done().code for process in both] == [0, 0]
    assert cloud.writes(mark) == REMOVAL


def test_drain_without_an_agent_does_it_all_itself(vm: Vm, cloud: Cloud) -> None:
    before = cloud.others()
    mark = served_and_stopped(vm, cloud)

    done = vm.command("drain")

    assert (done.code, done.out) == (0, "")
    assert done.events[0]["message"] == "no agent is running: draining without it"
    assert stages(done) == ["waiting", "removing", "done"]
    assert cloud.writes(mark) == REMOVAL
    assert (cloud.me, cloud.others()) == (None, before)

    again = vm.command("drain")
    assert (again.code, cloud.writes(mark)) == (0, REMOVAL)


def test_drain_of_a_vm_that_was_never_registered_writes_nothing(vm: Vm, cloud: Cloud) -> None:
    done = vm.command("drain")

    assert (done.code, cloud.writes()) == (0, [])


def test_drain_where_nothing_is_tagged_is_done_at_once(vm: Vm, cloud: Cloud) -> None:
    cloud.balancer.set_tags({}, remove=tuple(TAGS))
    vm.start()
    vm.until("failing")

    done = vm.command("drain")

    assert (done.code, done.events[-1]["message"]) == (0, "drained")


def test_method_remove_takes_the_vm_out_before_it_waits(vm: Vm, cloud: Cloud) -> None:
    vm.configure(drain={"method": "remove"})
    mark = serve(vm, cloud)

    done = vm.command("drain")

    assert done.code == 0
    assert cloud.writes(mark) == ["RemoveBackendServers"]
    assert [e["stage"] for e in vm.events("drain")] == ["waiting", "done"]


def test_drain_waits_for_connections_and_goes_on_when_they_have_ended(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    vm.configure(drain={"ignore_cidrs": [], "connections_port": vm.port}, health_check=NO_CHECK)
    serve(vm, cloud)
    with service.clients(2) as clients:
        draining = vm.begin("drain")
        eventually(lambda: (vm.status()["drain"] or {}).get("connections") == 2)
        assert (draining.running, cloud.weight) == (True, 0)
        clients[0].close()
        eventually(lambda: vm.status()["drain"]["connections"] == 1)
        assert draining.running

    done = draining.done()
    assert (done.code, cloud.me) == (0, None)
    assert done.seconds < 15  # of the 20 it may take


# Its own connections would count where the loopback is not ignored.
NO_CHECK = {"type": "none", "port": None, "path": None}


def begin_to_serve_clients(vm: Vm) -> Process:
    """A drain of this VM waits for its clients."""
    vm.configure(drain={"ignore_cidrs": [], "connections_port": vm.port}, health_check=NO_CHECK)
    agent = vm.start()
    vm.until("in service")
    return agent


@pytest.mark.parametrize("with_agent", [True, False])
def test_drain_removes_in_time_although_connections_remain_and_says_how_many(
    vm: Vm, cloud: Cloud, service: Service, with_agent: bool
) -> None:
    vm.configure(
        drain={"timeout": 8, "ignore_cidrs": [], "connections_port": vm.port},
        health_check=NO_CHECK,
    )
    _ = serve(vm, cloud) if with_agent else served_and_stopped(vm, cloud)

    with service.clients(3):
        done = vm.command("drain")

    assert (done.code, cloud.me) == (0, None)
    told = vm.events() if with_agent else done.events
    (warning,) = [e for e in told if "connections remain" in str(e["message"])]
    assert (warning["level"], warning["connections"]) == ("warning", 3)
    assert done.seconds < 8


def test_connections_of_ignored_networks_are_not_waited_for(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    serve(vm, cloud)

    with service.clients(2):
        done = vm.command("drain")

    assert (done.code, cloud.me) == (0, None)
    assert done.seconds < 15


def test_an_agent_that_is_killed_in_the_middle_goes_on_draining_when_it_is_back(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    agent = begin_to_serve_clients(vm)
    with service.clients(1):
        vm.mark_draining()
        eventually(lambda: vm.status()["state"] == "draining" and cloud.weight == 0)
        agent.kill()
        mark = cloud.mark
        vm.start()
        vm.until("draining")
        eventually(lambda: cloud.reads(mark) >= 2)
        assert (cloud.weight, cloud.writes(mark)) == (0, [])

    vm.until("drained")
    assert (cloud.me, cloud.writes(mark)) == (None, ["RemoveBackendServers"])


def test_drain_goes_on_by_itself_when_the_agent_dies_meanwhile(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    agent = begin_to_serve_clients(vm)
    mark = cloud.mark
    with service.clients(1):
        draining = vm.begin("drain")
        eventually(lambda: cloud.weight == 0)
        agent.signal(signal.SIGKILL)
        agent.wait()
        eventually(lambda: "the agent has gone" in draining.err.read_text())
        assert cloud.weight == 0

    done = draining.done()
    assert (done.code, done.out, cloud.me) == (0, "", None)
    assert cloud.writes(mark) == REMOVAL


def test_drain_ends_well_when_the_agent_is_restarted_meanwhile(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    agent = begin_to_serve_clients(vm)
    with service.clients(1):
        draining = vm.begin("drain")
        eventually(lambda: cloud.weight == 0)
        agent.kill()
        vm.start()
        vm.until("draining")

    done = draining.done()
    assert (done.code, done.out, cloud.me) == (0, "", None)
    vm.until("drained")


def test_drain_quick_removes_what_is_left_without_waiting_and_without_a_marker(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    vm.configure(drain={"min_wait": 15, "ignore_cidrs": [], "connections_port": vm.port})
    mark = served_and_stopped(vm, cloud)

    with service.clients(1):
        done = vm.command("drain", "--quick")

    assert (done.code, done.out, cloud.me) == (0, "", None)
    assert done.seconds < 10
    assert cloud.writes(mark) == ["RemoveBackendServers"]
    serve(vm, cloud)
    assert cloud.weight == 100


def test_drain_quick_after_a_drain_asks_for_nothing(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start()
    vm.until("in service")
    vm.command("drain")
    agent.terminate()
    mark = cloud.mark

    done = vm.command("drain", "--quick")

    assert (done.code, cloud.mark) == (0, mark)


def test_with_register_false_a_drain_has_nothing_to_do(vm: Vm, cloud: Cloud) -> None:
    vm.configure(register=False, load_balancer_id=BALANCER)
    vm.start()
    vm.until("idle")

    assert vm.command("drain").code == 0
    assert cloud.calls == []
