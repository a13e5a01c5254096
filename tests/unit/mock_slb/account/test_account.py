from __future__ import annotations

import threading

import pytest

from mock_slb.account.account import Account
from mock_slb.account.snapshot import snapshot
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.errors import ApiError
from mock_slb.core.resources import HealthCheck


def code_of(error: pytest.ExceptionInfo[ApiError]) -> str:
    return error.value.code


def test_a_server_is_added_with_its_address_and_weight(balancer: LoadBalancer) -> None:
    backend = balancer.default_group.add_server("i-self", weight=7, description="mine")
    assert (backend.server_id, backend.weight, backend.description) == ("i-self", 7, "mine")
    assert backend.server_ip == "192.168.0.1"


@pytest.mark.parametrize("mode", ["missing", "stopped"])
def test_a_server_that_is_not_running_cannot_be_added(
    account: Account, balancer: LoadBalancer, mode: str
) -> None:
    if mode == "stopped":
        account.set_running("i-self", False)
    with pytest.raises(ApiError) as error:
        balancer.default_group.add_server("i-self" if mode == "stopped" else "i-none")
    assert code_of(error) == "ObtainIpFail"
    assert balancer.default_group.servers() == []


def test_a_server_that_stops_stays_in_its_groups(account: Account, balancer: LoadBalancer) -> None:
    balancer.default_group.add_server("i-self")
    account.set_running("i-self", False)
    assert balancer.default_group.server("i-self") is not None


def test_a_released_instance_is_dropped_from_every_group(
    account: Account, balancer: LoadBalancer
) -> None:
    group = account.group("rsp-1")
    balancer.default_group.add_server("i-self")
    group.add_server("i-self", port=80)
    group.add_server("i-other", port=80)
    account.release_instance("i-self")
    assert balancer.default_group.servers() == []
    assert [b.server_id for b in group.servers()] == ["i-other"]
    assert account.instance("i-self") is None


def test_the_default_group_knows_a_server_once_a_vserver_group_once_per_port(
    account: Account, balancer: LoadBalancer
) -> None:
    group = account.group("rsp-1")
    for port in (80, 81, 80):
        balancer.default_group.add_server("i-self", port=port)
        group.add_server("i-self", port=port)
    assert len(balancer.default_group.servers()) == 1
    assert [b.port for b in group.servers()] == [80, 81]


def test_a_repeated_add_changes_nothing_where_it_is_ignored(balancer: LoadBalancer) -> None:
    balancer.default_group.add_server("i-self", weight=10)
    balancer.default_group.add_server("i-self", weight=90)
    assert [b.weight for b in balancer.default_group.servers()] == [10]


def test_a_repeated_add_is_an_error_where_the_account_says_so(
    account: Account, balancer: LoadBalancer
) -> None:
    account.already_there = "error"
    balancer.default_group.add_server("i-self", weight=10)
    with pytest.raises(ApiError) as error:
        balancer.default_group.add_server("i-self", weight=90)
    assert code_of(error) == "InvalidParameter"
    assert [b.weight for b in balancer.default_group.servers()] == [10]


def test_setting_a_weight_keeps_the_description_and_the_others(balancer: LoadBalancer) -> None:
    group = balancer.default_group
    group.add_server("i-self", weight=10, description="mine")
    group.add_server("i-other", weight=20)
    group.set_weight("i-self", 0)
    assert [(b.weight, b.description) for b in group.servers()] == [(0, "mine"), (20, "")]


def test_setting_the_weight_of_an_absent_server_is_an_error(balancer: LoadBalancer) -> None:
    with pytest.raises(ApiError) as error:
        balancer.default_group.set_weight("i-self", 0)
    assert code_of(error) == "InvalidServerId.NotFound"


def test_removing_an_absent_server_is_fine(balancer: LoadBalancer) -> None:
    balancer.default_group.remove_server("i-self")
    assert balancer.default_group.servers() == []


def test_health_is_unavailable_until_it_was_reported(balancer: LoadBalancer) -> None:
    listener = balancer.listeners["tcp:80"]
    backend = balancer.default_group.add_server("i-self")
    assert balancer.health(listener, backend) == "unavailable"
    balancer.report_health(listener, backend, "normal")
    assert balancer.health(listener, backend) == "normal"


def test_health_is_unavailable_where_the_check_is_off(balancer: LoadBalancer) -> None:
    listener = balancer.add_listener(81, health_check=None)
    backend = balancer.default_group.add_server("i-self")
    balancer.report_health(listener, backend, "normal")
    assert balancer.health(listener, backend) == "unavailable"


def test_health_does_not_outlive_a_membership(balancer: LoadBalancer) -> None:
    listener = balancer.listeners["tcp:80"]
    balancer.report_health(listener, balancer.default_group.add_server("i-self"), "normal")
    balancer.default_group.remove_server("i-self")
    again = balancer.default_group.add_server("i-self")
    assert balancer.health(listener, again) == "unavailable"


