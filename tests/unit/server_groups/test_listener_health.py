"""Health as ALB and NLB tell it: listener by listener, and only what is not normal."""

from __future__ import annotations

import pytest
import responses
from tests.unit.driver import PORT
from tests.unit.every_kind import ANY_PORT, Setting

from slb_registration.server_groups.listener_health import NO_NODE


def health(setting: Setting, group) -> dict[tuple[int, str], str]:
    return {
        (one.listener_port, one.server_id): one.status if one.checked else "not checked"
        for one in group.health()
    }


def registered(setting: Setting, weight: int = 100):
    group = setting.open()
    group.add(setting.me(weight))
    setting.settle()
    group.find()
    return group


def test_only_a_confirmed_member_is_normal_by_absence(setting: Setting):
    group = setting.open()
    group.add(setting.me())
    group.find()  # it is being added, and no listener lists it yet
    assert health(setting, group)[80, "i-self"] == "unavailable"


def test_after_a_write_nothing_is_confirmed_before_the_next_read(setting: Setting):
    group = registered(setting)
    setting.account.force_health("i-self", "normal")
    assert health(setting, group)[80, "i-self"] == "normal"
    group.remove(setting.me())
    assert health(setting, group)[80, "i-self"] != "normal"


def test_a_listener_without_checks_is_said_to_have_none(setting: Setting):
    setting.group.health_check = None
    group = registered(setting)
    assert health(setting, group)[80, "i-self"] == "not checked"


def test_listeners_of_other_groups_are_not_ours(setting: Setting):
    balancer = setting.balancer
    balancer.add_listener(81, server_group="sgp-2")
    balancer.add_listener(82, server_group="sgp-1")
    group = registered(setting)
    assert {port for port, _ in health(setting, group)} == {80, 82}


def test_at_rest_only_listeners_that_use_the_group_are_asked(setting: Setting):
    balancer = setting.balancer
    for port in range(81, 90):
        balancer.add_listener(port, server_group="sgp-2")
    group = registered(setting)
    group.health()
    before = len(setting.gateway.calls.all())
    group.health()
    assert setting.made("")[before:] == ["GetListenerHealthStatus"]


def test_a_listener_that_is_added_later_is_learned_within_ten_minutes(setting: Setting):
    group = registered(setting)
    group.health()
    setting.balancer.add_listener(81, server_group="sgp-1")
    assert {port for port, _ in health(setting, group)} == {80}
    setting.driver.now += 601
    assert {port for port, _ in health(setting, group)} == {80, 81}


def test_a_listener_that_was_deleted_is_forgotten(setting: Setting):
    setting.balancer.add_listener(81, server_group="sgp-1", id="lsn-late")
    group = registered(setting)
    group.health()
    del setting.balancer.listeners["lsn-late"]
    assert {port for port, _ in health(setting, group)} == {80}


def test_a_group_without_listeners_has_no_health(setting: Setting):
    setting.balancer.listeners.clear()
    assert registered(setting).health() == ()


def told(setting: Setting, *listed: dict[str, object], port: int = PORT):
    """What is said of this VM where the listener lists these as not normal."""
    if setting.there() is None:
        registered(setting)
    group = setting.open()
    group.find()
    servers = [{"ServerId": "i-self", "ServerIp": "", "Port": port, **one} for one in listed]
    info = {"ServerGroupId": "sgp-1", "NonNormalServers": servers}
    answer = {"RequestId": "R", "ListenerHealthStatus": [{"ServerGroupInfos": [info]}]}
    setting.reply(answer, "GetListenerHealthStatus")
    (one,) = (one for one in group.health() if one.server_id == "i-self")
    return one.status, one.reason


def test_a_zone_without_a_node_of_the_load_balancer_is_told(setting: Setting):
    setting.balancer.zone_ids, setting.balancer.cross_zone = ("cn-hangzhou-k",), False
    (mine_, *_) = (one for one in registered(setting).health() if one.server_id == "i-self")
    assert (mine_.status, mine_.reason) == ("unavailable", NO_NODE)
    assert not mine_.good


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ({"ReasonCode": "CONNECTION_REFUSED"}, "CONNECTION_REFUSED"),
        (
            {
                "ReasonCode": "RESPONSE_MISMATCH",
                "ExpectedResponse": "HTTP_2xx",
                "ActualResponse": "HTTP_500",
            },
            "RESPONSE_MISMATCH: HTTP_500 instead of HTTP_2xx",
        ),
        ({"ReasonCode": None, "ActualResponse": ""}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_what_slb_finds_wrong_is_told(setting: Setting, reason: object, said: str):
    assert told(setting, {"Status": "Unhealthy", "Reason": reason}) == ("abnormal", said)


@pytest.mark.parametrize("word", ["Initial", "Unavailable", "SomethingNew"])
def test_what_is_no_verdict_has_no_reason(setting: Setting, word: str):
    assert told(setting, {"Status": word, "Reason": {"ReasonCode": "X"}}) == ("unavailable", "")


def test_of_several_verdicts_the_worst_counts(setting: Setting):
    unused, initial = {"Status": "Unused"}, {"Status": "Initial"}
    bad = {"Status": "Unhealthy", "Reason": {"ReasonCode": "X"}}
    assert told(setting, initial, bad, unused) == ("abnormal", "X")
    assert told(setting, initial, unused, initial) == ("unavailable", NO_NODE)


@pytest.mark.parametrize("port", [0, 9000])
def test_in_a_group_that_forwards_all_ports_the_checked_one_may_be_told(
    sdk: responses.RequestsMock, port: int
):
    setting = Setting(sdk, ANY_PORT)
    assert told(setting, {"Status": "Unhealthy"}, port=port)[0] == "abnormal"


def test_rules_of_alb_that_use_the_group_count(alb: Setting):
    listener = alb.balancer.add_listener(81, server_group="sgp-2")
    alb.balancer.add_rule(listener.id, server_group="sgp-1")
    group = registered(alb)
    alb.account.force_health("i-self", "abnormal")
    assert health(alb, group)[81, "i-self"] == "abnormal"
