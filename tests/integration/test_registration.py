"""The registration over the agent's life: kept, repaired, left alone, never anybody else's."""

from __future__ import annotations

import json
import signal

from tests.integration.cloud import BALANCER, ME, OTHERS, VSERVER_GROUP, WRITES, Cloud
from tests.integration.service import Service
from tests.integration.vm import SPEC_ID, Vm
from tests.waiting import eventually

from mock_slb.clb.group import ServerGroup

MARKED = f"bosh/{SPEC_ID}"


def start_in_service(vm: Vm) -> None:
    vm.start()
    vm.until("in service")


def until_read(cloud: Cloud) -> None:
    """Wait until the agent has seen what is now: before, it would doubt its own read."""
    mark = cloud.mark
    eventually(lambda: cloud.reads(mark) >= 2)


def test_sigterm_leaves_the_registration_and_a_restart_finds_it_and_writes_nothing(
    vm: Vm, cloud: Cloud
) -> None:
    agent = vm.start()
    vm.until("in service")
    before = cloud.me
    mark = cloud.mark

    code = agent.terminate()
    assert (code, cloud.me) == (0, before)
    start_in_service(vm)
    eventually(lambda: cloud.reads(mark) >= 3)

    assert cloud.writes(mark) == []
    assert cloud.me == before
    assert vm.events("agent stopped, registrations stay as they are")


def test_sigkill_leaves_the_registration_and_a_restart_finds_it_and_writes_nothing(
    vm: Vm, cloud: Cloud
) -> None:
    agent = vm.start()
    vm.until("in service")
    before, mark = cloud.me, cloud.mark

    agent.kill()
    start_in_service(vm)

    assert (cloud.writes(mark), cloud.me) == ([], before)


