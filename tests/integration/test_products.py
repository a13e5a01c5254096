"""ALB and NLB beside CLB: found, joined, judged, drained and left, by the agent as a process."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from tests.integration.cloud import BALANCER, DRAIN, ME, TAGS, Cloud
from tests.integration.service import Service
from tests.integration.vm import SPEC_ID, Vm
from tests.waiting import eventually

from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.core.resources import HealthCheck

ALB_GROUP, NLB_GROUP = "sgp-bp1alb", "sgp-bp1nlb"
QUICK = HealthCheck(interval_seconds=0.3, healthy_threshold=2, unhealthy_threshold=2)


def tagged_groups(cloud: Cloud) -> dict[str, ServerGroup]:
    """A tagged server group of each product behind a listener, with a server of somebody else."""
    cloud.account.change_seconds = 0.2
    made = {}
    for product, id_ in (("alb", ALB_GROUP), ("nlb", NLB_GROUP)):
        fleet = getattr(cloud.account, product)
        made[product] = fleet.add_server_group(id_, tags=TAGS, health_check=QUICK, **DRAIN)
        fleet.add_load_balancer(f"{product}-bp1").add_listener(80, server_group=id_)
        made[product].add_server("i-bp1first", port=9, weight=30, description="somebody-else")
    return made


def mine(group: ServerGroup, port: int, id_: str = ME) -> tuple[int, str] | None:
    server = group.server(id_, port)
    return None if server is None else (server.weight, server.description)


def others(groups: dict[str, ServerGroup]) -> list[tuple[str, int]]:
    return [(one.server_id, one.weight) for group in groups.values() for one in group.servers()
            if one.description == "somebody-else"]  # fmt: skip


def discovered(status: dict[str, Any]) -> dict[str, bool]:
    return {f"{one['product']}/{one['id']}": one["joined"] for one in status["discovered"]}


def test_a_vm_joins_all_that_carries_its_tags_is_judged_and_drained(vm: Vm, cloud: Cloud) -> None:
    groups = tagged_groups(cloud)
    before = others(groups)
    vm.configure(port=vm.port)
    vm.start()
    eventually(lambda: len((vm.status() or {"groups": ()})["groups"]) == 3)
    status = vm.until("in service")

    assert discovered(status) == {
        f"clb/{BALANCER}": True, f"alb/{ALB_GROUP}": True, f"nlb/{NLB_GROUP}": True,
    }  # fmt: skip
    assert [mine(one, vm.port) for one in groups.values()] == [(100, f"bosh/{SPEC_ID}")] * 2
    checked = vm.command("check")
    assert (checked.code, checked.err) == (0, "")
    assert f"alb/{ALB_GROUP}:{vm.port}" in checked.out
    assert f"nlb/{NLB_GROUP}: joined: carries the tags" in vm.command("status").text

    drained = vm.command("drain")

    assert drained.code == 0
    assert [mine(one, vm.port) for one in groups.values()] == [None, None]
    assert cloud.me is None
    assert others(groups) == before


def test_without_a_port_server_groups_are_reported_and_the_rest_is_joined(
    vm: Vm, cloud: Cloud
) -> None:
    groups = tagged_groups(cloud)
    vm.configure()
    vm.start()
    eventually(lambda: len((vm.status() or {"discovered": ()})["discovered"]) == 3)
    status = vm.until("in service")
    assert discovered(status) == {
        f"clb/{BALANCER}": True, f"alb/{ALB_GROUP}": False, f"nlb/{NLB_GROUP}": False,
    }  # fmt: skip
    assert "set the property port" in status["error"]
    checked = vm.command("check")
    assert checked.code == 1
    assert "set the property port" in checked.err
    assert [mine(one, vm.port) for one in groups.values()] == [None, None]


def test_one_refused_product_does_not_stop_the_others(vm: Vm, cloud: Cloud) -> None:
    groups = tagged_groups(cloud)
    vm.configure(port=vm.port, discovery={"products": ["clb", "nlb"]})
    cloud.spoil("forbidden", "DescribeLoadBalancers")
    vm.start()
    eventually(lambda: mine(groups["nlb"], vm.port) == (100, f"bosh/{SPEC_ID}"))
    status = vm.until("in service")
    assert "slb:DescribeLoadBalancers" in status["error"]
    assert mine(groups["alb"], vm.port) is None
    assert vm.command("drain").code == 0
    assert mine(groups["nlb"], vm.port) is None


def test_a_vm_is_registered_by_its_interface_and_its_address(vm: Vm, cloud: Cloud) -> None:
    groups = tagged_groups(cloud)
    instance = cloud.account.instance(ME)
    assert instance is not None
    by_address = cloud.account.nlb.add_server_group("sgp-bp1ip", type="Ip")
    named = {"server_group_id": ALB_GROUP, "product": "alb"}
    vm.configure(
        server_groups=[
            {**named, "port": vm.port, "server_type": "eni"},
            {**named, "port": 7},
            {
                "product": "nlb",
                "server_group_id": "sgp-bp1ip",
                "port": vm.port,
                "server_type": "ip",
            },
        ]
    )
    vm.start()
    eventually(lambda: len((vm.status() or {"groups": ()})["groups"]) == 3)
    vm.until("in service")
    eni = groups["alb"].server(instance.eni_id, vm.port, instance.private_ip)
    assert eni is not None
    assert eni.weight == 100
    assert mine(groups["alb"], 7) == (100, f"bosh/{SPEC_ID}")
    assert mine(by_address, vm.port, instance.private_ip) == (100, f"bosh/{SPEC_ID}")
    assert vm.command("check").code == 0


def test_a_port_that_is_dropped_from_the_manifest_is_left_and_the_other_stays(
    vm: Vm, cloud: Cloud
) -> None:
    groups = tagged_groups(cloud)
    entry = {"product": "nlb", "server_group_id": NLB_GROUP}
    vm.configure(server_groups=[{**entry, "port": vm.port}, {**entry, "port": 7}])
    agent = vm.start()
    eventually(lambda: len((vm.status() or {"groups": ()})["groups"]) == 2)
    vm.until("in service")
    agent.terminate()

    vm.configure(server_groups=[{**entry, "port": vm.port}])
    vm.start()
    eventually(lambda: mine(groups["nlb"], 7) is None)

    assert mine(groups["nlb"], vm.port) == (100, f"bosh/{SPEC_ID}")


def test_a_group_that_forwards_all_ports_is_joined_with_port_0_and_drained_by_a_range(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    cloud.account.change_seconds = 0.2
    group = cloud.account.nlb.add_server_group(
        "sgp-bp1any", tags=TAGS, any_port=True, health_check=QUICK
    )
    cloud.account.nlb.add_load_balancer("nlb-bp1any").add_listener(80, server_group="sgp-bp1any")
    cloud.account.alb.add_server_group("sgp-bp1fc", type="Fc", tags=TAGS)
    cloud.account.force_health(ME, "normal")
    drain = {"ignore_cidrs": [], "connections_port": [f"{vm.port}-{vm.port + 1}", 1]}
    # Its own connections would count where the loopback is not ignored.
    check = {"type": "script", "port": None, "path": None, "script": "/bin/true"}
    vm.configure(drain=drain, health_check=check, discovery={"products": ["nlb", "alb"]})
    vm.start()
    eventually(lambda: mine(group, 0) == (100, f"bosh/{SPEC_ID}"))
    status = vm.until("in service")
    assert [one["name"] for one in status["groups"]] == ["nlb/sgp-bp1any:0"]
    assert discovered(status) == {"nlb/sgp-bp1any": True, "alb/sgp-bp1fc": False}
    assert status["error"] is None
    assert "not joined: it holds functions (type Fc), no VMs" in vm.command("status").text
    assert vm.command("wait").code == 0

    with service.clients(2):
        draining = vm.begin("drain")
        eventually(lambda: (vm.status()["drain"] or {}).get("connections") == 2)
        assert (draining.running, mine(group, 0)) == (True, (0, f"bosh/{SPEC_ID}"))

    assert (draining.done().code, mine(group, 0)) == (0, None)


def test_a_named_group_that_forwards_all_ports_is_checked_on_the_jobs_port_and_left_when_dropped(
    vm: Vm, cloud: Cloud
) -> None:
    """Then only the journal knows it, by its port 0."""
    cloud.account.change_seconds = 0.2
    group = cloud.account.nlb.add_server_group("sgp-bp1any", any_port=True, health_check=QUICK)
    entry = {"product": "nlb", "server_group_id": "sgp-bp1any", "port": 0}
    vm.configure(server_groups=[entry], port=vm.port, health_check={"port": None})
    agent = vm.start()
    eventually(lambda: mine(group, 0) == (100, f"bosh/{SPEC_ID}"))
    assert f":{vm.port}" in vm.until("in service")["local_checks"][0]["check"]
    agent.kill()
    vm.configure(load_balancer_id=BALANCER)
    vm.start()
    eventually(lambda: mine(group, 0) is None)


def own_address() -> str:
    """An address of this machine that is no loopback one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect(("203.0.113.1", 9))
        except OSError as error:
            pytest.skip(f"no address but the loopback's: {error}")
        address: str = sender.getsockname()[0]
        return address


