"""Every fault of the mocked cloud can be set at start and while it runs, in the same words."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.control.changes import CHANGES
from mock_slb.control.seed import read
from mock_slb.core.fields import InputError
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.tls import Authority
from mock_slb.server import MockServer, serve
from mock_slb.signing.signature import sign

ACCOUNT = {
    "keys": [{"id": "k", "secret": "s"}],
    "instances": [{"id": "i-self", "self": True}],
    "load_balancers": [{"id": "lb-1"}],
    "alb": {"server_groups": [{"id": "sgp-1"}]},
}
SELF = '[{"ServerId": "i-self"}]'
PORT_CLOSED_SECONDS = 1.0


@dataclass
class Client:
    """Calls what is served, and tells what came of it in a few words."""

    server: MockServer
    authority: Authority
    waited: list[float] = field(default_factory=list)

    def _ask(self, method: str, path: str, **options: object) -> tuple[int, bytes]:
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        place = ("127.0.0.1", self.server.port)
        with closing(http.client.HTTPSConnection(*place, timeout=5, context=context)) as connection:
            connection.request(method, path, **options)  # type: ignore[arg-type]
            answer = connection.getresponse()
            return answer.status, answer.read()

    def order(self, name: str, body: object) -> None:
        """Change something by the control API."""
        headers = {"Content-Type": "application/json"}
        status, answer = self._ask("POST", f"/_mock/{name}", body=json.dumps(body), headers=headers)
        assert status == 200, answer

    def call(self, action: str = "DescribeLoadBalancerAttribute", **params: str) -> str:
        """One call of the API: the answer's status with its code or its body, or the error."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        everything = {
            "Action": action,
            "Version": "2014-05-15",
            "Format": "JSON",
            "LoadBalancerId": "lb-1",
            "Timestamp": now,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": str(uuid.uuid4()),
            "AccessKeyId": "k",
            **params,
        }
        everything["Signature"] = sign("POST", everything, "s")
        body = "&".join(f"{k}={quote(v, safe='')}" for k, v in everything.items())
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.tried("POST", "/", body=body, headers=headers)

    def instances(self) -> str:
        return self.call(
            "DescribeInstances", Version="2014-05-26", RegionId=self.server.account.region
        )

    def add(self) -> str:
        return self.call("AddBackendServers", BackendServers=SELF)

    def tried(self, method: str, path: str, **options: object) -> str:
        try:
            status, content = self._ask(method, path, **options)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        try:
            document = json.loads(content)
            return f"{status} {document['Code']}"
        except KeyError:
            return f"{status} {document.get('BackendServers', document.get('Instances', ''))}"
        except (ValueError, TypeError):
            return f"{status} {content!r}"

    def token(self) -> str:
        ttl = {"X-aliyun-ecs-metadata-token-ttl-seconds": "60"}
        return self.tried("PUT", "/latest/api/token", headers=ttl)

    def instance_id(self) -> str:
        return self.tried("GET", "/latest/meta-data/instance-id")

    @property
    def registered(self) -> bool:
        return bool(self.server.account.load_balancers["lb-1"].default_group.servers())


Shows = Callable[[Client], bool]


def throttled_at_the_second(client: Client) -> bool:
    return [client.call()[:3], client.call()] == ["200", "400 Throttling.User"]


def added_and_not_told(client: Client) -> bool:
    return client.add() in RESET and client.registered


def added_and_not_seen(client: Client) -> bool:
    return client.add().startswith("200") and client.registered and "i-self" not in client.call()


def opens_by_itself(client: Client) -> bool:
    # Without TLS: Python's own client leaks a socket that is reset before its handshake.
    while not refuses(client.server.port):
        outage = client.server._outage
        if outage is not None and not outage.is_alive():
            return False  # it was over before anyone saw it
    outage = client.server._outage
    assert outage is not None
    outage.join()
    return client.call().startswith("200")