def test_a_restart_changes_nothing_while_the_health_of_the_service_is_unknown(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    agent = vm.start()
    vm.until("in service")
    agent.terminate()
    service.healthy = False
    vm.configure(health_check={"unhealthy_threshold": 100})
    mark = cloud.mark

    vm.start()
    eventually(lambda: len(service.failures) >= 5 and cloud.reads(mark) >= 2)

    assert (cloud.weight, cloud.writes(mark)) == (100, [])


def test_a_registration_that_someone_removes_comes_back_with_its_weight(
    vm: Vm, cloud: Cloud
) -> None:
    start_in_service(vm)
    until_read(cloud)
    cloud.balancer.default_group.remove_server(ME)

    eventually(lambda: len(vm.events("registered")) == 2)

    assert cloud.weight == 100
    event = vm.events("registered")[-1]
    assert (event["server"], event["reason"]) == (ME, "another writer changed it")
    status = vm.until("in service")
    assert status["groups"][0]["drift_repaired"] == {"registration": 1, "weight": 0}


def test_a_weight_that_someone_changes_is_restored_three_times_and_then_left_alone(
    vm: Vm, cloud: Cloud
) -> None:
    start_in_service(vm)
    until_read(cloud)
    for change in (10, 0, 20):
        cloud.balancer.default_group.set_weight(ME, change)
        eventually(lambda: cloud.weight == 100)
        until_read(cloud)
    mark = cloud.mark
    cloud.balancer.default_group.set_weight(ME, 5)

    eventually(lambda: vm.status()["groups"][0]["conflict"])
    eventually(lambda: cloud.reads(mark) >= 3)

    assert (cloud.weight, cloud.writes(mark)) == (5, [])
    (event,) = [e for e in vm.events() if e["message"].startswith("another writer keeps changing")]
    assert (event["level"], event["field"]) == ("warning", "weight")
    assert 500 < event["seconds"] <= 600
    status = vm.status()
    assert status["state"] == "not in service"
    assert status["groups"][0]["state"] == "conflict"
    assert status["groups"][0]["drift_repaired"]["weight"] == 3


def test_the_description_is_resent_with_every_change_of_the_weight(vm: Vm, cloud: Cloud) -> None:
    start_in_service(vm)
    assert cloud.me.description == MARKED

    cloud.balancer.default_group.set_weight(ME, 7)
    eventually(lambda: cloud.weight == 100)

    assert cloud.me.description == MARKED


def test_two_agents_that_register_the_same_vm_twice_do_no_harm(vm: Vm, cloud: Cloud) -> None:
    vm.configure(load_balancer_id=BALANCER)
    start_in_service(vm)
    second = Vm(vm.folder / "second", vm.url, vm.port)
    try:
        second.configure(load_balancer_id=BALANCER)
        mark = cloud.mark
        start_in_service(second)
        eventually(lambda: cloud.reads(mark) >= 6)

        assert cloud.writes(mark) == []
        assert [b.server_id for b in cloud.balancer.default_group.servers()] == [*OTHERS, ME]
    finally:
        second.close()


def predecessor(cloud: Cloud, group: ServerGroup) -> None:
    cloud.account.add_instance("i-bp1old")
    group.add_server("i-bp1old", weight=100, description=MARKED)
    # One that only looks like it.
    cloud.account.add_instance("i-bp1near")
    group.add_server("i-bp1near", weight=100, description=f"{MARKED}x")


def removed(cloud: Cloud) -> list[tuple[str, str]]:
    calls = [call for call in cloud.calls if call.action in WRITES]
    return [
        (call.action, entry["ServerId"])
        for call in calls
        for entry in json.loads(call.params["BackendServers"])
    ]


def test_the_vm_that_bosh_has_replaced_leaves_once_its_successor_serves(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    predecessor(cloud, cloud.balancer.default_group)
    service.healthy = False
    vm.start()
    eventually(lambda: cloud.weight == 0 and service.failures)
    assert cloud.balancer.default_group.server("i-bp1old") is not None

    service.healthy = True
    eventually(lambda: cloud.balancer.default_group.server("i-bp1old") is None)

    assert removed(cloud) == [
        ("AddBackendServers", ME),
        ("SetBackendServers", ME),
        ("RemoveBackendServers", "i-bp1old"),
    ]
    assert cloud.balancer.default_group.server("i-bp1near") is not None
    cloud.gateway.calls.clear()  # what is allowed here is forbidden everywhere else


def test_under_create_env_nobody_is_a_predecessor(vm: Vm, cloud: Cloud) -> None:
    predecessor(cloud, cloud.balancer.default_group)
    properties = json.loads(vm.config.read_text())["properties"]
    vm.render(properties, director=False)
    start_in_service(vm)
    mark = cloud.mark

    eventually(lambda: cloud.reads(mark) >= 2)

    assert cloud.writes(mark) == []


def test_two_groups_are_served_each_on_its_own_and_nobody_else_is_touched(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    before = cloud.others()
    vm.configure(
        server_groups=[
            {"load_balancer_id": BALANCER},
            {"vserver_group_id": VSERVER_GROUP, "port": vm.port, "weight": 60},
        ]
    )
    agent = vm.start()
    vm.until("in service")
    service.healthy = False
    eventually(lambda: cloud.weight == 0 and cloud.vserver_group.server(ME, vm.port).weight == 0)
    service.healthy = True
    vm.until("in service")
    cloud.balancer.default_group.remove_server(ME)
    eventually(lambda: cloud.weight == 100)
    agent.signal(signal.SIGKILL)
    agent.wait()
    start_in_service(vm)

    drained = vm.command("drain")

    assert drained.code == 0
    assert cloud.me is None
    assert cloud.vserver_group.server(ME, vm.port) is None
    assert cloud.others() == before


def in_both_groups_and_stopped(vm: Vm, cloud: Cloud) -> None:
    vm.configure(
        server_groups=[
            {"load_balancer_id": BALANCER},
            {"vserver_group_id": VSERVER_GROUP, "port": vm.port},
        ]
    )
    agent = vm.start()
    vm.until("in service")
    agent.terminate()
    vm.configure(load_balancer_id=BALANCER)


def test_a_group_that_the_manifest_no_longer_names_is_left(vm: Vm, cloud: Cloud) -> None:
    in_both_groups_and_stopped(vm, cloud)
    before, mark = cloud.others(), cloud.mark

    start_in_service(vm)
    eventually(lambda: cloud.vserver_group.server(ME, vm.port) is None)

    assert cloud.writes(mark) == ["SetVServerGroupAttribute", "RemoveVServerGroupBackendServers"]
    assert (cloud.weight, cloud.others()) == (100, before)


def test_a_dropped_group_that_the_vm_has_left_already_is_not_joined_again(
    vm: Vm, cloud: Cloud
) -> None:
    in_both_groups_and_stopped(vm, cloud)
    cloud.vserver_group.remove_server(ME, port=vm.port)
    mark = cloud.mark

    start_in_service(vm)
    eventually(lambda: len(vm.status()["groups"]) == 1)

    assert cloud.writes(mark) == []


def test_a_registration_by_tags_stays_ours_though_the_listing_fails_after_a_restart(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    agent = vm.start()
    vm.until("in service")
    agent.terminate()
    cloud.spoil("forbidden", "DescribeLoadBalancers")

    vm.start()
    eventually(lambda: "DescribeLoadBalancers" in ((vm.status() or {}).get("error") or ""))
    assert len(vm.status()["groups"]) == 1
    service.healthy = False
    eventually(lambda: cloud.weight == 0)


def test_a_load_balancer_that_does_not_exist_is_said_once_and_hinders_no_other(
    vm: Vm, cloud: Cloud
) -> None:
    vm.configure(
        server_groups=[{"load_balancer_id": "lb-bp1missing"}, {"load_balancer_id": BALANCER}]
    )

    agent = vm.start()
    status = vm.until("partly in service")
    mark = cloud.mark
    eventually(lambda: len(cloud.since(mark)) >= 3)

    missing = next(g for g in status["groups"] if g["load_balancer_id"] == "lb-bp1missing")
    assert missing["state"] == "failing"
    assert "InvalidLoadBalancerId.NotFound" in missing["last_error"]
    assert "check the id, the region" in missing["last_error"]
    (event,) = vm.events("a call failed")
    assert (event["level"], event["group"]) == ("error", "clb/lb-bp1missing")
    assert event["next_try_seconds"] >= 200
    asked = [c for c in cloud.calls if c.params.get("LoadBalancerId") == "lb-bp1missing"]
    assert len(asked) == 1
    assert (agent.running, cloud.weight) == (True, 100)