def test_a_verdict_that_comes_after_the_removal_is_dropped(balancer: LoadBalancer) -> None:
    listener = balancer.listeners["tcp:80"]
    gone = balancer.default_group.add_server("i-self")
    balancer.default_group.remove_server("i-self")
    balancer.report_health(listener, gone, "normal")
    assert balancer.health(listener, gone) == "unavailable"


def test_forced_health_wins_until_it_is_lifted(account: Account, balancer: LoadBalancer) -> None:
    listener = balancer.listeners["tcp:80"]
    backend = balancer.default_group.add_server("i-self")
    balancer.report_health(listener, backend, "normal")
    account.force_health("i-self", "abnormal")
    assert balancer.health(listener, backend) == "abnormal"
    account.force_health("i-self", None)
    assert balancer.health(listener, backend) == "normal"


def test_a_load_balancer_of_another_region_is_not_found(account: Account) -> None:
    account.add_load_balancer("lb-far", region="cn-beijing")
    assert account.load_balancer("lb-far", "cn-beijing").id == "lb-far"
    with pytest.raises(ApiError) as error:
        account.load_balancer("lb-far", "cn-hangzhou")
    assert (code_of(error), error.value.status) == ("InvalidLoadBalancerId.NotFound", 404)


def test_a_removed_load_balancer_takes_its_groups_along(
    account: Account, balancer: LoadBalancer
) -> None:
    account.remove_load_balancer("lb-1")
    with pytest.raises(ApiError):
        account.group("rsp-1")


def test_one_instance_at_most_is_self(account: Account) -> None:
    account.add_instance("i-new", is_self=True)
    assert [i.id for i in account.instances() if i.is_self] == ["i-new"]
    account.set_self("i-self")
    self_instance = account.self_instance()
    assert self_instance is not None
    assert self_instance.id == "i-self"


@pytest.mark.parametrize("what", ["instance", "load balancer", "listener", "group"])
def test_what_exists_cannot_be_made_again(
    account: Account, balancer: LoadBalancer, what: str
) -> None:
    make = {
        "instance": lambda: account.add_instance("i-self"),
        "load balancer": lambda: account.add_load_balancer("lb-1"),
        "listener": lambda: balancer.add_listener(80, "tcp"),
        "group": lambda: balancer.add_vserver_group("rsp-1"),
    }[what]
    with pytest.raises(ValueError, match="already"):
        make()


def test_a_listener_needs_its_group_to_exist(balancer: LoadBalancer) -> None:
    with pytest.raises(ApiError):
        balancer.add_listener(82, vserver_group="rsp-none")
    assert "tcp:82" not in balancer.listeners


def test_two_protocols_share_a_port(balancer: LoadBalancer) -> None:
    balancer.add_listener(80, "udp", health_check=HealthCheck())
    assert list(balancer.listeners) == ["tcp:80", "udp:80"]


def test_concurrent_adds_lose_none(account: Account, balancer: LoadBalancer) -> None:
    for n in range(40):
        account.add_instance(f"i-{n}")
    start = threading.Barrier(8)

    def add(first: int) -> None:
        start.wait()
        for n in range(first, 40, 8):
            balancer.default_group.add_server(f"i-{n}")

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    backends = balancer.default_group.servers()
    assert len(backends) == 40
    assert len({b.generation for b in backends}) == 40


def test_the_snapshot_tells_all_and_no_secret(account: Account, balancer: LoadBalancer) -> None:
    account.group("rsp-1").add_server("i-other", port=9000, weight=5)
    backend = balancer.default_group.add_server("i-self", weight=0, description="bosh/x")
    balancer.report_health(balancer.listeners["tcp:80"], backend, "abnormal")
    view = snapshot(account)
    assert "test-secret" not in repr(view)
    assert view["load_balancers"] == {
        "lb-1": {
            "name": "web",
            "region": "cn-hangzhou",
            "status": "active",
            "vpc_id": "vpc-mock",
            "tags": {"env": "test"},
            "listeners": {
                "tcp:80": {
                    "port": 80,
                    "protocol": "tcp",
                    "backend_port": 8080,
                    "vserver_group_id": None,
                    "master_slave_group_id": None,
                    "health_check": "tcp",
                    "scheduler": "wrr",
                    "status": "running",
                }
            },
            "servers": [
                {
                    "server_id": "i-self",
                    "weight": 0,
                    "type": "ecs",
                    "server_ip": "192.168.0.1",
                    "description": "bosh/x",
                    "health": {"tcp:80": "abnormal"},
                }
            ],
            "master_slave_groups": {},
            "vserver_groups": {
                "rsp-1": {
                    "name": "api",
                    "servers": [
                        {
                            "server_id": "i-other",
                            "port": 9000,
                            "weight": 5,
                            "type": "ecs",
                            "server_ip": "192.168.0.2",
                            "description": "",
                            "health": {},
                        }
                    ],
                }
            },
        }
    }
