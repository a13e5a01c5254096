"""What deploys leave in the load balancer: updates, failures in between, changed properties."""

from __future__ import annotations

import signal
import time

import pytest
from tests.lifecycle.machine import Machine, eventually

from demo import cloud
from demo.installation import JOB
from mock_slb.clb.group import ServerGroup
from mock_slb.gateway.faults import Delay, Refuse, Rule

SECOND_BALANCER = "lb-bp2demo"
VSERVER_GROUP = "rsp-bp1demo"
DEAD_API = Rule(Refuse("ServiceUnavailable", 503), action="[A-Z]*")


def default_group() -> dict[str, object]:
    return {"product": "clb", "load_balancer_id": cloud.LOAD_BALANCER}


def second_balancer() -> dict[str, object]:
    return {"product": "clb", "load_balancer_id": SECOND_BALANCER}


def vserver_group(port: int) -> dict[str, object]:
    return {"product": "clb", "vserver_group_id": VSERVER_GROUP, "port": port}


def more_groups(machine: Machine) -> tuple[ServerGroup, ServerGroup]:
    """Two more server groups in the account, without listeners: a second CLB's and a vServer's."""
    account = machine.stage.server.account
    second = account.add_load_balancer(SECOND_BALANCER)
    return second.default_group, second.add_vserver_group(VSERVER_GROUP)


def ports(machine: Machine, group: ServerGroup) -> list[int | None]:
    return [one.port for one in machine.registrations(group)]


def test_the_whole_way_of_an_update(machine: Machine) -> None:
    machine.start()
    machine.script("post-start")

    assert machine.script("pre-stop") == "0\n"
    assert machine.weight() == 0
    assert machine.script("drain", "job_shutdown", "hash_unchanged") == "0\n"
    assert machine.weight() is None
    machine.stop()
    assert not [line for line in machine.vm.processes().values() if "aliyun_py" in line]
    assert machine.weight() is None

    machine.deploy()
    machine.script("pre-start")
    machine.monit("start", JOB)
    machine.script("post-start")
    assert machine.weight() == 100


@pytest.mark.thorough
@pytest.mark.parametrize("agent_died", [False, True])
def test_another_jobs_drain_fails_and_the_next_start_serves_again(
    machine: Machine, agent_died: bool
) -> None:
    """The deploy ends after our drain: monit no longer watches, and nothing was stopped."""
    machine.start()
    machine.script("pre-stop")
    machine.monit("unmonitor", JOB)
    machine.script("drain")
    before = machine.agent()
    if agent_died:
        machine.signal_agent(signal.SIGKILL)
        eventually(lambda: machine.agent() is None)

    # Only a new start means that this VM is to serve.
    assert machine.weight() is None
    machine.script("pre-start")
    machine.monit("start", JOB)
    machine.script("post-start")

    assert machine.weight() == 100
    assert (machine.agent() == before) is not agent_died


def test_skipping_drain_leaves_nothing_since_post_stop_removes_it(machine: Machine) -> None:
    machine.start()
    machine.monit("stop", JOB)
    eventually(lambda: machine.agent() is None)
    assert machine.weight() == 100

    started = time.monotonic()
    machine.script("post-stop")

    assert machine.weight() is None
    assert time.monotonic() - started < 10


def test_a_group_that_was_dropped_is_left_and_the_others_are_served(machine: Machine) -> None:
    second, _ = more_groups(machine)
    machine.start(server_groups=[default_group(), second_balancer()])
    machine.script("post-start")
    assert (machine.weight(), machine.weight(second)) == (100, 100)
    machine.script("pre-stop")
    machine.stop()

    machine.deploy(server_groups=[default_group()])
    machine.script("pre-start")
    machine.monit("start", JOB)
    machine.script("post-start")

    assert (machine.weight(), machine.weight(second)) == (100, None)


@pytest.mark.thorough
def test_what_could_not_be_drained_and_is_no_longer_wanted_is_left_by_the_next_agent(
    machine: Machine,
) -> None:
    """The API is dead during the whole stop; then a group is gone and a port has changed."""
    second, vserver = more_groups(machine)
    port = machine.stage.service.port
    machine.start(
        server_groups=[default_group(), second_balancer(), vserver_group(port)],
        drain={"timeout": 2},
    )
    machine.script("post-start")
    assert ports(machine, vserver) == [port]
    machine.stage.server.faults.add(DEAD_API)
    assert machine.script("pre-stop") == "0\n"
    machine.stop()
    assert (machine.weight(), machine.weight(second)) == (100, 100)
    machine.stage.server.faults.clear()

    machine.deploy(server_groups=[default_group(), vserver_group(port + 1)])
    machine.script("pre-start")
    machine.monit("start", JOB)
    machine.script("post-start")

    eventually(lambda: machine.weight(second) is None)
    eventually(lambda: ports(machine, vserver) == [port + 1])
    assert (machine.weight(), machine.weight(vserver)) == (100, 100)


@pytest.mark.thorough
def test_a_changed_weight_is_taken_on(machine: Machine) -> None:
    machine.start(server_groups=[default_group()])
    machine.monit("stop", JOB)
    eventually(lambda: machine.agent() is None)

    machine.deploy(server_groups=[{**default_group(), "weight": 40}])
    machine.script("pre-start")
    machine.monit("start", JOB)
    machine.script("post-start")

    assert machine.weight() == 40


@pytest.mark.thorough
def test_a_vm_that_is_to_be_deleted_has_no_agent_and_no_registration_left(
    machine: Machine,
) -> None:
    """Though the agent hangs, post-stop ends it; though the API hangs, it takes at most 10 s."""
    machine.start(drain={"timeout": 2})
    machine.monit("unmonitor", JOB)
    machine.signal_agent(signal.SIGSTOP)
    machine.stage.server.faults.add(Rule(Delay(60), action="[A-Z]*"))

    started = time.monotonic()
    machine.script("post-stop")
    took = time.monotonic() - started

    assert machine.agent() is None
    assert took < 10

    machine.stage.server.faults.clear()
    machine.script("post-stop")
    assert machine.weight() is None
