"""Finding server groups, load balancers, listeners and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from alb_nlb.conftest import Kit


def groups(kit: Kit, **params: object) -> list[str]:
    return [g["ServerGroupId"] for g in kit("ListServerGroups", **params)["ServerGroups"]]


def balancers(kit: Kit, **params: object) -> list[str]:
    return [b["LoadBalancerId"] for b in kit("ListLoadBalancers", **params)["LoadBalancers"]]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, ["sgp-1", "sgp-2"]),
        ({"ServerGroupIds": ["sgp-2", "sgp-9"]}, ["sgp-2"]),
        ({"ServerGroupNames": ["web"]}, ["sgp-1"]),
        ({"ServerGroupType": "Ip"}, ["sgp-2"]),
        ({"VpcId": "vpc-2"}, ["sgp-2"]),
        ({"Tag": [{"Key": "env", "Value": "test"}]}, ["sgp-1"]),
        ({"Tag": [{"Key": "env"}]}, ["sgp-1", "sgp-2"]),
        ({"Tag": [{"Key": "env", "Value": "test"}, {"Key": "other", "Value": "x"}]}, []),
        ({"RegionId": "cn-beijing"}, ["sgp-far"]),
    ],
)
def test_server_groups_are_found_by_what_they_are(
    kit: Kit, params: dict[str, object], found: list[str]
) -> None:
    kit.fleet.add_server_group("sgp-2", type="Ip", vpc_id="vpc-2", tags={"env": "prod"})
    kit.fleet.add_server_group("sgp-far", region="cn-beijing")
    assert groups(kit, **params) == found


def test_a_tag_that_comes_or_goes_is_seen_at_once(kit: Kit) -> None:
    wanted = {"Tag": [{"Key": "new", "Value": "yes"}]}
    assert groups(kit, **wanted) == []
    kit.group.set_tags({"new": "yes"})
    kit.balancer.set_tags({"new": "yes"})
    assert groups(kit, **wanted) == ["sgp-1"]
    assert balancers(kit, **wanted) == [kit.balancer.id]
    kit.group.set_tags({}, remove=("new",))
    kit.balancer.set_tags({}, remove=("new",))
    assert groups(kit, **wanted) == balancers(kit, **wanted) == []


def test_a_server_group_names_the_load_balancers_that_use_it(kit: Kit) -> None:
    def related() -> list[list[str]]:
        found = kit("ListServerGroups")["ServerGroups"]
        return [group["RelatedLoadBalancerIds"] for group in found]

    kit.fleet.add_server_group("sgp-2")
    assert related() == [[kit.balancer.id], []]
    other = kit.fleet.add_load_balancer("lb-other")
    other.add_listener(80, server_group="sgp-2")
    assert related() == [[kit.balancer.id], ["lb-other"]]


def test_a_listener_names_its_server_group(kit: Kit) -> None:
    found = kit("ListListeners", LoadBalancerIds=[kit.balancer.id, "lb-other"])
    (listener,) = found["Listeners"]
    if kit.is_alb:
        (action,) = listener["DefaultActions"]
        assert action["Type"] == "ForwardGroup"
        tuples = action["ForwardGroupConfig"]["ServerGroupTuples"]
        assert [one["ServerGroupId"] for one in tuples] == ["sgp-1"]
    else:
        assert listener["ServerGroupId"] == "sgp-1"
    assert kit("ListListeners", ListenerIds=["lsn-9"])["Listeners"] == []
    assert kit("ListListeners", ListenerProtocol="QUIC")["Listeners"] == []


def test_a_forwarding_rule_names_its_server_group(alb_kit: Kit) -> None:
    alb_kit.fleet.add_server_group("sgp-2")
    alb_kit.balancer.add_rule("lsn-1", server_group="sgp-2", path="/api/*")
    (rule,) = alb_kit("ListRules", ListenerIds=["lsn-1"])["Rules"]
    (action,) = rule["RuleActions"]
    (forwarded,) = action["ForwardGroupConfig"]["ServerGroupTuples"]
    assert forwarded["ServerGroupId"] == "sgp-2"
    assert rule["RuleConditions"][0]["PathConfig"]["Values"] == ["/api/*"]
    for params in ({"LoadBalancerIds": ["alb-1"]}, {"RuleIds": [rule["RuleId"]]}):
        assert len(alb_kit("ListRules", **params)["Rules"]) == 1
    assert alb_kit("ListRules", LoadBalancerIds=["alb-9"])["Rules"] == []


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({}, 1),
        ({"LoadBalancerNames": ["nobody"]}, 0),
        ({"VpcIds": ["vpc-mock", "vpc-2"]}, 1),
        ({"VpcIds": ["vpc-2"]}, 0),
        ({"LoadBalancerStatus": "Inactive"}, 0),
        ({"RegionId": "cn-beijing"}, 0),
    ],
)
def test_load_balancers_are_found_by_what_they_are(
    kit: Kit, params: dict[str, object], count: int
) -> None:
    assert len(balancers(kit, **params)) == count


def test_a_listing_comes_in_pages(kit: Kit) -> None:
    for number in range(2, 6):
        kit.fleet.add_server_group(f"sgp-{number}")
    seen: list[str] = []
    token: dict[str, object] = {}
    for _ in range(3):
        answer = kit("ListServerGroups", MaxResults=2, **token)
        assert (answer["TotalCount"], answer["MaxResults"]) == (5, 2)
        seen += [group["ServerGroupId"] for group in answer["ServerGroups"]]
        token = {"NextToken": answer.get("NextToken")}
    assert seen == ["sgp-1", "sgp-2", "sgp-3", "sgp-4", "sgp-5"]
    assert token == {"NextToken": None}


def test_servers_come_in_pages_and_by_id(kit: Kit) -> None:
    for port in range(1, 31):
        kit.group.add_server("i-self", port=port)
    kit.group.add_server("i-other", port=1)
    first = kit("ListServerGroupServers", ServerGroupId="sgp-1")
    assert len(first["Servers"]) == 20
    rest = kit("ListServerGroupServers", ServerGroupId="sgp-1", NextToken=first["NextToken"])
    assert len(rest["Servers"]) == 11
    assert "NextToken" not in rest
    by_id = kit("ListServerGroupServers", ServerGroupId="sgp-1", ServerIds=["i-other"])
    assert [server["ServerId"] for server in by_id["Servers"]] == ["i-other"]
    assert kit("ListServerGroupServers")["TotalCount"] == 31


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"MaxResults": 0}, "MaxResults"),
        ({"MaxResults": 101}, "MaxResults"),
        ({"NextToken": "made-up"}, "NextToken"),
    ],
)
def test_a_page_that_there_is_not_is_refused(
    kit: Kit, params: dict[str, object], name: str
) -> None:
    refused = kit.refusal(kit("ListServerGroups", **params))
    assert refused == (400, f"IllegalParam.{name}")


def test_what_an_operator_makes_twice_or_of_nothing_is_refused(kit: Kit) -> None:
    mistakes = [
        lambda: kit.fleet.add_server_group("sgp-1"),
        lambda: kit.fleet.add_server_group("sgp-2", type="Pod"),
        lambda: kit.fleet.add_load_balancer(kit.balancer.id),
        lambda: kit.fleet.remove_server_group("sgp-1"),
        lambda: kit.balancer.add_listener(80, server_group="sgp-1"),
        lambda: kit.balancer.add_listener(81, server_group="sgp-none"),
        lambda: kit.balancer.add_listener(81, "SMTP", server_group="sgp-1"),
        lambda: kit.balancer.add_listener(81, server_group="sgp-1", id="lsn-1"),
    ]
    for mistake in mistakes:
        with pytest.raises(ValueError, match=r".+"):
            mistake()
    if not kit.is_alb:
        with pytest.raises(ValueError, match="only ALB"):
            kit.balancer.add_rule("lsn-1", server_group="sgp-1")


def test_what_is_deleted_is_not_listed(kit: Kit) -> None:
    kit.fleet.remove_load_balancer(kit.balancer.id)
    kit.fleet.remove_server_group("sgp-1")
    assert balancers(kit) == groups(kit) == []


def test_a_group_tells_of_its_connection_draining(alb_kit: Kit, nlb_kit: Kit) -> None:
    told = []
    for kit in (alb_kit, nlb_kit):
        kit.fleet.add_server_group("sgp-draining", connection_drain_seconds=60)
        for id_ in ("sgp-1", "sgp-draining"):
            (group,) = kit("ListServerGroups", ServerGroupIds=[id_])["ServerGroups"]
            drain = group.get("ConnectionDrainConfig", group)
            told.append((drain["ConnectionDrainEnabled"], drain["ConnectionDrainTimeout"]))
    assert told == [(False, 300), (True, 60)] * 2


def test_only_alb_has_groups_of_functions_and_no_vm_gets_into_one(
    alb_kit: Kit, nlb_kit: Kit
) -> None:
    alb_kit.fleet.add_server_group("sgp-fc", type="Fc")
    (told,) = alb_kit("ListServerGroups", ServerGroupType="Fc")["ServerGroups"]
    assert (told["ServerGroupId"], told["VpcId"]) == ("sgp-fc", "")
    server = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080}
    refused = alb_kit.refusal(alb_kit.add(server, ServerGroupId="sgp-fc"))
    assert refused == (400, "Mismatch.ServerType")
    with pytest.raises(ValueError, match="type must be Instance or Ip"):
        nlb_kit.fleet.add_server_group("sgp-fc", type="Fc")