@pytest.mark.parametrize("which", ["its own", "another"])
def test_connections_to_another_address_of_the_vm_do_not_hold_up_a_drain(
    vm: Vm, cloud: Cloud, which: str
) -> None:
    """Two services with the same port, of which only one stands in a server group."""
    address = own_address()
    cloud.account.nlb.add_server_group("sgp-bp1ip", type="Ip")
    serves = address if which == "its own" else "127.0.0.66"
    group = {"product": "nlb", "server_group_id": "sgp-bp1ip", "server_type": "ip"}
    vm.configure(
        server_groups=[{**group, "port": vm.port, "server_ip": serves}],
        health_check={"type": "script", "port": None, "path": None, "script": "/bin/true"},
    )
    vm.start()
    vm.until("in service")

    with (
        socket.create_server((address, vm.port)) as server,
        socket.create_connection((address, vm.port)) as client,
        server.accept()[0] as accepted,
    ):
        draining = vm.begin("drain")
        if which == "its own":
            eventually(lambda: (vm.status()["drain"] or {}).get("connections") == 1)
            assert draining.running
            client.close()
            accepted.close()
        done = draining.done()

    assert done.code == 0
    assert not [event for event in done.events if "remain" in str(event["message"])]
    assert done.seconds < 15


def test_a_zone_without_a_node_of_the_load_balancer_is_told_by_post_start_status_and_errand(
    vm: Vm, cloud: Cloud
) -> None:
    cloud.account.change_seconds = 0.2
    group = cloud.account.alb.add_server_group(ALB_GROUP, health_check=QUICK)
    balancer = cloud.account.alb.add_load_balancer(
        "alb-bp1", zone_ids=["cn-hangzhou-k"], cross_zone=False
    )
    balancer.add_listener(80, server_group=ALB_GROUP)
    cloud.account.forced_health.clear()
    entry = {"product": "alb", "server_group_id": ALB_GROUP, "port": vm.port}
    vm.configure(server_groups=[entry], post_start={"timeout": 2})
    vm.start()
    eventually(lambda: mine(group, vm.port) == (100, f"bosh/{SPEC_ID}"))
    reason = "the load balancer seems to have no node in the zone of this server"
    waited = vm.command("wait")
    assert waited.code == 1
    assert reason in waited.err
    assert reason in vm.command("status").text
    checked = vm.command("check")
    assert checked.code == 1
    assert f"SLB reports it as unavailable on http:80 (Unused: {reason}" in checked.err

    balancer.cross_zone = True
    cloud.account.force_health(ME, "normal")
    eventually(lambda: vm.command("check").code == 0)
