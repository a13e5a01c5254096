from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import mock_slb
from mock_slb.__main__ import EXAMPLE_SEED
from mock_slb.control.seed import load, read
from mock_slb.core.fields import InputError
from mock_slb.core.resources import HealthCheck
from mock_slb.data_plane.settings import Settings
from mock_slb.gateway.gateway import Gateway

FULL = """
region: cn-beijing
already_there: error
metadata_mode: hardened
keys:
  - {id: key, secret: s3cret}
  - {id: STS.x, secret: s3cret, security_token: tok}
instances:
  - {id: i-self, self: true, ports: {8080: 18080}, private_ip: 10.0.0.1, zone_id: cn-beijing-a}
  - {id: i-down, running: false, host: 127.0.0.2}
  - {id: eni-1, type: eni}
load_balancers:
  - id: lb-1
    name: web
    tags: {bosh-deployment: cf}
    servers: [{id: i-self, weight: 0, description: bosh/x}]
    vserver_groups:
      - {id: rsp-1, servers: [{id: i-self, port: 9000}]}
      - {id: rsp-3, tags: {x: y}}
    vpc_id: vpc-9
    master_slave_groups:
      - {id: rsp-2, tags: {a: b}, master: {id: i-self, port: 1}, slave: {id: i-self, port: 2}}
    listeners:
      - {port: 90, master_slave_group: rsp-2}
      - {port: 80, backend_port: 8080, scheduler: rr, status: stopped, session_persistence: 60}
      - {port: 81, protocol: http, vserver_group: rsp-1, health_check: off}
      - port: 82
        health_check: {type: http, interval: 0.5, timeout: 1, healthy_threshold: 1,
          unhealthy_threshold: 2, port: 9001, path: /h, method: get, http_codes: [http_3xx]}
change_seconds: 0.5
read_lag_seconds: 1.5
quotas: [{published: true}, {product: slb, action: AddBackendServers, per_minute: 10}]
roles: [{name: Agent, lifetime: 900}, {name: Other, on_instances: false}]
alb:
  server_groups:
    - id: sgp-1
      name: web
      vpc_id: vpc-2
      tags: {bosh-deployment: cf}
      health_check: {type: tcp, interval: 3}
    - id: sgp-2
      session_persistence: 90
      servers: [{id: eni-1, type: Eni, port: 80, weight: 3, description: d1}]
  load_balancers:
    - id: alb-1
      tags: {a: b}
      listeners:
        - port: 443
          protocol: HTTPS
          server_group: sgp-1
          id: lsn-1
          status: Stopped
          rules: [{server_group: sgp-2}]
nlb:
  server_groups:
    - {id: sgp-1, type: Ip, ipv6: true, health_check: off, servers: [{id: "2408::1", port: 80}]}
  load_balancers: [{id: nlb-1, listeners: [{port: 80, server_group: sgp-1}]}]
faults:
  - {preset: throttled, times: 3}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "seed.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_active_standby_groups_and_the_vpc_reach_the_account(tmp_path: Path) -> None:
    account = load(written(tmp_path, FULL)).account
    balancer = account.load_balancer("lb-1")
    assert balancer.vpc_id == "vpc-9"
    (group,) = balancer.master_slave_groups()
    assert group.tags == {"a": "b"}
    assert [(s.port, s.server_type) for s in group.servers()] == [(1, "Master"), (2, "Slave")]
    assert balancer.group_of(balancer.listeners["tcp:90"]) is group
    assert account.group("rsp-3").tags == {"x": "y"}


def test_alb_and_nlb_reach_the_account(tmp_path: Path) -> None:
    account = load(written(tmp_path, FULL)).account
    assert (account.change_seconds, account.read_lag_seconds) == (0.5, 1.5)
    quotas = account.quotas.view()
    assert (quotas["slb.AddBackendServers"], quotas["slb.SetBackendServers"]) == (10, 90)
    assert [(r.name, r.on_instances, r.lifetime_seconds) for r in account.keys.roles()] == [
        ("Agent", True, 900),
        ("Other", False, 6 * 3600),
    ]
    web, rest = account.alb.groups()
    assert (web.id, web.name, web.vpc_id, web.tags) == (
        "sgp-1",
        "web",
        "vpc-2",
        {"bosh-deployment": "cf"},
    )
    assert web.health_check == HealthCheck(type="tcp", interval_seconds=3)
    (server,) = rest.servers()
    assert (server.server_id, server.type, server.port, server.weight, server.description) == (
        "eni-1",
        "Eni",
        80,
        3,
        "d1",
    )
    assert (web.sticky_seconds, rest.sticky_seconds) == (None, 90)
    assert rest.health_check == account.alb.product.default_check
    balancer = account.alb.balancer("alb-1")
    assert balancer.tags == {"a": "b"}
    assert [one.status for one in balancer.listeners.values()] == ["Stopped"]
    assert [(r.name[:4], r.server_group_id) for r in balancer.routes()] == [
        ("lsn-", "sgp-1"),
        ("rule", "sgp-2"),
    ]
    (group,) = account.nlb.groups()
    assert (group.type, group.ipv6, group.health_check) == ("Ip", True, None)
    assert [(s.server_id, s.type) for s in group.servers()] == [("2408::1", "Ip")]
    assert [r.listener.protocol for r in account.nlb.balancer("nlb-1").routes()] == ["TCP"]


def test_every_field_reaches_the_account(tmp_path: Path) -> None:
    seed = load(written(tmp_path, FULL))
    account = seed.account
    assert (account.region, account.already_there) == ("cn-beijing", "error")
    assert account.metadata_mode == "hardened"
    assert [(k.id, k.security_token) for k in account.access_keys()] == [
        ("key", None),
        ("STS.x", "tok"),
    ]
    own, down, eni = account.instances()
    assert own.is_self
    assert (dict(own.ports), own.private_ip, own.zone_id) == (
        {8080: 18080},
        "10.0.0.1",
        "cn-beijing-a",
    )
    assert (down.running, down.host, eni.type) == (False, "127.0.0.2", "eni")
    balancer = account.load_balancer("lb-1")
    (server,) = balancer.default_group.servers()
    assert (server.weight, server.description) == (0, "bosh/x")
    assert [b.port for b in account.group("rsp-1").servers()] == [9000]
    _, first, second, third = balancer.listeners.values()
    assert (first.backend_port, first.scheduler, first.health_check) == (8080, "rr", HealthCheck())
    assert (first.status, first.sticky_seconds, second.sticky_seconds) == ("stopped", 60, None)
    assert (second.vserver_group_id, second.health_check) == ("rsp-1", None)
    assert third.health_check == HealthCheck(
        "http", 0.5, 1.0, 1, 2, 9001, "/h", "", "get", ("http_3xx",)
    )
    assert [(rule.name, rule.times) for rule in seed.rules] == [("throttled", 3)]


def test_the_example_that_is_shipped_is_good() -> None:
    (folder,) = mock_slb.__path__
    account = load(Path(folder) / "example.yml").account
    assert account.self_instance() is not None
    assert len(account.load_balancer("lb-demo").listeners) == 3


def test_json_is_fine_too(tmp_path: Path) -> None:
    account = load(written(tmp_path, '{"region": "cn-shanghai"}')).account
    assert account.region == "cn-shanghai"


def test_an_empty_file_is_an_empty_account(tmp_path: Path) -> None:
    seed = load(written(tmp_path, ""))
    assert (seed.account.load_balancers, seed.rules, seed.changes) == ({}, (), ())


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "the top level must be a mapping"),
        ({"regoin": "x"}, "regoin is not known; did you mean region?"),
        ({"keys": [{"id": "a"}]}, "keys[0].secret is missing"),
        ({"keys": {"id": "a"}}, "keys must be a list"),
        ({"instances": [{"id": 5}]}, "instances[0].id must be a text, not 5"),
        ({"instances": [{"id": "a"}, {"id": "a"}]}, "instances[1]: instance a exists already"),
        ({"instances": [{"id": "a", "self": "yes"}]}, "instances[0].self must be true or false"),
        ({"instances": [{"id": "a", "ports": {"x": 1}}]}, "instances[0].ports must be a port"),
        ({"instances": [{"id": "a", "ports": [1]}]}, "instances[0].ports must be a mapping"),
        ({"load_balancers": ["lb"]}, "load_balancers[0] must be a mapping"),
        (
            {"load_balancers": [{"id": "lb", "servers": [{"id": "i-none"}]}]},
            "load_balancers[0].servers[0]: ObtainIpFail",
        ),
        (
            {"load_balancers": [{"id": "lb", "tags": {"a": 1}}]},
            "load_balancers[0].tags.a must be a text, not 1 (put it in quotes)",
        ),
        (
            {"load_balancers": [{"id": "lb", "listeners": [{"port": 70000}]}]},
            "load_balancers[0].listeners[0].port must be a whole number from 1 to 65535, not 70000",
        ),
        (
            {"load_balancers": [{"id": "lb", "listeners": [{"port": 1, "protocol": "ftp"}]}]},
            "load_balancers[0].listeners[0].protocol must be one of tcp, udp, http, https: 'ftp'",
        ),
        (
            {"load_balancers": [{"id": "lb", "listeners": [{"port": 1}, {"port": 1}]}]},
            "load_balancers[0].listeners[1]: lb already has a listener tcp:1",
        ),
        (
            {"load_balancers": [{"id": "lb", "listeners": [{"port": 1, "vserver_group": "r"}]}]},
            "load_balancers[0].listeners[0]: InvalidParameter",
        ),
        (
            {
                "load_balancers": [
                    {"id": "lb", "vserver_groups": [{"id": "r", "servers": [{"id": "i"}]}]}
                ]
            },
            "load_balancers[0].vserver_groups[0].servers[0].port is missing",
        ),
        ({"already_there": "maybe"}, "already_there must be one of ignore, error: 'maybe'"),
        ({"faults": [{"preset": "x"}]}, "faults[0].preset must be one of throttled"),
        (
            {"faults": [{"preset": "slow", "action": "AddBackendServer"}]},
            "faults[0].action: nothing is called AddBackendServer; did you mean AddBackendServers?",
        ),
        ({"quotas": [{"product": "vpc", "action": "x"}]}, "quotas[0].product must be one of slb"),
        (
            {"quotas": [{"product": "nlb", "action": "AddBackendServers", "per_minute": 1}]},
            "quotas[0].action: nothing is called AddBackendServers; known: AddServersToServerGroup",
        ),
        ({"changes": [{"prot": {}}]}, "changes[0].prot is not known; did you mean port?"),
        ({"changes": [{}]}, "changes[0] must have one name: one of groups/busy, "),
        ({"changes": [{"port": {}, "lag": {}}]}, "changes[0] must have one name"),
        ({"changes": [{"port": None}]}, "changes[0].port is missing"),
        ({"changes": [{"port": 5}]}, "changes[0].port must be a mapping"),
        (
            {
                "load_balancers": [
                    {"id": "lb", "listeners": [{"port": 1, "health_check": {"interval": -1}}]}
                ]
            },
            "health_check.interval must be a number from 0",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(document: object, says: str) -> None:
    with pytest.raises(InputError) as error:
        read(document)
    assert says in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.yml: No such file"):
        load(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [", "is not YAML"),
        (b"a: \xff", "is not UTF-8"),
        (b"x", "mapping"),
        (b"a: 2026-99-99", "is not YAML"),
        (b"[" * 5000 + b"]" * 5000, "is nested too deeply"),
        (b"a: " + b"{a: " * 5000 + b"1" + b"}" * 5000, "is nested too deeply"),
        (b"region: a\nkeys: []\nregion: b", r"yml gives 'region' twice, the second time in line 3"),
        (b"keys: [{id: a, id: b}]", "gives 'id' twice, the second time in line 1"),
        (b'{"keys": [], "keys": []}', "gives 'keys' twice"),
        (b"instances: [{id: a, ports: {80: 1, 0x50: 2}}]", "gives '0x50' twice"),
        (b"instances: [{id: a, ports: {80: 1, '80': 2}}]", r"ports gives a port twice"),
        (b"a: &a {b: 1}\nc: {<<: *a, b: 2}", "a is not known"),
    ],
)
def test_a_file_that_is_not_yaml_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "bad.yml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        load(path)
    assert str(path) in str(error.value)


def test_the_changes_that_the_example_shows_can_be_made() -> None:
    text = EXAMPLE_SEED.read_text(encoding="utf-8")
    shown = text[text.index("# changes:") :].replace("# ", "", 1).replace("\n# ", "\n")
    seed = read(yaml.safe_load(text) | yaml.safe_load(shown))
    gateway = Gateway(seed.account)
    for change in seed.changes:
        change.make(gateway)
    assert len(gateway.faults.view()) == 6
    group = seed.account.alb.group("sgp-demo")
    assert (group.lingering, group.jobs_are_stuck) == (("Draining", 300.0), True)
    assert seed.account.address_code == "DuplicatedParam.BackendServer"
    assert seed.data_plane == Settings(ports={"lb-demo/tcp:80": 18080}, lag_seconds=5)
