"""The whole life of a backend server by every family of official SDKs, over HTTP.

Python's old one (which the agent uses) and newer ones, and JavaScript's two. The last need node,
and what `make js-sdks` installs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_alb20200616 import models as alb_models
from alibabacloud_alb20200616.client import Client as AlbClient
from alibabacloud_nlb20220430 import models as nlb_models
from alibabacloud_nlb20220430.client import Client as NlbClient
from alibabacloud_slb20140515 import models as slb_models
from alibabacloud_slb20140515.client import Client as SlbClient
from alibabacloud_tea_openapi.utils_models import Config
from tests.paths import ROOT

from mock_slb.account.account import Account
from mock_slb.server import MockServer, serve

if TYPE_CHECKING:
    from conftest import Sdk

NODE_MODULES = Path(os.environ.get("SLB_TEST_NODE_MODULES", ROOT / ".cache/js/node_modules"))
NEWER = {
    "slb": (SlbClient, slb_models),
    "alb": (AlbClient, alb_models),
    "nlb": (NlbClient, nlb_models),
}

Answer = Mapping[str, Any]
Call = tuple[str, str, dict[str, Any]]
"""Product, action, parameters."""
Family = Callable[[str, Sequence[Call]], Sequence[Answer]]
"""Makes calls to an endpoint, host and port, and tells the answers."""


@dataclass(frozen=True)
class Life:
    """The calls for one kind of server group; `where` names the group."""

    product: str
    where: dict[str, Any]
    add: str
    change: str
    remove: str
    read: str
    health: tuple[str, dict[str, Any]]

    def calls(self) -> list[Call]:
        steps = [
            (self.add, self._servers(weight=7)), (self.read, {}), self.health,
            (self.change, self._servers(weight=0)), (self.read, {}),
            (self.remove, self._servers()), (self.read, {}),
        ]  # fmt: skip
        return [
            (self.product, action, params if action == self.health[0] else {**self.where, **params})
            for action, params in steps
        ]

    def _servers(self, weight: int | None = None) -> dict[str, Any]:
        server: dict[str, Any] = {"ServerId": "i-self"}
        if "LoadBalancerId" not in self.where:
            server["Port"] = 8080
        if self.product != "slb":
            server["ServerType"] = "Ecs"
        if weight is not None:
            server |= {"Weight": weight, "Description": "bosh/1-a.b"}
        if self.product == "slb":
            return {"BackendServers": json.dumps([server])}
        return {"Servers": [server]}


GROUP_WRITES = (
    "AddServersToServerGroup",
    "UpdateServerGroupServersAttribute",
    "RemoveServersFromServerGroup",
)
LIVES = {
    "default group": Life(
        "slb", {"LoadBalancerId": "lb-1"},
        "AddBackendServers", "SetBackendServers", "RemoveBackendServers",
        "DescribeLoadBalancerAttribute", ("DescribeHealthStatus", {"LoadBalancerId": "lb-1"}),
    ),
    "vServer group": Life(
        "slb", {"VServerGroupId": "rsp-1"}, "AddVServerGroupBackendServers",
        "SetVServerGroupAttribute", "RemoveVServerGroupBackendServers",
        "DescribeVServerGroupAttribute", ("DescribeHealthStatus", {"LoadBalancerId": "lb-1"}),
    ),
    **{
        product: Life(
            product, {"ServerGroupId": "sgp-1"}, *GROUP_WRITES,
            "ListServerGroupServers", ("GetListenerHealthStatus", {"ListenerId": "lsn-1"}),
        )
        for product in ("alb", "nlb")
    },
}  # fmt: skip


# --- the families --------------------------------------------------------------------------------


def old_python(sdk: Sdk, calls: Sequence[Call]) -> list[Answer]:
    answers = []
    for product, action, params in calls:
        # Two setters of NLB's are misspelt.
        misspelt = product == "nlb" and action.startswith(("Remove", "Update"))
        renamed = {("Serverss" if k == "Servers" and misspelt else k): v for k, v in params.items()}
        answers.append(sdk.on(product, action, **renamed))
    return answers


def newer_python(endpoint: str, calls: Sequence[Call]) -> list[Answer]:
    config = Config(
        access_key_id="sdk-key",
        access_key_secret="sdk-secret",
        region_id="cn-hangzhou",
        endpoint=endpoint,
        protocol="HTTP",
    )
    answers = []
    for product, action, params in calls:
        client, models = NEWER[product]
        request = getattr(models, f"{action}Request")().from_map(
            {"RegionId": "cn-hangzhou", **params}
        )
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in action).lstrip("_")
        name = name.replace("v_server", "vserver")
        answers.append(getattr(client(config), name)(request).body.to_map())
    return answers


def javascript(family: str) -> Family:
    def run(endpoint: str, calls: Sequence[Call]) -> Sequence[Answer]:
        node = shutil.which("node")
        if node is None:
            pytest.skip("node is not on PATH")
        if not (NODE_MODULES / "@alicloud").is_dir():
            pytest.skip(f"no JavaScript SDKs in {NODE_MODULES} (make js-sdks)")
        done = subprocess.run(
            [node, str(Path(__file__).with_name("life.js")), family, endpoint],
            input=json.dumps(calls),
            env={**os.environ, "NODE_PATH": str(NODE_MODULES)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        answers: Sequence[Answer] = json.loads(done.stdout)
        return answers

    return run


FAMILIES: Mapping[str, Family | None] = {
    "old Python": None,
    "newer Python": newer_python,
    "newer JavaScript": javascript("newer"),
    "older JavaScript": javascript("older"),
}


# --- the life ------------------------------------------------------------------------------------


@pytest.fixture
def cloud(real_time_account: Account) -> Iterator[MockServer]:
    account = real_time_account
    account.change_seconds = 0.0
    account.load_balancer("lb-1").add_listener(81, vserver_group="rsp-1")
    for fleet in (account.alb, account.nlb):
        fleet.add_server_group("sgp-1")
        fleet.add_load_balancer("xlb-1").add_listener(80, server_group="sgp-1", id="lsn-1")
    account.force_health("i-self", "abnormal")
    with serve(account, probe=False) as server:
        yield server


@pytest.mark.parametrize("kind", LIVES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_backend_server_is_added_weighed_checked_and_removed(
    cloud: MockServer, new_sdk: Callable[..., Sdk], family: str, kind: str
) -> None:
    life, run = LIVES[kind], FAMILIES[family]
    if run is None:
        answers: Sequence[Answer] = old_python(new_sdk(cloud.url), life.calls())
    else:
        answers = run(cloud.url.removeprefix("http://"), life.calls())
    _added, read, health, _changed, lowered, _removed, gone = answers
    assert members(read) == {"i-self": 7}
    assert unhealthy(health) == {"i-self"}
    assert members(lowered) == {"i-self": 0}
    assert members(gone) == {}
    assert [call.action for call in cloud.calls.all()] == [action for _, action, _ in life.calls()]
    assert {call.status for call in cloud.calls.all()} == {200}


def members(answer: Answer) -> dict[str, int]:
    servers = (
        answer["Servers"] if "Servers" in answer else answer["BackendServers"]["BackendServer"]
    )
    return {one["ServerId"]: one["Weight"] for one in servers}


def unhealthy(answer: Answer) -> set[str]:
    if "BackendServers" in answer:
        servers = answer["BackendServers"]["BackendServer"]
        return {one["ServerId"] for one in servers if one["ServerHealthStatus"] == "abnormal"}
    infos = [info for one in answer["ListenerHealthStatus"] for info in one["ServerGroupInfos"]]
    return {
        one["ServerId"]
        for info in infos
        for one in info["NonNormalServers"]
        if one["Status"] == "Unhealthy"
    }
