"""The errand's survey of settings: what it costs, how it is told, and what may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.driver import PORT
from tests.unit.preflight.odd_answers import ODD, SETTING_ACTIONS, spoiled
from tests.unit.preflight.well_configured import CLB, KINDS, Stage

from mock_slb.gateway.faults import Refuse, Rule
from slb_registration.cloud.client import Cloud


def test_each_is_told_once_and_for_its_own_group(stage: Stage):
    for kind in KINDS:
        stage.set(kind, connection_drain_seconds=None)
    warnings = stage.warned(*KINDS)
    assert [(one["group"], one["listener"]) for one in warnings] == [
        ("clb/lb-1", "tcp:80"),
        (f"clb/rsp-1:{PORT}", "tcp:81"),
        (f"clb/rsp-ms:{PORT}", "tcp:82"),
        (f"alb/sgp-alb:{PORT}", None),
        (f"nlb/sgp-nlb:{PORT}", None),
    ]


def test_a_person_reads_them_below_the_table_and_they_are_no_failure(stage: Stage):
    stage.set("clb default", sticky_seconds=1000)
    code, out, err = stage.cli("clb default", json_=False)
    assert code == 0
    assert out.splitlines()[-1].endswith("ok")
    assert err == (
        "warning: clb/lb-1, tcp:80: session persistence is on: clients bound to this VM may go on "
        "coming at weight 0, until the VM is removed; turn session persistence off, where the "
        "service allows it (session_persistence)\n"
    )


def test_it_costs_one_call_for_a_group_of_clb_and_for_a_load_balancer_of_nlb(stage: Stage):
    for kind in CLB:
        stage.warned(kind)
        assert stage.calls()["DescribeLoadBalancerListeners"] == 1
    reads = ("ListServerGroupServers", "ListServerGroups", "ListListeners")
    health = dict.fromkeys((*reads, "GetListenerHealthStatus"), 1)
    stage.warned("alb")
    assert stage.calls() == health
    stage.warned("nlb")
    assert stage.calls() == {**health, "GetLoadBalancerAttribute": 1}


def test_without_the_permission_that_is_told_once_and_nothing_else_is_lost(stage: Stage):
    stage.set("clb default", connection_drain_seconds=None)
    refused = Rule(Refuse("Forbidden.RAM", 403), action="DescribeLoadBalancerListeners")
    stage.server.faults.add(refused)
    (warning,) = stage.warned("clb default")
    assert warning["code"] == "settings_unread"
    assert 'add "slb:DescribeLoadBalancerListeners" to the RAM policy' in warning["text"]


@pytest.mark.parametrize("code", ["ServiceUnavailable", "Throttling.User", "Sundry.New"])
def test_an_api_that_does_not_answer_is_asked_once_and_nothing_is_said(stage: Stage, code: str):
    stage.set("clb default", connection_drain_seconds=None)
    refused = Rule(Refuse(code, 503), action="DescribeLoadBalancerListeners")
    stage.server.faults.add(refused)
    assert stage.warned("clb default") == []
    # Reading the health may have asked for the same before, and says no more of it either.
    assert stage.calls()["DescribeLoadBalancerListeners"] <= 2


SETTINGS = (
    "Status", "Scheduler", "BackendServerPort", "TCPListenerConfig", "HealthCheck",
    "HealthCheckSwitch", "HealthCheckInterval", "HealthCheckConnectPort", "UnhealthyThreshold",
    "HealthyThreshold", "HealthCheckConnectTimeout", "HealthCheckType", "ConnectionDrain",
    "PersistenceTimeout", "VpcId", "HealthCheckConfig", "StickySessionConfig",
    "ConnectionDrainConfig", "AnyPortEnabled", "ConnectionDrainEnabled", "StickySessionEnabled",
    "HealthCheckEnabled", "HealthCheckProtocol", "HealthCheckTimeout", "HealthCheckUrl",
    "HealthCheckPath", "ListenerStatus", "DefaultActions", "ForwardGroupConfig",
    "ServerGroupTuples",
)  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_an_odd_answer_never_breaks_the_errand(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
):
    real: Callable[..., dict[str, Any]] = Cloud.call
    for odd in ODD:

        def call(self: Cloud, request: Any, odd: object = odd) -> dict[str, Any]:
            answer = real(self, request)
            told = request.get_action_name() in SETTING_ACTIONS
            return spoiled(answer, name, odd) if told else answer

        monkeypatch.setattr(Cloud, "call", call)
        for warning in stage.warned("clb default", "clb vServer", "alb", "nlb"):
            assert all("\x1b" not in (text or "") for text in warning.values())
