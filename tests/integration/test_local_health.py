"""What a changed answer of the co-located service brings about."""

from __future__ import annotations

from tests.integration.cloud import BALANCER, ME, OTHERS, Cloud
from tests.integration.service import Service
from tests.integration.vm import Vm
from tests.waiting import eventually


def test_an_unhealthy_service_takes_the_vm_to_weight_0_and_a_healthy_one_back(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    before = cloud.others()
    vm.start()
    vm.until("in service")

    service.healthy = False
    eventually(lambda: cloud.weight == 0)
    eventually(lambda: vm.status()["groups"][0]["state"] == "unhealthy")
    status = vm.status()
    assert status["state"] == "not in service"
    assert status["local_checks"][0]["health"] == "unhealthy"

    service.healthy = True
    eventually(lambda: cloud.weight == 100)
    vm.until("in service")
    assert cloud.others() == before
    said = [(e["level"], e["health"]) for e in vm.events("local check")]
    assert said == [("info", "healthy"), ("warning", "unhealthy"), ("info", "healthy")]


def test_a_changed_answer_reaches_slb_within_one_interval_one_read_and_one_write(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    # One second, so that a busy machine's pause is not taken for a missed interval.
    vm.configure(reconcile_interval=600, health_check={"interval": 1.0})
    vm.start()
    vm.until("in service")
    eventually(lambda: cloud.gateway.calls.all("DescribeLoadBalancerListeners"))
    eventually(lambda: vm.status()["groups"][0]["health"])

    mark = cloud.mark
    service.healthy = False
    eventually(lambda: cloud.weight == 0)
    write = cloud.gateway.calls.all("SetBackendServers")[-1]
    asked = [c.action for c in cloud.since(mark) if c.number <= write.number]
    assert asked == ["DescribeLoadBalancerAttribute", "SetBackendServers"]
    assert len([at for at in service.failures if at <= write.time]) == 1

    eventually(lambda: cloud.since(0)[-1].action == "DescribeHealthStatus")
    mark = cloud.mark
    service.healthy = True
    eventually(lambda: cloud.weight == 100)
    write = cloud.gateway.calls.all("SetBackendServers")[-1]
    asked = [c.action for c in cloud.since(mark) if c.number <= write.number]
    # A raise may do without the read where what is known is fresh.
    assert asked in (["DescribeLoadBalancerAttribute", "SetBackendServers"], ["SetBackendServers"])


def test_a_service_that_was_never_healthy_keeps_the_vm_at_weight_0(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    service.healthy = False

    vm.start()
    eventually(lambda: cloud.weight == 0 and len(service.failures) >= 4)
    eventually(lambda: vm.status()["groups"][0]["state"] == "unhealthy")

    assert cloud.writes() == ["AddBackendServers"]
    assert vm.status()["state"] == "not in service"


def test_an_unhealthy_vm_that_is_the_only_server_keeps_its_weight(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    alone = cloud.account.add_load_balancer("lb-bp1alone")
    vm.configure(load_balancer_id="lb-bp1alone")
    vm.start()
    vm.until("in service")
    mark = cloud.mark

    service.healthy = False
    eventually(lambda: vm.status()["groups"][0]["state"] == "kept although unhealthy")
    eventually(lambda: len(cloud.since(mark)) >= 2)

    assert [(b.server_id, b.weight) for b in alone.default_group.servers()] == [(ME, 100)]
    assert cloud.writes(mark) == []


def test_an_unhealthy_vm_leaves_once_enough_others_are_back(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    for id_ in OTHERS:
        cloud.balancer.default_group.set_weight(id_, 0)
    vm.start()
    vm.until("in service")
    service.healthy = False
    eventually(lambda: vm.status()["groups"][0]["state"] == "kept although unhealthy")
    assert cloud.weight == 100

    for id_, weight in OTHERS.items():
        cloud.balancer.default_group.set_weight(id_, weight)
    eventually(lambda: cloud.weight == 0)


def test_panic_threshold_0_turns_the_protection_off(vm: Vm, cloud: Cloud, service: Service) -> None:
    for id_ in OTHERS:
        cloud.balancer.default_group.set_weight(id_, 0)
    vm.configure(panic_threshold=0)
    vm.start()
    vm.until("in service")

    service.healthy = False
    eventually(lambda: cloud.weight == 0)


def test_on_unhealthy_remove_takes_the_vm_out_and_puts_it_back(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    vm.configure(on_unhealthy="remove", load_balancer_id=BALANCER)
    vm.start()
    vm.until("in service")

    service.healthy = False
    eventually(lambda: cloud.me is None)
    service.healthy = True
    eventually(lambda: cloud.weight == 100)

    vm.until("in service")
    assert cloud.writes()[-2:] == ["RemoveBackendServers", "AddBackendServers"]


def test_on_unhealthy_ignore_leaves_a_vm_that_served_as_it_is(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    vm.configure(on_unhealthy="ignore")
    vm.start()
    vm.until("in service")
    mark = cloud.mark

    service.healthy = False
    eventually(lambda: vm.events("local check")[-1]["health"] == "unhealthy")
    eventually(lambda: cloud.reads(mark) >= 2)

    assert (cloud.weight, cloud.writes(mark)) == (100, [])


def test_without_a_port_of_its_own_the_check_is_on_the_backend_port_of_the_listeners(
    vm: Vm, cloud: Cloud
) -> None:
    vm.configure(health_check={"type": "tcp", "port": None, "path": None})

    vm.start()
    status = vm.until("in service")

    (check,) = status["local_checks"]
    assert check["detail"] == f"127.0.0.1:{vm.port}: connected"


def test_without_a_port_and_without_listeners_the_vm_serves_and_a_warning_is_logged(
    vm: Vm, cloud: Cloud
) -> None:
    cloud.balancer.listeners.clear()
    vm.configure(health_check={"type": "tcp", "port": None, "path": None})

    vm.start()
    status = vm.until("in service")

    assert status["local_checks"] == []
    (warning,) = [e for e in vm.events() if e["message"].startswith("no backend port to check")]
    assert warning["level"] == "warning"
