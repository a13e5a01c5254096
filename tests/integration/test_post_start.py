"""post-start, with the agent as a process: how soon it ends, and what an operator is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.cloud import ACCESS_KEY, BALANCER, ME, OTHERS, SECRET_KEY, TAGS, Cloud
from tests.integration.service import Service
from tests.integration.vm import Done, Process, Vm
from tests.waiting import eventually

from mock_slb.gateway.faults import Refuse, Rule

pytestmark = pytest.mark.thorough

READS = "Describe*"
SLACK = 10.0
"""For a machine that is busy."""


def errors(done: Done) -> list[str]:
    return [event["because"] for event in done.events if event["level"] == "error"]


def waiting_for(vm: Vm, seconds: float) -> Process:
    """post-start, which has waited for so long."""
    waiting = vm.begin("wait")
    ends = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= ends, within=seconds + SLACK)
    assert waiting.running
    return waiting


@pytest.mark.parametrize("weight", [0, 100])
def test_the_health_of_a_vm_that_was_in_the_group_at_start_is_noticed_within_seconds(
    vm: Vm, cloud: Cloud, weight: int
) -> None:
    """The CPI put it there, or Terraform, or a drain failed."""
    cloud.balancer.default_group.add_server(ME, weight=weight)
    cloud.account.force_health(ME, "abnormal")
    vm.configure(reconcile_interval=30)
    vm.start()
    waiting = waiting_for(vm, 12)

    cloud.account.force_health(ME, "normal")
    began = time.monotonic()
    done = waiting.done()

    assert done.code == 0
    assert time.monotonic() - began < 6 + SLACK


@pytest.mark.parametrize(("required", "code"), [(True, 1), (False, 0)])
@pytest.mark.parametrize(
    "what", ["wrong keys", "no permission", "group gone", "no port", "another VM's id"]
)
def test_what_only_a_person_can_mend_ends_it_after_30_seconds(
    vm: Vm, cloud: Cloud, what: str, required: bool, code: int
) -> None:
    part = {
        "wrong keys": "InvalidAccessKeySecret",
        "no permission": 'add "slb:AddBackendServers" to the RAM policy',
        "group gone": "InvalidLoadBalancerId.NotFound",
        "another VM's id": f"instance_id: i-bp1first is given, but this VM is {ME}: leave it out",
        "no port": "sgp-web is not joined: no backend port is known: set the property port",
    }[what]
    properties: dict[str, object] = {"load_balancer_id": BALANCER}
    if what == "wrong keys":
        cloud.account.add_key(ACCESS_KEY, f"not {SECRET_KEY}")
    elif what == "no permission":
        cloud.spoil("forbidden", "AddBackendServers")
    elif what == "group gone":
        cloud.account.load_balancers.pop(BALANCER)
    elif what == "another VM's id":
        properties["instance_id"] = "i-bp1first"
    else:
        cloud.account.load_balancers.pop(BALANCER)
        cloud.account.alb.add_server_group("sgp-web", tags=TAGS)
        properties = {}
    vm.configure(**properties, reconcile_interval=30, post_start={"required": required})
    vm.start()

    done = vm.command("wait", within=30 + 2 * SLACK)

    assert done.code == code
    (error,) = errors(done)
    assert part in error
    assert done.events[0]["message"] == "not in service until it is mended"


def spread_a_policy(vm: Vm, cloud: Cloud) -> Callable[[], object]:
    cloud.spoil("forbidden", "DescribeLoadBalancerAttribute")
    return cloud.mend


def rotate_keys(vm: Vm, cloud: Cloud) -> Callable[[], object]:
    file = vm.folder / "keys.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"access_key": ACCESS_KEY, "secret_key": "of-yesterday"}))
    vm.render(
        {
            "credentials_file": str(file),
            "endpoints": dict.fromkeys(("slb", "metadata"), cloud.url),
            "load_balancer_id": BALANCER,
            "health_check": {"type": "none"},
        }
    )
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    return lambda: file.write_text(json.dumps(keys))


def permit_the_search(vm: Vm, cloud: Cloud) -> Callable[[], object]:
    vm.configure(reconcile_interval=30)
    cloud.spoil("forbidden", "*")
    return cloud.mend


def tag_it(vm: Vm, cloud: Cloud) -> Callable[[], object]:
    vm.configure(reconcile_interval=30)
    cloud.balancer.tags.clear()
    return lambda: cloud.balancer.tags.update(TAGS)


def attach_a_role(vm: Vm, cloud: Cloud) -> Callable[[], object]:
    endpoints = dict.fromkeys(("slb", "metadata"), cloud.url)
    check = {"type": "none"}
    vm.render({
        "credential_source": "ecs_ram_role", "endpoints": endpoints,
        "load_balancer_id": BALANCER, "health_check": check,
    })  # fmt: skip
    return lambda: cloud.account.add_role("slb-registration")


@pytest.mark.parametrize(
    "spoil", [spread_a_policy, rotate_keys, permit_the_search, tag_it, attach_a_role]
)
def test_a_repair_while_it_waits_is_seen_within_seconds(
    vm: Vm, cloud: Cloud, spoil: Callable[[Vm, Cloud], Callable[[], object]]
) -> None:
    repair = spoil(vm, cloud)
    vm.start()
    waiting = waiting_for(vm, 15)

    repair()
    began = time.monotonic()
    done = waiting.done()

    assert done.code == 0, done.err
    # Once it is seen, what is registered is normal with the next read of SLB's health.
    assert time.monotonic() - began < 12 + SLACK
    assert errors(done) == []


def test_a_held_vm_fails_no_deploy(vm: Vm, cloud: Cloud) -> None:
    vm.configure(load_balancer_id=BALANCER)
    agent = vm.start()
    vm.until("in service")
    vm.command("hold")
    agent.terminate()
    vm.start()

    done = vm.command("wait")

    assert (done.code, cloud.weight) == (0, 0)
    (event,) = done.events
    assert event["level"] == "warning"
    assert "slb-registration resume puts it back" in event["message"]


def groups_of(vm: Vm) -> list[dict[str, Any]]:
    return (vm.status() or {"groups": []})["groups"]


def told(vm: Vm) -> list[str]:
    """What an operator reads of a post-start that fails, which is the same in the status."""
    done = vm.command("wait")
    assert done.code == 1
    shown = vm.command("status").text
    names = {group["name"] for group in groups_of(vm)}
    for error in errors(done):
        name, _, reason = error.partition(": ")
        text = reason if name in names else error  # it stands below the group's name
        assert text.partition("; asking again")[0] in shown
    return errors(done)


def test_each_reason_is_told_once_and_is_the_one_of_the_status(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    service.healthy = False
    group = cloud.vserver_group
    vm.configure(
        post_start={"timeout": 4},
        server_groups=[
            {"load_balancer_id": BALANCER},
            {"vserver_group_id": group.id, "port": vm.port},
        ],
    )
    cloud.inject(Rule(Refuse("Forbidden.RAM", 403), "AddVServerGroupBackendServers"))
    vm.start()
    eventually(lambda: cloud.weight == 0)

    first, second = told(vm)

    assert first.startswith(f"clb/{BALANCER}: weight 0: the local check fails: http 127.0.0.1:")
    assert "answered 503, expected 200" in first
    assert 'add "slb:AddVServerGroupBackendServers" to the RAM policy' in second


def test_a_load_balancer_of_another_vpc_is_told_with_both(vm: Vm, cloud: Cloud) -> None:
    cloud.balancer.vpc_id = "vpc-elsewhere"
    vm.configure(post_start={"timeout": 4})
    vm.start()
    eventually(lambda: (vm.status() or {}).get("discovered"))

    assert told(vm) == [f"{BALANCER} is not joined: it is in vpc-elsewhere, this VM in vpc-mock"]


def test_nothing_tagged_is_told_with_region_and_tags(vm: Vm, cloud: Cloud) -> None:
    cloud.balancer.tags.clear()
    vm.configure(post_start={"timeout": 4})
    vm.start()
    eventually(lambda: (vm.status() or {}).get("error"))

    (only,) = told(vm)
    assert only.startswith(
        "no load balancer or server group in region cn-hangzhou carries the tags"
    )


def test_a_metadata_service_that_is_down_is_told(vm: Vm, cloud: Cloud) -> None:
    cloud.go_down()
    vm.configure(post_start={"timeout": 4})
    vm.start()
    eventually(lambda: (vm.status() or {}).get("error"))

    (only,) = told(vm)
    assert only.startswith(f"metadata service {cloud.url}: connection refused")


def test_an_agent_that_does_not_run_is_told_with_the_place_of_its_logs(vm: Vm) -> None:
    vm.configure(post_start={"timeout": 2})

    done = vm.command("wait")

    (only,) = errors(done)
    assert f"no agent answers on {vm.socket}" in only
    assert "/var/vcap/sys/log/slb-registration-test/agent.*.log" in only


def test_a_bad_file_of_another_job_is_told_beside_what_keeps_the_vm_out(vm: Vm) -> None:
    file = vm.folder / "slb_registration.json"
    file.write_text("{")
    vm.configure(
        discovery={"enabled": False}, dynamic_config_globs=[str(file)], post_start={"timeout": 4}
    )
    vm.start()
    eventually(lambda: (vm.status() or {}).get("error"))

    done = vm.command("wait")

    assert done.code == 1
    said = [event["because"] for event in done.events]
    assert len(said) == 2
    assert "no usable file matches" in said[0]
    assert "is not valid JSON" in said[1]


def test_a_group_that_can_only_be_read_says_what_a_person_must_do(vm: Vm, cloud: Cloud) -> None:
    first, second = ((id_, 80) for id_ in OTHERS)
    group = cloud.balancer.add_master_slave_group("rsp-pair", master=first, slave=second)
    vm.configure(
        server_groups=[{"active_standby_group_id": group.id, "port": 80}],
        post_start={"timeout": 4},
    )
    vm.start()
    eventually(lambda: [one["state"] for one in groups_of(vm)] == ["not registered"])

    (only,) = told(vm)
    assert "this VM is not in it, and an active/standby server group cannot be changed" in only


def test_a_vm_that_the_panic_threshold_keeps_in_rotation_is_told_with_its_check(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    for id_ in OTHERS:
        cloud.balancer.default_group.set_weight(id_, 0)
    vm.configure(load_balancer_id=BALANCER, post_start={"timeout": 4})
    cloud.account.force_health(ME, "abnormal")
    vm.start()
    vm.until("in service")
    service.healthy = False
    eventually(lambda: [one["state"] for one in groups_of(vm)] == ["kept although unhealthy"])

    (only,) = told(vm)
    assert "tcp:80 is abnormal; the local check fails, too: http 127.0.0.1:" in only
