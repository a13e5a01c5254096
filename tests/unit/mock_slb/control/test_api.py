from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mock_slb.account.account import Account
from mock_slb.alb_nlb.jobs import Failure
from mock_slb.alb_nlb.resources import GroupServer
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.control.api import Control
from mock_slb.control.changes import CHANGES
from mock_slb.gateway.gateway import Gateway

if TYPE_CHECKING:
    from conftest import Clock


class Remote:
    def __init__(self, gateway: Gateway) -> None:
        self.control = Control(gateway)
        self.status = 0

    def __call__(self, method: str, name: str, body: object = None, **query: str) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.control.answer(
            method, f"/_mock/{name}", query, "application/json; charset=utf-8", content
        )
        self.status = answer.status
        return json.loads(answer.body)


@pytest.fixture
def remote(gateway: Gateway, balancer: LoadBalancer) -> Remote:
    return Remote(gateway)


def test_the_account_can_be_read(remote: Remote) -> None:
    assert remote("GET", "account")["region"] == "cn-hangzhou"


def test_another_operator_adds_changes_and_removes_servers(
    remote: Remote, account: Account, balancer: LoadBalancer
) -> None:
    remote("POST", "servers/add", {"group": "lb-1", "server_id": "i-self", "weight": 9})
    remote("POST", "servers/add", {"group": "rsp-1", "server_id": "i-self", "port": 80})
    remote(
        "POST", "servers/weight", {"group": "rsp-1", "server_id": "i-self", "port": 80, "weight": 1}
    )
    assert [b.weight for b in balancer.default_group.servers()] == [9]
    assert [b.weight for b in account.group("rsp-1").servers()] == [1]
    remote("POST", "servers/remove", {"group": "rsp-1", "server_id": "i-self", "port": 80})
    remote("POST", "servers/remove", {"group": "lb-1", "server_id": "i-self"})
    assert remote.status == 200
    assert balancer.default_group.servers() == account.group("rsp-1").servers() == []


def test_another_operator_changes_alb_and_nlb_groups_too(remote: Remote, account: Account) -> None:
    account.add_alb_server_group("sgp-1")
    account.add_nlb_server_group("sgp-2")
    for group in (account.alb.group("sgp-1"), account.nlb.group("sgp-2")):
        place = {"group": group.id, "server_id": "i-self", "port": 80}
        remote("POST", "servers/add", {**place, "weight": 9})
        remote("POST", "servers/weight", {**place, "weight": 1})
        assert [s.weight for s in group.servers()] == [1]
        remote("POST", "servers/remove", place)
        assert group.servers() == []
        remote("POST", "tags", {"group": group.id, "tags": {"a": "b"}})
        assert group.tags == {"a": "b"}
        remote("POST", "groups/busy", {"group": group.id, "seconds": 5})
        assert group.status == "Configuring"
    assert remote.status == 200


def test_network_interfaces_come_and_go_by_their_addresses(
    remote: Remote, account: Account, balancer: LoadBalancer
) -> None:
    account.add_instance("i-two", private_ip="10.0.0.1", other_ips=("10.0.0.2",))
    account.add_nlb_server_group("sgp-2")
    for group in (account.group("rsp-1"), account.nlb.group("sgp-2")):
        place = {"group": group.id, "server_id": "eni-two", "port": 80}
        for ip in ("10.0.0.1", "10.0.0.2"):
            remote("POST", "servers/add", {**place, "type": "eni", "server_ip": ip})
        refusal = remote("POST", "servers/weight", {**place, "weight": 1})
        assert refusal["error"].endswith("which of eni-two's: 10.0.0.1, 10.0.0.2")
        remote("POST", "servers/weight", {**place, "server_ip": "10.0.0.2", "weight": 1})
        assert remote.status == 200
        assert [(one.server_ip, one.weight) for one in group.servers()] == [
            ("10.0.0.1", 100),
            ("10.0.0.2", 1),
        ]
        remote("POST", "servers/remove", {**place, "server_ip": "10.0.0.1"})
        remote("POST", "servers/weight", {**place, "weight": 2})  # only one is left to be meant
        assert [(one.server_ip, one.weight) for one in group.servers()] == [("10.0.0.2", 2)]


