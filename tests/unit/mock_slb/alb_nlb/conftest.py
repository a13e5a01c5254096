from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from mock_slb.account.account import Account
from mock_slb.alb_nlb import alb, nlb
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.gateway.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_slb.http.wire import WireRequest

SELF = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080}


def flat(params: dict[str, object]) -> dict[str, str]:
    """Lists and objects as the RPC protocol spreads them: Servers.1.Port."""
    texts: dict[str, str] = {}

    def spread(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                spread(f"{name}.{key}", one)
        elif isinstance(value, (list, tuple)):
            for number, one in enumerate(value, 1):
                spread(f"{name}.{number}", one)
        else:
            texts[name] = str(value)

    for name, value in params.items():
        spread(name, value)
    return texts


@dataclasses.dataclass
class Kit:
    """One product with a group behind a listener, and a way to call its API."""

    account: Account
    fleet: Fleet
    group: ServerGroup
    balancer: Balancer
    listener_id: str
    gateway: Gateway
    version: str
    sign: Callable[..., WireRequest]
    status: int = 0

    @property
    def is_alb(self) -> bool:
        return self.fleet.product.name == "Alb"

    def __call__(self, action: str, /, **params: object) -> dict[str, Any]:
        request = self.sign(action, {**flat(params), "Version": self.version})
        answer = self.gateway.answer(request)
        self.status = answer.status
        parsed: dict[str, Any] = json.loads(answer.body)
        return parsed

    def add(self, *servers: dict[str, object], **params: object) -> dict[str, Any]:
        return self.write("AddServersToServerGroup", *servers, **params)

    def update(self, *servers: dict[str, object], **params: object) -> dict[str, Any]:
        return self.write("UpdateServerGroupServersAttribute", *servers, **params)

    def remove(self, *servers: dict[str, object], **params: object) -> dict[str, Any]:
        return self.write("RemoveServersFromServerGroup", *servers, **params)

    def write(self, action: str, *servers: dict[str, object], **params: object) -> dict[str, Any]:
        return self(action, **{"ServerGroupId": "sgp-1", "Servers": servers, **params})

    def servers(self) -> list[tuple[str, int, int, str]]:
        answer = self("ListServerGroupServers", ServerGroupId="sgp-1")
        return [(s["ServerId"], s["Port"], s["Weight"], s["Status"]) for s in answer["Servers"]]

    def group_status(self) -> str:
        (group,) = self("ListServerGroups", ServerGroupIds=["sgp-1"])["ServerGroups"]
        status: str = group["ServerGroupStatus"]
        return status

    def non_normal(self) -> list[tuple[str, str]]:
        answer = self("GetListenerHealthStatus", ListenerId=self.listener_id)
        (listener,) = answer["ListenerHealthStatus"]
        (info,) = listener["ServerGroupInfos"]
        return [(one["ServerId"], one["Status"]) for one in info["NonNormalServers"]]

    def refusal(self, answer: dict[str, Any]) -> tuple[int, str]:
        """Status and code of an answer that must be a refusal."""
        return self.status, answer["Code"]


def build(account: Account, gateway: Gateway, name: str, sign: Callable[..., WireRequest]) -> Kit:
    fleet, version = {"alb": (account.alb, alb.VERSION), "nlb": (account.nlb, nlb.VERSION)}[name]
    group = fleet.add_server_group("sgp-1", name="web", tags={"env": "test"})
    balancer = fleet.add_load_balancer(f"{name}-1", tags={"env": "test"})
    listener = balancer.add_listener(80, server_group="sgp-1", id="lsn-1")
    return Kit(account, fleet, group, balancer, listener.id, gateway, version, sign)


@pytest.fixture(params=["alb", "nlb"])
def kit(
    request: pytest.FixtureRequest,
    account: Account,
    gateway: Gateway,
    sign_call: Callable[..., WireRequest],
) -> Kit:
    return build(account, gateway, request.param, sign_call)


@pytest.fixture
def alb_kit(account: Account, gateway: Gateway, sign_call: Callable[..., WireRequest]) -> Kit:
    return build(account, gateway, "alb", sign_call)


@pytest.fixture
def nlb_kit(account: Account, gateway: Gateway, sign_call: Callable[..., WireRequest]) -> Kit:
    return build(account, gateway, "nlb", sign_call)
