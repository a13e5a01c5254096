"""What the errand warns of: settings of load balancers that would hurt, played by the mocked cloud.

Each warning is shown by one setting that differs from a well-configured account, and by that alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import ACCESS_KEY, PORT, SECRET_KEY
from tests.unit.rendered import rendered

from mock_slb.core.resources import HealthCheck
from mock_slb.gateway.faults import Refuse, Rule
from mock_slb.server import MockServer
from slb_registration.cloud.client import Cloud
from slb_registration.commands import cli

TCP = HealthCheck()
HTTP = HealthCheck(type="http", path="/health")
GROUPS: Mapping[str, dict[str, Any]] = {
    "clb default": {"product": "clb", "load_balancer_id": "lb-1"},
    "clb vServer": {"product": "clb", "vserver_group_id": "rsp-1", "port": PORT},
    "clb active/standby": {"product": "clb", "active_standby_group_id": "rsp-ms", "port": PORT},
    "alb": {"product": "alb", "server_group_id": "sgp-alb", "port": PORT},
    "nlb": {"product": "nlb", "server_group_id": "sgp-nlb", "port": PORT},
}
LISTENERS = {"clb default": "tcp:80", "clb vServer": "tcp:81", "clb active/standby": "tcp:82"}
KINDS = tuple(GROUPS)
CLB = KINDS[:3]
DEFAULTS = ("clb default", "clb vServer", "alb", "nlb")


class Stage:
    """A well-configured account, this VM in every kind of group, and the errand."""

    def __init__(self, server: MockServer, folder: Path, capsys: pytest.CaptureFixture[str]):
        self.server, self.folder, self._capsys = server, folder, capsys
        self.account = account = server.account
        account.add_key(ACCESS_KEY, SECRET_KEY)
        for name in ("i-self", "i-other"):
            account.add_instance(name, is_self=name == "i-self")
            account.force_health(name, "normal")
        self.clb = account.add_load_balancer("lb-1")
        self.clb.default_group.add_server("i-self")
        self.clb.add_vserver_group("rsp-1").add_server("i-self", port=PORT)
        self.clb.add_master_slave_group("rsp-ms", master=("i-self", PORT), slave=("i-other", PORT))
        drain = {"connection_drain_seconds": 60}
        self.clb.add_listener(80, backend_port=PORT, **drain)
        self.clb.add_listener(81, vserver_group="rsp-1", **drain)
        self.clb.add_listener(82, master_slave_group="rsp-ms", **drain)
        for name in ("alb", "nlb"):
            fleet = getattr(account, name)
            group = fleet.add_server_group(f"sgp-{name}", **drain)
            group.add_server("i-self", port=PORT)
            fleet.add_load_balancer(f"{name}-1").add_listener(80, server_group=f"sgp-{name}")

    def of(self, kind: str) -> Any:
        """The server group of ALB or NLB."""
        return getattr(self.account, kind).group(f"sgp-{kind}")

    def set(self, kind: str, **changes: Any) -> None:
        """Set something where the product has it: on the listener of CLB, or on the group."""
        if kind in CLB:
            name = LISTENERS[kind]
            self.clb.listeners[name] = replace(self.clb.listeners[name], **changes)
            return
        for name, value in changes.items():
            setattr(self.of(kind), name, value)

    def checks(self, kind: str, **changes: Any) -> None:
        """Change the health check."""
        place = self.clb.listeners[LISTENERS[kind]] if kind in CLB else self.of(kind)
        self.set(kind, health_check=replace(place.health_check, **changes))

    def without_node(self, kind: str) -> Any:
        """The load balancer of ALB or NLB, from now on in another zone, and for that alone."""
        balancer = getattr(self.account, kind).balancer(f"{kind}-1")
        balancer.zone_ids, balancer.cross_zone = (ELSEWHERE,), False
        return balancer

    def behind_one(self, kind: str) -> None:
        """A second group, `sgp-2`, behind the same load balancer without a node."""
        drain = {"connection_drain_seconds": 60}
        group = getattr(self.account, kind).add_server_group("sgp-2", **drain)
        group.add_server("i-self", port=PORT)
        self.without_node(kind).add_listener(81, server_group="sgp-2")

    def cli(self, *kinds: str, json_: bool = True, **properties: Any) -> tuple[int, str, str]:
        given = {
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "endpoints": dict.fromkeys(("slb", "alb", "nlb", "metadata"), self.server.url),
            "log": {"level": "error"},
            "server_groups": [GROUPS[kind] for kind in kinds],
            **properties,
        }
        file = rendered(self.folder, given)
        code = cli.main(["check", "--config", str(file), *(["--json"] if json_ else [])])
        out, err = self._capsys.readouterr()
        return code, out, err

    def warned(self, *kinds: str, **properties: Any) -> list[dict[str, Any]]:
        """The warnings; whatever they are, all is well."""
        code, out, _ = self.cli(*kinds, **properties)
        document = json.loads(out)
        assert (code, document["ok"], document["error"]) == (0, True, None)
        found: list[dict[str, Any]] = document["warnings"]
        return found

    def codes(self, *kinds: str, **properties: Any) -> list[str]:
        return [one["code"] for one in self.warned(*kinds, **properties)]

    def calls(self) -> Counter[str]:
        """The API calls since the last time that this was asked."""
        actions = Counter(
            one.action for one in self.server.calls.all() if not one.action.startswith("metadata")
        )
        self.server.calls.clear()
        return actions


@pytest.fixture
def stage(account_server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    return Stage(account_server, tmp_path, capsys)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_well_configured_is_not_warned_about(stage: Stage, kind: str):
    assert stage.warned(kind) == []
    assert stage.warned(kind, health_check={"type": "none"}) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_that_is_off(stage: Stage, kind: str):
    stage.set(kind, health_check=None)
    (warning,) = stage.warned(kind)
    assert warning["code"] == "check_off"
    assert warning["group"].startswith(kind[:3])
    assert warning["listener"] == LISTENERS.get(kind)
    assert "the health check is off" in warning["text"]
    assert "health check on" in warning["advice"]


@pytest.mark.parametrize("kind", KINDS)
def test_connection_draining_that_is_off(stage: Stage, kind: str):
    stage.set(kind, connection_drain_seconds=None)
    assert stage.codes(kind) == ["no_connection_drain"]


@pytest.mark.parametrize("kind", [*CLB, "alb"])
def test_session_persistence(stage: Stage, kind: str):
    stage.set(kind, sticky_seconds=1000)
    assert stage.codes(kind) == ["session_persistence"]


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_session_persistence_by_cookie_of_clb(stage: Stage, protocol: str):
    """These listeners have no connection draining: nothing is said of that."""
    stage.clb.listeners.clear()
    check = replace(HTTP, path="/")
    stage.clb.add_listener(80, protocol, backend_port=PORT, health_check=check, sticky_seconds=60)
    (warning,) = stage.warned("clb default")
    assert (warning["code"], warning["listener"]) == ("session_persistence", f"{protocol}:80")


@pytest.mark.parametrize("kind", ["clb default", "clb vServer"])
def test_round_robin_hurts_where_weight_0_is_relied_on(stage: Stage, kind: str):
    stage.set(kind, scheduler="rr")
    assert stage.codes(kind) == ["round_robin"]
    assert stage.codes(kind, drain={"method": "remove"}) == ["round_robin"]
    assert stage.codes(kind, drain={"method": "remove"}, on_unhealthy="remove") == []


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_detection_that_takes_twice_as_long_as_ours(stage: Stage, kind: str):
    stage.checks(kind, interval_seconds=10, unhealthy_threshold=3)
    assert stage.codes(kind) == []
    stage.checks(kind, interval_seconds=10, unhealthy_threshold=4)
    (warning,) = stage.warned(kind)
    assert warning["code"] == "slow_detection"
    assert "takes 40 s (10 s, 4 times)" in warning["text"]
    assert "the local one 15 s" in warning["text"]
    assert stage.codes(kind, health_check={"interval": 10}) == []
    stage.checks(kind, unhealthy_threshold=3)  # of 30 s nobody is warned
    assert stage.codes(kind, health_check={"interval": 1, "timeout": 1}) == []


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_return_that_outlasts_post_start(stage: Stage, kind: str):
    stage.checks(kind, interval_seconds=5, healthy_threshold=9)
    assert stage.codes(kind) == []
    assert stage.codes(kind, post_start={"timeout": 40}) == ["slow_return"]


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_check_that_is_less_patient_than_ours(stage: Stage, kind: str):
    stage.checks(kind, interval_seconds=2, timeout_seconds=2)
    assert stage.codes(kind) == []
    slow = {"interval": 10, "timeout": 4}
    assert stage.codes(kind, health_check=slow) == ["shorter_timeout"]
    stage.checks(kind, timeout_seconds=4)
    assert stage.codes(kind, health_check=slow) == []


@pytest.mark.parametrize("kind", DEFAULTS)
def test_checks_of_two_ports(stage: Stage, kind: str):
    assert stage.codes(kind, health_check={"port": PORT}) == []
    (warning,) = stage.warned(kind, health_check={"port": 9000})
    assert warning["code"] == "other_check_port"
    assert f"port {PORT}" in warning["text"]
    assert "port 9000" in warning["text"]
    stage.checks(kind, port=9000)
    assert stage.codes(kind, health_check={"port": 9000}) == []
    assert stage.codes(kind) == ["other_check_port"]
    assert stage.codes(kind, health_check={"type": "script", "script": "/bin/true"}) == []


@pytest.mark.parametrize("kind", DEFAULTS)
def test_checks_of_two_paths(stage: Stage, kind: str):
    stage.checks(kind, type="http", path="/ping")
    assert stage.codes(kind) == []  # the local one asks for none
    ours = {"type": "http", "path": "/health"}
    assert stage.codes(kind, health_check=ours) == ["other_check_path"]
    stage.checks(kind, path="/health")
    assert stage.codes(kind, health_check=ours) == []


READINESS = {"readiness": {"port": 8099}}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_check_that_does_not_ask_the_agent_where_it_answers(stage: Stage, kind: str):
    (warning,) = stage.warned(kind, **READINESS)
    assert warning["code"] == "check_not_at_readiness_port"
    assert "readiness.port (8099)" in warning["text"]
    slow = {"interval_seconds": 5, "unhealthy_threshold": 4}
    stage.checks(kind, port=8099, type="http", path="/any", **slow)
    ours = {"type": "http", "path": "/health"}
    assert stage.codes(kind, **READINESS, health_check=ours) == []
    stage.checks(kind, type="tcp")
    assert stage.codes(kind, **READINESS) == ["readiness_check_not_http"]


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_check_of_the_agent_that_hears_too_late_or_gives_it_up_too_soon(stage: Stage, kind: str):
    quick = {"interval_seconds": 2, "unhealthy_threshold": 3}
    stage.checks(kind, port=8099, type="http", **quick)
    assert stage.codes(kind, **READINESS) == ["detection_shorter_than_restart"]
    stage.checks(kind, interval_seconds=10)
    assert stage.codes(kind, **READINESS) == []
    short = {"drain": {"timeout": 25}}
    assert stage.codes(kind, **READINESS, **short) == ["detection_longer_than_drain"]


def test_a_check_of_a_co_located_jobs_file_is_the_one_that_counts(stage: Stage):
    file = stage.folder / "slb_registration.json"
    asks = {"server_groups": [GROUPS["alb"]], "health_check": {"type": "tcp", "port": 9000}}
    file.write_text(json.dumps(asks))
    globs = {"dynamic_config_globs": [str(file)]}
    assert stage.codes(**globs) == ["other_check_port"]
    assert stage.codes("alb", **globs) == []  # named in the manifest: that says how


@pytest.mark.parametrize("kind", CLB)
def test_a_stopped_listener_of_clb(stage: Stage, kind: str):
    stage.set(kind, status="stopped")
    (warning,) = stage.warned(kind)
    assert (warning["code"], warning["listener"]) == ("listener_stopped", LISTENERS[kind])


@pytest.mark.parametrize(("kind", "name"), [("alb", "http:80"), ("nlb", "tcp:80")])
def test_a_stopped_listener_of_alb_and_nlb(stage: Stage, kind: str, name: str):
    listeners = getattr(stage.account, kind).balancer(f"{kind}-1").listeners
    ((id_, listener),) = listeners.items()
    listeners[id_] = replace(listener, status="Stopped")
    (warning,) = stage.warned(kind)
    assert (warning["code"], warning["listener"]) == ("listener_stopped", name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_to_which_no_listener_leads(stage: Stage, kind: str):
    if kind in CLB:
        del stage.clb.listeners[LISTENERS[kind]]
    else:
        getattr(stage.account, kind).balancer(f"{kind}-1").listeners.clear()
    assert "no_listener" in stage.codes(kind)


def test_a_group_to_which_only_forwarding_rules_lead(stage: Stage):
    alb = stage.account.alb
    alb.add_server_group("sgp-other")
    balancer = alb.balancer("alb-1")
    balancer.listeners.clear()
    listener = balancer.add_listener(80, server_group="sgp-other")
    balancer.add_rule(listener.id, server_group="sgp-alb")
    assert stage.codes("alb") == []


def test_a_listener_of_clb_whose_rules_may_lead_to_the_group_says_nothing_of_it(stage: Stage):
    del stage.clb.listeners[LISTENERS["clb vServer"]]
    stage.clb.add_listener(90, "http", backend_port=PORT, sticky_seconds=60, health_check=None)
    assert stage.codes("clb vServer") == []


@pytest.mark.parametrize("kind", ["clb default", "alb", "nlb"])
def test_a_group_of_another_vpc(stage: Stage, kind: str):
    place = stage.clb if kind in CLB else stage.of(kind)
    place.vpc_id = "vpc-other"
    (warning,) = stage.warned(kind)
    assert warning["code"] == "other_vpc"
    assert "vpc-other" in warning["text"]
    assert "vpc-mock" in warning["text"]
    place.vpc_id = ""  # a load balancer of the internet, or of the classic network
    assert stage.codes(kind) == []


MINE, ELSEWHERE = "cn-hangzhou-h", "cn-hangzhou-g"
ZONED = ("alb", "nlb")


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


def test_a_group_that_forwards_all_ports_and_connections_of_which_one_counts(stage: Stage):
    nlb = stage.account.nlb
    nlb.add_server_group("sgp-any", any_port=True, connection_drain_seconds=60).add_server("i-self")
    nlb.add_load_balancer("nlb-2").add_listener(80, server_group="sgp-any")
    entry = {"product": "nlb", "server_group_id": "sgp-any", "port": 0}
    given = {"server_groups": [entry], "health_check": {"port": PORT}}
    assert stage.codes(**given) == ["any_port_connections"]
    assert stage.codes(**given, drain={"connections_port": "1024-2048"}) == []


def test_a_group_of_a_file_that_forwards_all_ports_is_checked_on_the_files_port(stage: Stage):
    group = stage.account.nlb.add_server_group(
        "sgp-any", any_port=True, connection_drain_seconds=60, health_check=HealthCheck(port=9000)
    )
    group.add_server("i-self")
    stage.account.nlb.add_load_balancer("nlb-2").add_listener(80, server_group="sgp-any")
    file = stage.folder / "slb_registration.json"
    globs = {"dynamic_config_globs": [str(file)], "drain": {"connections_port": "1024-2048"}}
    entry = {"product": "nlb", "server_group_id": "sgp-any", "port": 0}
    for port, codes in ((9000, []), (9001, ["other_check_port"])):
        file.write_text(json.dumps({"server_groups": [entry], "port": port}))
        assert stage.codes(**globs) == codes


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


# What it costs, and what may go wrong


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


ODD = (None, True, "", "x", -520, 0, 10**12, 1.5, [], ["x"], {}, {"x": None}, "\x1b[31m")
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
SETTING_ACTIONS = ("DescribeLoadBalancerListeners", "ListServerGroups", "ListListeners")


def spoiled(value: Any, name: str, odd: object) -> Any:
    """A copy in which every field of that name holds something odd."""
    if isinstance(value, dict):
        return {k: odd if k == name else spoiled(v, name, odd) for k, v in value.items()}
    return [spoiled(one, name, odd) for one in value] if isinstance(value, list) else value


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