def test_addresses_come_and_go_in_groups_of_addresses(remote: Remote, account: Account) -> None:
    group = account.add_nlb_server_group("sgp-ip", type="Ip")
    place = {"group": "sgp-ip", "server_id": "10.0.0.9", "port": 80}
    remote("POST", "servers/add", place)
    remote("POST", "servers/weight", {**place, "server_ip": "10.0.0.9", "weight": 3})
    assert [(one.server_id, one.weight) for one in group.servers()] == [("10.0.0.9", 3)]
    remote("POST", "servers/remove", {**place, "server_ip": "10.0.0.9"})
    assert group.servers() == []


def test_what_was_made_to_go_wrong_is_healed_at_once(
    remote: Remote, gateway: Gateway, account: Account
) -> None:
    group = account.add_alb_server_group("sgp-1")
    before = remote("GET", "account")
    group.add_server("i-self", port=80)
    group.forced_server_statuses = {group.servers()[0].key: "Odd"}
    for name, fields in (
        ("faults", {"preset": "throttled"}),
        ("health", {"server_id": "i-self", "status": "abnormal"}),
        ("clock", {"ahead_seconds": 60}),
        ("lag", {"seconds": 5}),
        ("ecs", {"denied": True}),
        ("groups/busy", {"group": "sgp-1", "seconds": 60}),
        ("groups/fail", {"group": "sgp-1"}),
        ("groups/linger", {"group": "sgp-1", "seconds": 300}),
        ("groups/stuck", {"group": "sgp-1"}),
    ):
        remote("POST", name, fields)
        assert remote.status == 200
    shown = remote("GET", "account")["alb"]["server_groups"]["sgp-1"]
    assert shown["status"] == "Configuring"
    assert shown["troubles"] == [
        "Odd is told",
        "the next change fails",
        "jobs never end",
        "removed servers stay listed",
    ]
    assert remote("POST", "heal", {}) == {}
    remote("POST", "servers/remove", {"group": "sgp-1", "server_id": "i-self", "port": 80})
    assert remote("GET", "account") == before
    assert gateway.faults.view() == []
    assert account.ecs_access.shows("i-self")
    assert group.add([GroupServer("i-self", 80)]).failure is None


def test_healing_ends_no_change_and_no_choice(
    remote: Remote, account: Account, clock: Clock
) -> None:
    group = account.add_alb_server_group("sgp-1")
    remote("POST", "metadata", {"mode": "hardened"})
    remote("POST", "quotas", {"product": "slb", "action": "AddBackendServers", "per_minute": 3})
    remote("POST", "groups/linger", {"group": "sgp-1", "seconds": 300})
    group.add_server("i-self", port=80)
    group.remove([group.servers()[0].key])
    clock.now += 1  # the removal has ended, and the server lingers
    assert [one.status for one in group.servers()] == ["Draining"]
    job = group.add([GroupServer("i-other", 80)])
    remote("POST", "heal", {})
    assert [(one.server_id, one.status) for one in group.servers()] == [("i-other", "Adding")]
    assert group.status == "Configuring"
    clock.now = job.ends_at
    assert group.status == "Available"
    assert account.metadata_mode == "hardened"
    assert account.quotas.view() == {"slb.AddBackendServers": 3}


def test_the_jobs_of_alb_and_nlb_can_be_slowed_and_made_to_fail(
    remote: Remote, account: Account
) -> None:
    group = account.add_alb_server_group("sgp-1")
    remote("POST", "groups/change", {"seconds": 30})
    remote("POST", "groups/fail", {"group": "sgp-1", "code": "X", "message": "y"})
    job = group.add([GroupServer("i-self", 80)])
    assert job.ends_at - job.started_at == 30
    assert job.failure == Failure("X", "y")


def test_load_balancers_of_every_product_are_tagged(remote: Remote, account: Account) -> None:
    account.add_alb("alb-1")
    account.add_nlb("nlb-1")
    for balancer in (account.alb.balancer("alb-1"), account.nlb.balancer("nlb-1")):
        remote("POST", "tags", {"load_balancer_id": balancer.id, "tags": {"a": "b"}})
        assert balancer.tags == {"a": "b"}


def test_the_account_shows_alb_and_nlb(remote: Remote, account: Account) -> None:
    account.add_alb_server_group("sgp-1").add_server("i-self", port=80, weight=5)
    listener = account.add_alb("alb-1").add_listener(80, server_group="sgp-1")
    shown = remote("GET", "account")
    assert shown["nlb"] == {"load_balancers": {}, "server_groups": {}}
    assert shown["alb"]["load_balancers"]["alb-1"]["listeners"][listener.id]["port"] == 80
    (server,) = shown["alb"]["server_groups"]["sgp-1"]["servers"]
    assert (server["server_id"], server["weight"], server["status"]) == ("i-self", 5, "Available")
    assert server["health"] == {listener.id: "Initial"}


