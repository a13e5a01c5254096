"""How the agent finds where it belongs: by tags, or by what the manifest names."""

from __future__ import annotations

import json

from tests.integration.cloud import (
    BALANCER,
    DEPLOYMENT,
    INSTANCE_GROUP,
    ME,
    OTHERS,
    REGION,
    TAGS,
    VSERVER_GROUP,
    Cloud,
)
from tests.integration.vm import SPEC_ID, Vm
from tests.waiting import eventually


def added(cloud: Cloud, action: str = "AddBackendServers") -> list[dict[str, str]]:
    """What was registered, as it was sent."""
    calls = cloud.gateway.calls.all(action)
    return [entry for call in calls for entry in json.loads(call.params["BackendServers"])]


def test_with_only_the_keys_the_vm_joins_what_carries_its_tags_and_serves_once_it_is_healthy(
    vm: Vm, cloud: Cloud
) -> None:
    for id_, tags in {
        "lb-bp1untagged": {},
        "lb-bp1half": {"bosh-deployment": DEPLOYMENT},
        "lb-bp1wrong": {**TAGS, "bosh-instance-group": "another"},
    }.items():
        cloud.account.add_load_balancer(id_, tags=tags)
    cloud.account.add_load_balancer("lb-bp1elsewhere", tags=TAGS, region="cn-beijing")
    before = cloud.others()
    cloud.probe()
    vm.render(vm.given)

    vm.start()
    eventually(lambda: cloud.weight == 0)
    eventually(lambda: cloud.weight == 100)
    status = vm.until("in service")
    eventually(lambda: len(vm.events("SLB reports this VM's health")) == 2)

    assert (status["instance_id"], status["region"]) == (ME, REGION)
    assert [group["load_balancer_id"] for group in status["groups"]] == [BALANCER]
    (sent,) = added(cloud)
    assert (sent["ServerId"], sent["Weight"], sent["Description"]) == (ME, "0", f"bosh/{SPEC_ID}")
    assert cloud.writes() == ["AddBackendServers", "SetBackendServers"]
    reported = vm.events("SLB reports this VM's health")
    assert [event["status"] for event in reported] == ["unavailable", "normal"]
    assert cloud.others() == before
    assert {b.server_id: b.weight for b in before[BALANCER]} == OTHERS


def test_where_nothing_is_tagged_it_says_so_goes_on_looking_and_joins_once_it_is(
    vm: Vm, cloud: Cloud
) -> None:
    cloud.balancer.set_tags({}, remove=tuple(TAGS))
    vm.configure()

    agent = vm.start()
    status = vm.until("failing")
    checked = vm.command("check")
    looks = len(cloud.gateway.calls.all("DescribeLoadBalancers"))
    eventually(lambda: len(cloud.gateway.calls.all("DescribeLoadBalancers")) > looks)

    told = f"no load balancer or server group in region {REGION} carries the tags "
    told += f"bosh-deployment={DEPLOYMENT}, bosh-instance-group={INSTANCE_GROUP}"
    assert status["error"] == told
    (event,) = vm.events("no load balancer carries the tags: looking again")
    assert (event["level"], event["region"]) == ("warning", REGION)
    assert all(f"{key}={value}" in event["tags"] for key, value in TAGS.items())
    assert (checked.code, told in checked.err) == (1, True)
    assert cloud.writes() == []

    cloud.balancer.set_tags(TAGS)
    vm.until("in service")

    assert cloud.weight == 100
    assert agent.running


def test_a_second_load_balancer_that_is_tagged_later_is_joined_too(vm: Vm, cloud: Cloud) -> None:
    vm.configure(discovery={"interval": 0.3})
    vm.start()
    vm.until("in service")

    later = cloud.account.add_load_balancer("lb-bp1later", tags=TAGS)
    eventually(lambda: [b.weight for b in later.default_group.servers()] == [100])

    assert cloud.weight == 100


def test_a_named_load_balancer_turns_discovery_off(vm: Vm, cloud: Cloud) -> None:
    named = cloud.account.add_load_balancer("lb-bp1named")
    vm.configure(load_balancer_id="lb-bp1named")

    vm.start()
    vm.until("in service")

    assert [(b.server_id, b.weight) for b in named.default_group.servers()] == [(ME, 100)]
    assert cloud.me is None
    assert cloud.gateway.calls.all("DescribeLoadBalancers") == []


def test_named_groups_and_discovery_together_join_each_group_once(vm: Vm, cloud: Cloud) -> None:
    vm.configure(
        discovery={"enabled": True},
        server_groups=[
            {"load_balancer_id": BALANCER, "weight": 30},
            {"vserver_group_id": VSERVER_GROUP, "port": vm.port},
        ],
    )

    vm.start()
    eventually(lambda: cloud.gateway.calls.all("DescribeLoadBalancers"))
    status = vm.until("in service")
    checked = vm.command("check")

    assert len(status["groups"]) == 2
    assert cloud.weight == 30  # as the manifest says, though it was found by its tags as well
    assert (checked.code, checked.err) == (0, "")
    assert len(added(cloud)) == 1


def test_a_vserver_group_gets_the_vm_with_its_port_weight_and_description(
    vm: Vm, cloud: Cloud
) -> None:
    before = cloud.others()
    vm.configure(
        server_groups=[
            {
                "product": "clb",
                "vserver_group_id": VSERVER_GROUP,
                "port": vm.port,
                "weight": 70,
                "description": "shop/web",
            }
        ]
    )

    vm.start()
    vm.until("in service")

    (sent,) = added(cloud, "AddVServerGroupBackendServers")
    assert sent["Port"] == str(vm.port)
    mine = cloud.vserver_group.server(ME, vm.port)
    assert mine is not None
    assert (mine.weight, mine.description) == (70, f"bosh/{SPEC_ID}/shop/web")
    assert cloud.others() == before
    assert cloud.me is None
