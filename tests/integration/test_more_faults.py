"""Faults that are no answer to a call: quotas, old reads, certificates, jobs, metadata."""

from __future__ import annotations

import pytest
from tests.integration.cloud import BALANCER, ME, TAGS, Cloud
from tests.integration.vm import Vm
from tests.waiting import eventually

from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Delay, Refuse, Rule
from mock_slb.http.tls import Authority
from mock_slb.server import serve

pytestmark = pytest.mark.thorough


def drain(vm: Vm, cloud: Cloud) -> None:
    done = vm.command("drain")
    assert (done.code, done.out, cloud.me) == (0, "", None)


def test_a_quota_that_others_have_used_up_is_waited_for(vm: Vm, cloud: Cloud) -> None:
    """What flows back is a call a second; a refused one costs nothing."""
    vm.configure(load_balancer_id=BALANCER)
    quotas = cloud.account.quotas
    for action in ("AddBackendServers", "SetBackendServers", "RemoveBackendServers"):
        quotas.set("slb", action, 60.0)
        while quotas.try_take("slb", action, cloud.account.region):
            pass

    vm.start()
    vm.until("in service")

    assert cloud.weight == 100
    assert len(vm.events("a call failed")) <= 1
    drain(vm, cloud)


def test_reads_that_lag_behind_lead_to_one_registration(vm: Vm, cloud: Cloud) -> None:
    cloud.account.read_lag_seconds = 1.0
    before = cloud.others()

    vm.start()
    vm.until("in service")
    eventually(lambda: cloud.weight == 100)
    drain(vm, cloud)

    assert cloud.others() == before
    assert vm.status()["state"] == "drained"


def test_a_certificate_for_another_name_is_told_until_it_is_right(vm: Vm, cloud: Cloud) -> None:
    authority = Authority()
    authority.write(vm.folder / "ca.pem")
    tls = authority.server("www.example.com")
    with serve(gateway=cloud.gateway, probe=False, tls=tls, authority=authority) as server:
        vm.configure(
            load_balancer_id=BALANCER,
            ca_bundle=str(vm.folder / "ca.pem"),
            endpoints={"slb": server.url},
        )
        vm.start()
        told = eventually(lambda: vm.events("a call failed"))
        server.go_by(["127.0.0.1"])
        vm.until("in service")

        assert "the server's certificate is for another name" in told[0]["error"]
        assert len(vm.events("a call failed")) == 1
        drain(vm, cloud)


def group_of(cloud: Cloud, product: str) -> ServerGroup:
    cloud.account.change_seconds = 0.2
    fleet = getattr(cloud.account, product)
    group: ServerGroup = fleet.add_server_group("sgp-bp1web", tags=TAGS)
    fleet.add_load_balancer(f"{product}-bp1").add_listener(80, server_group="sgp-bp1web")
    return group


def named(vm: Vm, product: str) -> None:
    group = {"product": product, "server_group_id": "sgp-bp1web", "port": vm.port}
    vm.configure(server_groups=[group])


def test_a_job_that_fails_is_told_with_its_reason_and_done_again(vm: Vm, cloud: Cloud) -> None:
    group = group_of(cloud, "nlb")
    named(vm, "nlb")
    group.fail_next_change("InternalError", "made to fail")

    vm.start()
    vm.until("in service")

    server = group.server(ME, vm.port)
    assert server is not None
    assert server.weight == 100
    assert vm.events("a call failed")
    assert vm.command("drain").code == 0
    assert group.server(ME, vm.port) is None


@pytest.mark.parametrize("product", ["alb", "nlb"])
def test_a_group_that_is_busy_is_waited_for(vm: Vm, cloud: Cloud, product: str) -> None:
    group = group_of(cloud, product)
    named(vm, product)
    group.keep_busy(1.5)

    vm.start()
    vm.until("in service")
    group.keep_busy(1.5)

    assert vm.command("drain").code == 0
    assert group.server(ME, vm.port) is None


METADATA = {
    "gone": preset("metadata_gone", times=3),
    "slow": Rule(Delay(0.5), "metadata:*", times=4),
    "refusing tokens": Rule(Refuse("ServiceUnavailable", 503), "metadata:token", times=2),
    "cut off": preset("cut_off", "metadata:*", times=2),
    "without tokens": preset("no_token_endpoint"),
}


@pytest.mark.parametrize("fault", METADATA)
def test_a_metadata_service_in_trouble_is_asked_until_it_answers(
    vm: Vm, cloud: Cloud, fault: str
) -> None:
    cloud.inject(METADATA[fault])

    vm.start()
    vm.until("in service")

    assert cloud.weight == 100
    assert len([e for e in vm.events() if "metadata service" in e["message"]]) <= 1
    drain(vm, cloud)