def test_keys_and_roles_come_and_go(remote: Remote, account: Account) -> None:
    remote("POST", "keys/add", {"id": "k2", "secret": "s"})
    assert account.key("k2") is not None
    remote("POST", "keys/remove", {"id": "k2"})
    assert account.key("k2") is None
    made = remote("POST", "roles/add", {"name": "agent", "lifetime": 900})
    (role,) = account.keys.roles()
    assert made == {"arn": role.arn}
    assert (role.name, role.lifetime_seconds, role.on_instances) == ("agent", 900, True)
    remote("POST", "roles/remove", {"name": "agent"})
    assert account.keys.roles() == []


def test_quotas_and_lag_can_be_set(remote: Remote, account: Account) -> None:
    quota = {"product": "nlb", "action": "ListServerGroups", "per_minute": 3}
    remote("POST", "quotas", quota)
    remote("POST", "lag", {"seconds": 2})
    shown = remote("GET", "account")
    assert shown["quotas"] == {"nlb.ListServerGroups": 3}
    assert shown["read_lag_seconds"] == account.read_lag_seconds == 2
    remote("POST", "quotas", {"published": True})
    assert account.quotas.view()["slb.AddBackendServers"] == 90


def test_instances_come_stop_and_go(remote: Remote, account: Account) -> None:
    remote("POST", "instances/add", {"id": "i-new", "ports": {"80": 18080}, "self": True})
    new = account.self_instance()
    assert new is not None
    assert (new.id, dict(new.ports)) == ("i-new", {80: 18080})
    remote("POST", "instances/running", {"id": "i-new", "running": False})
    stopped = account.instance("i-new")
    assert stopped is not None
    assert not stopped.running
    remote("POST", "instances/release", {"id": "i-new"})
    assert account.instance("i-new") is None


def test_tags_health_metadata_and_clock_can_be_changed(
    remote: Remote, account: Account, balancer: LoadBalancer
) -> None:
    remote("POST", "tags", {"load_balancer_id": "lb-1", "tags": {"a": "b"}, "remove": ["env"]})
    assert balancer.tags == {"a": "b"}
    remote("POST", "health", {"server_id": "i-self", "status": "abnormal"})
    assert account.forced_health == {"i-self": "abnormal"}
    remote("POST", "health", {"server_id": "i-self", "status": "probe"})
    assert account.forced_health == {}
    remote("POST", "metadata", {"mode": "hardened", "self": "i-other"})
    assert account.metadata_mode == "hardened"
    self_instance = account.self_instance()
    assert self_instance is not None
    assert self_instance.id == "i-other"
    remote("POST", "clock", {"behind_seconds": 3600})
    assert account.clock_offset_seconds == -3600


def test_faults_are_added_listed_and_lifted(remote: Remote, gateway: Gateway) -> None:
    first = remote("POST", "faults", {"preset": "throttled", "action": "Add*", "times": 2})
    rule = {"effect": "refuse", "code": "SystemBusy", "status": 449, "match": {"a": "b"}}
    second = remote("POST", "faults", rule)
    view = remote("GET", "faults")
    assert [one["id"] for one in view] == [first["id"], second["id"]]
    assert (view[0]["name"], view[0]["times"], view[1]["match"]) == ("throttled", 2, {"a": "b"})
    remote("DELETE", f"faults/{first['id']}")
    assert len(gateway.faults.view()) == 1
    remote("DELETE", f"faults/{first['id']}")
    assert remote.status == 404
    remote("DELETE", "faults")
    assert gateway.faults.view() == []


@pytest.mark.parametrize(
    "rule",
    [
        {"effect": "reply", "status": 502, "body": "<html>", "content_type": "text/html"},
        {"effect": "reset", "after_change": True},
        {"effect": "delay", "seconds": 0.5},
        {"preset": "slow", "seconds": 0.5},
        {"effect": "reset", "skip": 1, "probability": 0.5, "name": "mine"},
        {"preset": "slow", "action": "metadata:meta-data/ram/security-credentials/role"},
        {"preset": "slow", "action": "[A-Z]*"},
    ],
)
def test_every_effect_can_be_asked_for(remote: Remote, rule: dict[str, object]) -> None:
    assert remote("POST", "faults", rule)["id"] == 1


