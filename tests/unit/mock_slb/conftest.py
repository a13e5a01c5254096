from __future__ import annotations

import importlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import responses
from aliyunsdkcore.client import AcsClient

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.resources import HealthCheck
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import WireAnswer, WireRequest
from mock_slb.server import MockServer, serve
from mock_slb.signing.signature import sign
from mock_slb.testing import SDK_SEND, attach

NOW = 1_780_000_000.0
NOW_TEXT = "2026-05-28T20:26:40Z"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> Account:
    account = Account("cn-hangzhou", clock=clock)
    account.add_key("test-key", "test-secret")
    account.add_instance("i-self", ports={8080: 18080}, is_self=True)
    account.add_instance("i-other")
    return account


@pytest.fixture
def balancer(account: Account) -> LoadBalancer:
    balancer = account.add_load_balancer("lb-1", name="web", tags={"env": "test"})
    balancer.add_listener(80, "tcp", backend_port=8080, health_check=HealthCheck())
    balancer.add_vserver_group("rsp-1", name="api")
    return balancer


@pytest.fixture
def gateway(account: Account) -> Gateway:
    return Gateway(account, wait=lambda _seconds: None)


def signed(action: str, params: Mapping[str, str], **common: str) -> WireRequest:
    """A call as the SDK would send it, for the account's clock and the test's key."""
    everything = {
        "Action": action,
        "Version": "2014-05-15",
        "Format": "JSON",
        "RegionId": "cn-hangzhou",
        "Timestamp": NOW_TEXT,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureType": "",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(uuid.uuid4()),
        "AccessKeyId": "test-key",
        **params,
        **common,
    }
    return WireRequest("POST", {**everything, "Signature": sign("POST", everything, "test-secret")})


@pytest.fixture
def sign_call() -> Callable[..., WireRequest]:
    return signed


class Api:
    """Calls by name, answered as parsed JSON; the last status and code stay to look at."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.status = 0

    def __call__(self, action: str, /, **params: object) -> dict[str, Any]:
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
        answer = self.raw(signed(action, texts))
        parsed: dict[str, Any] = json.loads(answer.body)
        return parsed

    def raw(self, request: WireRequest) -> WireAnswer:
        answer = self.gateway.answer(request)
        self.status = answer.status
        return answer

    def refusal(self, action: str, /, **params: object) -> tuple[int, str]:
        """Status and code of a call that must be refused."""
        body = self(action, **params)
        return self.status, body["Code"]


@pytest.fixture
def api(gateway: Gateway, balancer: LoadBalancer) -> Api:
    return Api(gateway)


MODULES = {
    "slb": "aliyunsdkslb.request.v20140515",
    "alb": "aliyunsdkalb.request.v20200616",
    "nlb": "aliyunsdknlb.request.v20220430",
}


class Sdk:
    """The real aliyun-python-sdk, one long-lived client; CLB unless another product is named."""

    def __init__(self, endpoint: str, key: str = "sdk-key", secret: str = "sdk-secret") -> None:
        self.client = AcsClient(key, secret, "cn-hangzhou", auto_retry=False)
        self.endpoint = endpoint

    def __call__(self, action: str, /, **params: object) -> dict[str, Any]:
        return self.on("slb", action, **params)

    def on(self, product: str, action: str, /, **params: object) -> dict[str, Any]:
        module = importlib.import_module(f"{MODULES[product]}.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_endpoint(self.endpoint)
        for name, value in params.items():
            getattr(request, f"set_{name}")(value)
        parsed: dict[str, Any] = json.loads(self.client.do_action_with_exception(request))
        return parsed

    def close(self) -> None:
        self.client.session.close()


@pytest.fixture
def real_time_account() -> Account:
    """The SDK stamps its calls with the real time, so this account has the real clock."""
    account = Account("cn-hangzhou")
    account.add_key("sdk-key", "sdk-secret")
    account.add_instance("i-self", is_self=True)
    account.add_instance("i-other")
    balancer = account.add_load_balancer("lb-1", tags={"env": "test"})
    balancer.add_listener(80, "tcp", backend_port=8080)
    balancer.add_vserver_group("rsp-1")
    return account


@pytest.fixture
def server(real_time_account: Account) -> Iterator[MockServer]:
    with serve(real_time_account, probe=False) as server:
        yield server


@pytest.fixture
def attached(real_time_account: Account) -> Iterator[tuple[Sdk, Gateway]]:
    with responses.RequestsMock(target=SDK_SEND) as mock:
        gateway = attach(mock, real_time_account)
        yield Sdk("https://slb.aliyuncs.com"), gateway


@pytest.fixture
def new_sdk() -> Iterator[Callable[..., Sdk]]:
    made: list[Sdk] = []

    def make(endpoint: str, **options: str) -> Sdk:
        made.append(Sdk(endpoint, **options))
        return made[-1]

    yield make
    for sdk in made:
        sdk.close()