def refuses(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.recv(1)  # until it is cut: many in a row would fill the backlog
    except ConnectionResetError:
        return False  # it was let in at the last moment
    except ConnectionRefusedError:
        return True
    return False


def the_group(client: Client) -> ServerGroup:
    (group,) = client.server.account.alb.groups()
    return group


def group_is_configuring(client: Client) -> bool:
    return the_group(client).status == "Configuring"


RESET = {"ConnectionResetError", "RemoteDisconnected", "SSLEOFError", "SSLZeroReturnError"}
FAULTS: dict[str, tuple[str, dict[str, object], Shows]] = {
    "any error code": (
        "faults",
        {"effect": "refuse", "code": "Any.Code", "status": 418},
        lambda client: client.call() == "418 Any.Code",
    ),
    "5xx with HTML": (
        "faults", {"preset": "bad_gateway"},
        lambda client: client.call().startswith("502 b'<html>"),
    ),
    "empty": ("faults", {"preset": "empty"}, lambda client: client.call() == "200 b''"),
    "truncated": (
        "faults", {"preset": "truncated"},
        lambda client: client.call() == """200 b'{"RequestId":"4C2E'""",
    ),
    "cut off": ("faults", {"preset": "cut_off"}, lambda client: client.call() == "IncompleteRead"),
    "not UTF-8": ("faults", {"preset": "not_utf8"}, lambda client: r"\xff\xfe" in client.call()),
    "slow": (
        "faults", {"preset": "slow", "seconds": 77},
        lambda client: client.call().startswith("200") and client.waited == [77.0],
    ),
    "answer lost after the change": (
        "faults", {"preset": "lost_answer", "action": "Add*"}, added_and_not_told
    ),
    "connection reset": ("faults", {"preset": "reset"}, lambda client: client.call() in RESET),
    "port closed": ("port", {"seconds": PORT_CLOSED_SECONDS}, opens_by_itself),
    "TLS with the wrong name": (
        "tls", {"names": ["www.example.com"]},
        lambda client: client.call() == "SSLCertVerificationError",
    ),
    "expired token": (
        "faults", {"preset": "expired_token"},
        lambda client: client.call() == "400 InvalidSecurityToken.Expired",
    ),
    "expired key": (
        "keys/add", {"id": "k", "secret": "s", "security_token": "t", "lifetime": 0},
        lambda client: client.call(SecurityToken="t").startswith("400 InvalidSecurityToken"),
    ),
    "clock ahead": (
        "clock", {"ahead_seconds": 3600},
        lambda client: client.call() == "400 InvalidTimeStamp.Expired",
    ),
    "clock behind": (
        "clock", {"behind_seconds": 3600},
        lambda client: client.call() == "400 InvalidTimeStamp.Expired",
    ),
    "quota of an action": (
        "quotas", {"product": "slb", "action": "DescribeLoadBalancerAttribute", "per_minute": 1},
        throttled_at_the_second,
    ),
    "busy CLB": (
        "groups/busy", {"group": "lb-1", "seconds": 60},
        lambda client: client.add() == "409 BackendServer.configuring",
    ),
    "busy group": ("groups/busy", {"group": "sgp-1", "seconds": 60}, group_is_configuring),
    "reads that lag": ("lag", {"seconds": 60}, added_and_not_seen),
    "metadata gone": (
        "faults", {"preset": "metadata_gone"},
        lambda client: client.token() in RESET and client.instance_id() in RESET,
    ),
    "metadata slow": (
        "faults", {"preset": "slow", "action": "metadata:*", "seconds": 77},
        lambda client: client.instance_id() == "200 b'i-self'" and client.waited == [77.0],
    ),
    "metadata without token": (
        "metadata", {"mode": "old"}, lambda client: client.token().startswith("404")
    ),
    "metadata without token, as a fault": (
        "faults", {"preset": "no_token_endpoint"}, lambda client: client.token().startswith("404")
    ),
    "metadata with token only": (
        "metadata", {"mode": "hardened"}, lambda client: client.instance_id().startswith("403")
    ),
    "empty lists as null": (
        "faults", {"preset": "empty_null"}, lambda client: client.call() == "200 None"
    ),
    "empty lists left out": (
        "faults", {"preset": "empty_absent"}, lambda client: client.call() == "200 "
    ),
    "instances that ECS may not show": (
        "ecs", {"denied": True},
        lambda client: client.instances() == "200 {'Instance': []}",
    ),
    "an instance of another account": (
        "ecs", {"hidden": ["i-self"]},
        lambda client: client.instances() == "200 {'Instance': []}",
    ),
    "an address that may be there twice": (
        "addresses", {"taken": "accept"},
        lambda client: client.server.account.address_taken == "accept",
    ),
    "removed servers that stay": (
        "groups/linger", {"group": "sgp-1", "seconds": 300},
        lambda client: the_group(client).lingering == ("Draining", 300.0),
    ),
    "jobs without an end": (
        "groups/stuck", {"group": "sgp-1"}, lambda client: the_group(client).jobs_are_stuck
    ),
    "of one action": (
        "faults", {"preset": "throttled", "action": "Add*"},
        lambda client: client.add() == "400 Throttling.User" and client.call().startswith("200"),
    ),
    "of some calls": (
        "faults", {"preset": "unavailable", "skip": 1, "times": 1},
        lambda client: [client.call()[:3] for _ in range(3)] == ["200", "503", "200"],
    ),
    "at random": (
        "faults", {"preset": "unavailable", "probability": 0.5},
        lambda client: {client.call()[:3] for _ in range(20)} == {"200", "503"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


Begin = Callable[..., Client]


@pytest.fixture
def begin(authority: Authority) -> Iterator[Begin]:
    """Serves an account as `python -m mock_slb` does, with these changes in its seed."""
    with ExitStack() as stack:

        def begun(*changes: object) -> Client:
            seed = read({**ACCOUNT, "changes": list(changes)})
            waited: list[float] = []
            server = serve(
                gateway=Gateway(seed.account, wait=waited.append),
                probe=False,
                tls=authority.server("127.0.0.1"),
                authority=authority,
                changes=seed.changes,
            )
            stack.enter_context(server)
            return Client(server, authority, waited)

        yield begun


@pytest.mark.parametrize("fault", FAULTS)
def test_it_can_be_set_at_start(begin: Begin, fault: str) -> None:
    name, fields, shows = FAULTS[fault]
    assert shows(begin({name: fields}))


@pytest.mark.parametrize("fault", FAULTS)
def test_it_can_be_set_while_it_runs(begin: Begin, fault: str) -> None:
    name, fields, shows = FAULTS[fault]
    client = begin()
    assert client.call().startswith("200")
    client.order(name, fields)
    assert shows(client)


def test_a_port_that_is_closed_at_start_answers_nobody_first(begin: Begin) -> None:
    client = begin({"port": {"seconds": 3600}})
    assert client.call() == "ConnectionRefusedError"
    assert client.server.calls.all() == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([{"port": {"seconds": "x"}}], "changes[0].port.seconds must be a number"),
        ([{"port": {"seconds": 9}}, {"port": {"seconds": 9}}], "port is closed already"),
        ([{"tls": {}}], "changes[0].tls.names must be given"),
        (
            [{"lag": {"seconds": 1}}, {"tags": {"load_balancer_id": "lb-9"}}],
            "[1].tags: there is no",
        ),
        ([{"servers/add": {"group": "lb-1", "server_id": "i-9"}}], "servers/add: ObtainIpFail"),
    ],
)
def test_what_cannot_be_made_at_start_is_said_with_its_place(
    begin: Begin, changes: list[object], says: str
) -> None:
    with pytest.raises(InputError) as error:
        begin(*changes)
    assert says in str(error.value)


def test_every_change_that_is_a_fault_is_in_the_list() -> None:
    no_faults = {"servers/add", "servers/remove", "servers/weight", "tags", "health", "heal"}
    no_faults |= {"instances/add", "instances/running", "instances/release"}
    no_faults |= {"data_plane"}  # its faults are played by HAProxy: tests/data_plane
    no_faults |= {"roles/add", "roles/remove", "keys/remove", "groups/fail", "groups/change"}
    assert {name for name, _, _ in FAULTS.values()} == set(CHANGES) - no_faults