def test_calls_are_read_and_forgotten(remote: Remote, gateway: Gateway) -> None:
    for _ in range(3):
        gateway.calls.add(1.0, "A", {}, status=200)
    assert [call["number"] for call in remote("GET", "calls", since="1")] == [2, 3]
    remote("DELETE", "calls")
    assert remote("GET", "calls") == []


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("servers/add", {"group": "lb-1"}, "server_id is missing"),
        ("servers/add", {"group": "lb-1", "server_id": "i-none"}, "ObtainIpFail"),
        ("servers/add", {"group": "rsp-1", "server_id": "i-self"}, "port is missing"),
        ("servers/add", {"group": "lb-9", "server_id": "i-self"}, "does not exist"),
        ("servers/weight", {"group": "lb-1", "server_id": "i-self", "weight": 101}, "0 to 100"),
        ("servers/weight", {"group": "lb-1", "server_id": "i-self", "weight": 1}, "not found"),
        (
            "servers/remove",
            {"group": "lb-1", "server_id": "i-self", "prot": 1},
            "did you mean port?",
        ),
        ("instances/running", {"id": "i-none", "running": True}, "no i-none"),
        ("instances/add", {"id": "i-self"}, "exists already"),
        ("instances/add", {"id": "i-x", "ports": {"0": 1}}, "1 to 65535"),
        ("tags", {"load_balancer_id": "lb-1", "tags": {"a": 1}}, "tags.a must be a text"),
        ("tags", {"load_balancer_id": "lb-9"}, "there is no lb-9"),
        ("servers/add", {"group": "rsp-1", "server_id": "i-self", "port": 0}, "from 1 to 65535"),
        (
            "servers/add",
            {"group": "rsp-1", "server_id": "eni-x", "port": 1, "type": "eni"},
            "ObtainIpFail",
        ),
        ("servers/add", {"group": "lb-1", "server_id": "i-x", "type": "vm"}, "one of ecs, eni, ip"),
        ("heal", {"server_id": "i-self"}, "server_id is not known"),
        ("groups/busy", {"group": "sgp-9", "seconds": 1}, "does not exist"),
        ("health", {"server_id": "i-self", "status": "fine"}, "normal, abnormal, unavailable"),
        ("metadata", {"mode": "new"}, "both, hardened, old"),
        ("metadata", {"self": "i-none"}, "no i-none"),
        ("clock", {"ahead_seconds": "x"}, "must be a number"),
        ("faults", {"preset": "nonsense"}, "throttled"),
        ("faults", {"effect": "refuse"}, "code is missing"),
        (
            "faults",
            {"preset": "slow", "action": "Adds*"},
            "action: nothing is called Adds*; known: Add",
        ),
        ("faults", {"preset": "slow", "action": "metadata:tokn"}, "did you mean metadata:token?"),
        ("faults", {"preset": "slow", "action": "x"}, "known: AddBackendServers, "),
        ("quotas", {"product": "alb", "action": "Ad", "per_minute": 1}, "known: AddServersToSer"),
        (
            "quotas",
            {"product": "vpc", "action": "x"},
            "product must be one of slb, alb, sts, nlb, ecs",
        ),
        ("port", {"seconds": 1}, "there is no server to do this to"),
        ("faults", {"effect": "delay", "seconds": 1, "probability": 2}, "from 0 to 1"),
        ("faults", [], "mapping"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    remote: Remote, name: str, body: object, says: str
) -> None:
    answer = remote("POST", name, body)
    assert remote.status == 400
    assert says in answer["error"]


def test_a_form_from_a_web_page_is_refused(gateway: Gateway, account: Account) -> None:
    body = json.dumps({"id": "i-self"}).encode()
    answer = Control(gateway).answer("POST", "/_mock/instances/release", {}, "text/plain", body)
    assert answer.status == 400
    assert b"application/json" in answer.body
    assert account.instance("i-self") is not None


@pytest.mark.parametrize(("method", "name"), [("GET", "x"), ("POST", "x"), ("DELETE", "x")])
def test_an_unknown_path_names_the_known_ones(remote: Remote, method: str, name: str) -> None:
    answer = remote(method, name, {})
    assert remote.status == 404
    assert all(known in answer["error"] for known in CHANGES)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "the body is not JSON"),
        (b'{"tags": {"a": "b", "a": "c"}}', "the body gives 'a' twice"),
        (b"[" * 100_000, "the body is nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(gateway: Gateway, body: bytes, says: str) -> None:
    answer = Control(gateway).answer("POST", "/_mock/tags", {}, "application/json", body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith(says)


def test_since_must_be_a_number(remote: Remote) -> None:
    assert "since" in remote("GET", "calls", since="x")["error"]
