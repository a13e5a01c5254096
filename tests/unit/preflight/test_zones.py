"""Warnings of load balancers that have no node in the zone of this VM, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.driver import PORT
from tests.unit.preflight.odd_answers import ODD, SETTING_ACTIONS, spoiled
from tests.unit.preflight.well_configured import ELSEWHERE, GROUPS, MINE, ZONED, Stage

from mock_slb.gateway.faults import Refuse, Rule
from slb_registration.cloud.client import Cloud


@pytest.mark.parametrize("kind", ZONED)
def test_a_load_balancer_without_a_node_in_the_zone_of_this_vm(stage: Stage, kind: str):
    balancer = stage.without_node(kind)
    (warning,) = stage.warned(kind)
    assert (warning["code"], warning["listener"]) == ("zone_without_node", None)
    assert warning["group"] == f"{kind}/sgp-{kind}:{PORT}"
    for told in (f"load balancer {kind}-1 ", f"nodes in {ELSEWHERE},", f"this VM's zone {MINE},"):
        assert told in warning["text"]
    assert "add the zone to the load balancer, or turn cross-zone" in warning["advice"]
    balancer.cross_zone = True
    assert stage.codes(kind) == []
    balancer.cross_zone, balancer.zone_ids = False, (ELSEWHERE, MINE)
    assert stage.codes(kind) == []


@pytest.mark.parametrize("kind", ZONED)
def test_a_vm_is_warned_of_its_zone_before_it_is_in_the_group(stage: Stage, kind: str):
    """Nothing is reported of a server with weight 0, or of one that is not there yet."""
    stage.without_node(kind)
    stage.of(kind).drop("i-self")
    _, out, _ = stage.cli(kind)
    assert [one["code"] for one in json.loads(out)["warnings"]] == ["zone_without_node"]


@pytest.mark.parametrize("kind", ZONED)
def test_only_the_load_balancer_without_a_node_is_named(stage: Stage, kind: str):
    stage.without_node(kind)
    fleet = getattr(stage.account, kind)
    both = (ELSEWHERE, MINE)
    second = fleet.add_load_balancer(f"{kind}-2", zone_ids=both, cross_zone=False)
    second.add_listener(80, server_group=f"sgp-{kind}")
    (warning,) = stage.warned(kind)
    assert f"load balancer {kind}-1 " in warning["text"]


@pytest.mark.parametrize("kind", ZONED)
def test_no_zone_is_held_against_an_address_or_a_vm_that_joins_nothing(stage: Stage, kind: str):
    stage.without_node(kind)
    fleet, address = getattr(stage.account, kind), stage.account.instance("i-self").private_ip
    drain = {"connection_drain_seconds": 60}
    fleet.add_server_group("sgp-ip", type="Ip", **drain).add_server(address, port=PORT)
    fleet.balancer(f"{kind}-1").add_listener(81, server_group="sgp-ip")
    stage.account.force_health(address, "normal")
    entry = {**GROUPS[kind], "server_group_id": "sgp-ip", "server_type": "ip"}
    assert stage.codes(server_groups=[entry]) == []
    assert stage.codes(kind, register=False) == []
    assert stage.calls()["GetLoadBalancerAttribute"] == 0


@pytest.mark.parametrize("kind", ZONED)
def test_a_zone_that_the_metadata_service_does_not_tell(stage: Stage, kind: str):
    stage.without_node(kind)
    refused = Rule(Refuse("NotFound", 404), action="metadata:meta-data/zone-id")
    stage.server.faults.add(refused)
    assert stage.codes(kind) == []
    assert stage.calls()["GetLoadBalancerAttribute"] == 0


@pytest.mark.parametrize("kind", ZONED)
@pytest.mark.parametrize("name", ["ZoneMappings", "ZoneId", "CrossZoneEnabled", "LoadBalancerId"])
def test_what_is_not_told_of_zones_is_not_warned_about(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
):
    stage.without_node(kind)
    real: Callable[..., dict[str, Any]] = Cloud.call
    odd: object = None

    def call(self: Cloud, request: Any) -> dict[str, Any]:
        answer = real(self, request)
        told = request.get_action_name() in (*SETTING_ACTIONS, "GetLoadBalancerAttribute")
        return spoiled(answer, name, odd) if told else answer

    monkeypatch.setattr(Cloud, "call", call)
    for odd in ODD:
        codes = stage.codes(kind)
        is_zone = name == "ZoneId" and odd in ("x", "\x1b[31m")  # as good as any other name
        assert codes == (["zone_without_node"] if is_zone else [])


@pytest.mark.parametrize("kind", ZONED)
def test_a_load_balancer_is_asked_once_for_all_groups_behind_it(stage: Stage, kind: str):
    stage.behind_one(kind)
    second = {**GROUPS[kind], "server_group_id": "sgp-2"}
    assert stage.codes(server_groups=[GROUPS[kind], second]) == ["zone_without_node"] * 2
    assert stage.calls()["GetLoadBalancerAttribute"] == 1


@pytest.mark.parametrize("kind", ZONED)
def test_without_the_permission_to_read_zones_that_is_told_once(stage: Stage, kind: str):
    stage.behind_one(kind)
    refused = Rule(Refuse("Forbidden.RAM", 403), action="GetLoadBalancerAttribute")
    stage.server.faults.add(refused)
    second = {**GROUPS[kind], "server_group_id": "sgp-2"}
    (warning,) = stage.warned(server_groups=[GROUPS[kind], second])
    assert warning["code"] == "settings_unread"
    assert f'add "{kind}:GetLoadBalancerAttribute" to the RAM policy' in warning["text"]
    assert stage.calls()["GetLoadBalancerAttribute"] == 1


@pytest.mark.parametrize("kind", ZONED)
@pytest.mark.parametrize("code", ["ServiceUnavailable", "Throttling.User", "Sundry.New"])
def test_zones_that_are_not_told_are_asked_for_once(stage: Stage, kind: str, code: str):
    stage.without_node(kind)
    stage.server.faults.add(Rule(Refuse(code, 503), action="GetLoadBalancerAttribute"))
    assert stage.warned(kind) == []
    assert stage.calls()["GetLoadBalancerAttribute"] == 1
