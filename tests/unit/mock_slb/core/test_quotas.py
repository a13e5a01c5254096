"""Quotas per action, and reads that are older than the last change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.quotas import PUBLISHED, Quotas
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.gateway import Gateway

if TYPE_CHECKING:
    from conftest import Api, Clock

SELF = [{"ServerId": "i-self"}]


def taken(quotas: Quotas, count: int, region: str = "cn-hangzhou") -> int:
    return sum(quotas.try_take("slb", "AddBackendServers", region) for _ in range(count))


def test_a_bucket_starts_full_and_holds_one_minute(clock: Clock) -> None:
    quotas = Quotas(clock)
    quotas.set("slb", "AddBackendServers", 90)
    assert taken(quotas, 100) == 90
    clock.now += 20
    assert taken(quotas, 100) == 30
    clock.now += 3600
    assert taken(quotas, 100) == 90


def test_a_refused_call_costs_nothing(clock: Clock) -> None:
    quotas = Quotas(clock)
    quotas.set("slb", "AddBackendServers", 60)
    assert taken(quotas, 60) == 60
    for _ in range(10):
        clock.now += 0.25
        assert taken(quotas, 3) == (1 if clock.now % 1 == 0 else 0)


def test_each_action_product_and_region_has_its_own(clock: Clock) -> None:
    quotas = Quotas(clock)
    for product in ("alb", "nlb"):
        quotas.set(product, "AddServersToServerGroup", 1)
    quotas.set("slb", "AddBackendServers", 1)
    assert taken(quotas, 2) == 1
    assert taken(quotas, 2, "cn-beijing") == 1
    for product in ("alb", "nlb"):
        assert quotas.try_take(product, "AddServersToServerGroup", "cn-hangzhou")
        assert not quotas.try_take(product, "AddServersToServerGroup", "cn-hangzhou")
    assert quotas.try_take("slb", "RemoveBackendServers", "cn-hangzhou")


def test_a_quota_can_be_changed_and_lifted(clock: Clock) -> None:
    quotas = Quotas(clock)
    quotas.set_published()
    assert quotas.view()["slb.AddBackendServers"] == 90
    assert len(quotas.view()) == len(PUBLISHED)
    quotas.set("slb", "AddBackendServers", 1)
    assert taken(quotas, 5) == 1
    quotas.set("slb", "AddBackendServers", None)
    assert taken(quotas, 500) == 500


def test_a_call_beyond_the_quota_is_refused_and_changes_nothing(
    api: Api, account: Account, balancer: LoadBalancer, clock: Clock
) -> None:
    account.quotas.set("slb", "RemoveBackendServers", 1)
    balancer.default_group.add_server("i-self")
    call = {"LoadBalancerId": "lb-1", "BackendServers": SELF}
    api("RemoveBackendServers", **call)
    balancer.default_group.add_server("i-self")
    assert api.refusal("RemoveBackendServers", **call) == (400, "Throttling.User")
    assert len(balancer.default_group.servers()) == 1
    clock.now += 60
    api("RemoveBackendServers", **call)
    assert balancer.default_group.servers() == []


def test_a_call_that_is_not_genuine_costs_no_quota(
    api: Api, account: Account, gateway: Gateway
) -> None:
    account.quotas.set("slb", "DescribeLoadBalancers", 1)
    account.add_key("test-key", "rotated")
    assert api.refusal("DescribeLoadBalancers") == (400, "SignatureDoesNotMatch")
    account.add_key("test-key", "test-secret")
    gateway.faults.add(preset("unavailable", times=1))
    assert api.refusal("DescribeLoadBalancers") == (503, "ServiceUnavailable")
    assert api.refusal("DescribeLoadBalancers") == (400, "Throttling.User")


class TestStaleReads:
    @pytest.fixture(autouse=True)
    def reads_lag(self, account: Account) -> None:
        account.read_lag_seconds = 5.0

    def test_a_change_is_seen_only_later(
        self, api: Api, balancer: LoadBalancer, clock: Clock
    ) -> None:
        def seen() -> list[int]:
            answer = api("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
            return [one["Weight"] for one in answer["BackendServers"]["BackendServer"]]

        api("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
        assert seen() == []
        clock.now += 4.0
        balancer.default_group.set_weight("i-self", 7)
        assert seen() == []
        clock.now += 1.0
        assert seen() == [100]
        clock.now += 4.0
        assert seen() == [7]
        api("RemoveBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
        assert seen() == [7]
        clock.now += 5.0
        assert seen() == []

    def test_the_answer_to_a_write_is_not_stale(self, api: Api) -> None:
        answer = api("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
        assert len(answer["BackendServers"]["BackendServer"]) == 1

    def test_a_vserver_group_lags_as_well(self, api: Api, account: Account, clock: Clock) -> None:
        account.group("rsp-1").add_server("i-self", port=80)

        def seen() -> int:
            answer = api("DescribeVServerGroupAttribute", VServerGroupId="rsp-1")
            return len(answer["BackendServers"]["BackendServer"])

        assert seen() == 0
        clock.now += 5.0
        assert seen() == 1

    def test_tags_and_new_load_balancers_are_found_only_later(
        self, api: Api, account: Account, balancer: LoadBalancer, clock: Clock
    ) -> None:
        def found() -> list[str]:
            params = {"Tag.1.Key": "env", "Tag.1.Value": "test"}
            listed = api("DescribeLoadBalancers", **params)["LoadBalancers"]["LoadBalancer"]
            return [one["LoadBalancerId"] for one in listed]

        clock.now += 5.0
        account.add_load_balancer("lb-2", tags={"env": "test"})
        balancer.set_tags({}, remove=("env",))
        assert found() == ["lb-1"]
        clock.now += 5.0
        assert found() == ["lb-2"]

    def test_what_tests_and_operators_see_is_never_stale(
        self, account: Account, balancer: LoadBalancer
    ) -> None:
        balancer.default_group.add_server("i-self")
        assert len(balancer.default_group.servers()) == 1
        assert account.as_of is None
