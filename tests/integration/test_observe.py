"""A VM that only observes, and from there to one that registers itself: real processes."""

from __future__ import annotations

import json
import time

import pytest
from tests.integration.cloud import BALANCER, ME, Cloud
from tests.integration.service import Service
from tests.integration.vm import SPEC_ID, Vm
from tests.waiting import eventually

WRITES = ("AddBackendServers", "SetBackendServers", "RemoveBackendServers")


def put_in(cloud: Cloud, weight: int = 100) -> None:
    """As the CPI does, when it makes the VM: without a marker."""
    cloud.balancer.default_group.add_server(ME, weight=weight, description="")


def would(vm: Vm) -> str | None:
    """What would be done in the one server group."""
    groups = (vm.status() or {"groups": []})["groups"]
    return groups[0]["would"]["text"] if groups and groups[0]["would"] else None


def test_what_the_cpi_has_registered_is_taken_over_without_a_moment_out_of_rotation(
    vm: Vm, cloud: Cloud
) -> None:
    """Observe, look at what differs, switch: of the log of calls and the account's own."""
    put_in(cloud, weight=80)
    vm.configure(mode="observe")
    agent = vm.start()
    started = vm.command("wait")
    assert (started.code, started.seconds < 20) == (0, True)
    assert "weight 80: mode is observe; it would set the weight to 100" in started.err
    assert would(vm) == "set the weight to 100"
    status = vm.command("status")
    assert status.code == 1
    assert status.out.startswith(
        "state      observing, but it would make a change in 1 of 1 server"
    )
    assert "would    set the weight to 100" in status.out
    found = vm.command("check")
    assert found.code == 1
    assert "the weight is 80 and should be 100" in found.err
    assert "mode is observe" in found.err

    vm.configure(mode="observe", server_groups=[{"load_balancer_id": BALANCER, "weight": 80}])
    assert vm.command("drain", "--pre-stop").code == 0
    assert vm.command("drain", "--after-pre-stop").code == 0
    agent.terminate()
    vm.command("drain", "--quick")
    vm.command("validate", "--pre-start")
    agent = vm.start()
    assert vm.command("wait").code == 0
    assert vm.command("status").code == 0
    assert (cloud.writes(), cloud.weight) == ([], 80)

    # The deploy that switches: stopped with the old configuration, started with the new one.
    assert vm.command("drain", "--pre-stop").code == 0
    assert vm.command("drain", "--after-pre-stop").code == 0
    agent.terminate()
    vm.command("drain", "--quick")
    vm.configure(server_groups=[{"load_balancer_id": BALANCER, "weight": 90}])
    vm.command("validate", "--pre-start")
    vm.start()
    assert vm.command("wait").code == 0
    vm.until("in service")

    changes = [json.loads(c.params["BackendServers"]) for c in cloud.since(0) if c.action in WRITES]
    assert cloud.writes() == ["SetBackendServers"]
    assert [[(one["ServerId"], int(one["Weight"])) for one in call] for call in changes] == [
        [(ME, 90)]
    ]
    assert cloud.me is not None
    assert cloud.me.description == f"bosh/{SPEC_ID}"  # it is ours from now on
    assert vm.command("drain").code == 0
    assert cloud.me is None


def test_what_is_as_it_should_be_is_taken_over_without_a_write(vm: Vm, cloud: Cloud) -> None:
    put_in(cloud)
    vm.configure(mode="observe")
    agent = vm.start()
    vm.until("observing")
    eventually(lambda: vm.command("status").code == 0)
    agent.terminate()

    vm.configure()
    vm.start()
    vm.until("in service")

    assert (cloud.writes(), cloud.weight) == ([], 100)
    assert vm.command("drain").code == 0
    assert cloud.me is None


def test_nothing_is_written_by_any_command_or_change(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    put_in(cloud)
    vm.configure(mode="observe", post_start={"timeout": 180})
    agent = vm.start()
    assert vm.command("wait").code == 0

    service.healthy = False
    eventually(lambda: would(vm) == "set the weight to 0")
    service.healthy = True
    eventually(lambda: would(vm) is None)
    cloud.balancer.default_group.remove_server(ME)
    eventually(lambda: would(vm) == "register this VM with weight 100")
    put_in(cloud)
    eventually(lambda: would(vm) is None)

    held = vm.command("hold", "--for", "2h")
    assert (held.code, "mode is observe" in held.err) == (1, True)
    assert not (vm.data_dir / "hold").exists()
    assert vm.command("resume").code == 0
    for options in ((), ("--remove", "i-bp1gone"), ("--remove", "i-bp1gone", "--json")):
        done = vm.command("orphans", *options)
        assert (done.code != 0, "no server is removed" in done.err) == (bool(options),) * 2
    vm.mark_draining()  # as a stop of an earlier configuration has left it
    eventually(lambda: would(vm) == "set the weight to 0")
    began = time.monotonic()
    assert [vm.command("drain", *one).code for one in ((), ("--pre-stop",), ("--quick",))] == [
        0
    ] * 3
    assert time.monotonic() - began < 20
    agent.terminate()
    assert [vm.command("drain", *one).code for one in ((), ("--pre-stop",), ("--quick",))] == [
        0
    ] * 3

    assert (cloud.writes(), cloud.weight) == ([], 100)
    assert not (vm.data_dir / "journal.json").exists()
    told = [
        one["would"] for one in vm.events("mode is observe: nothing is changed") if "would" in one
    ]
    assert told == [
        "set the weight to 0", "register this VM with weight 100", "set the weight to 0",
    ]  # fmt: skip


def test_what_was_observed_is_not_left_as_if_it_had_been_ours(vm: Vm, cloud: Cloud) -> None:
    """The CPI has put it in a group that is not to be this job's after all."""
    put_in(cloud)
    vm.configure(mode="observe", load_balancer_id=BALANCER)
    agent = vm.start()
    assert vm.command("wait").code == 0
    agent.terminate()

    group = {"vserver_group_id": cloud.vserver_group.id, "port": vm.port}
    vm.configure(server_groups=[group])
    vm.start()
    vm.until("in service")

    assert cloud.weight == 100
    assert not set(cloud.writes()) & set(WRITES)  # of the default group


@pytest.mark.parametrize("preset", ["forbidden", "unavailable"])
def test_a_deploy_passes_though_nothing_can_be_read_and_says_so(
    vm: Vm, cloud: Cloud, preset: str
) -> None:
    cloud.spoil(preset, "[A-Z]*")
    vm.configure(mode="observe", load_balancer_id=BALANCER, post_start={"timeout": 5})
    vm.start()

    started = vm.command("wait")

    assert started.code == 0
    assert "DescribeLoadBalancerAttribute" in started.err
    assert (vm.command("status").code, vm.command("check").code) == (1, 1)
