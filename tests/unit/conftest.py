"""What the tests of the agent's core share."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses
import tenacity
from aliyunsdkcore.request import RpcRequest
from tests.paths import ROOT
from tests.unit.driver import KINDS, World
from tests.unit.trickling import Serve, Server

from mock_slb.account.account import Account
from mock_slb.server import MockServer, serve
from mock_slb.testing import SDK_SEND
from slb_registration.agent import control_socket, readiness_server
from slb_registration.cloud.client import Cloud
from slb_registration.instance import markers
from slb_registration.probes import script_children
from slb_registration.support.files.small_files import write_whole
from slb_registration.support.logs.event_log import quiet_sdk


@pytest.fixture(scope="session", autouse=True)
def least_privilege() -> Iterator[None]:
    """No call in any test is one that the RAM policy for operators does not allow."""
    policy = json.loads((ROOT / "release/manifests/ram-policy.json").read_text())
    allowed = {action for one in policy["Statement"] for action in one["Action"]}
    call = Cloud.call

    def guarded(self: Cloud, request: RpcRequest) -> dict[str, Any]:
        line = f"{str(request.get_product()).lower()}:{request.get_action_name()}"
        assert line in allowed, f"{line} is not in the RAM policy"
        return call(self, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cloud, "call", guarded)
        yield


@pytest.fixture(scope="session", autouse=True)
def soon_closed() -> Iterator[None]:
    """No test waits half a second for each of its servers to notice that it is to end."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (control_socket, readiness_server):
            patch.setattr(module, "POLL_SECONDS", 0.02)
        yield


@pytest.fixture(autouse=True)
def adopts_nobody() -> Iterator[None]:
    """A script makes this process adopt orphans; those of later tests are init's to reap."""
    yield
    ctypes.CDLL(None).prctl(script_children._PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def hostile() -> Iterator[Callable[..., Server]]:
    """Starts servers, which end with the test."""
    made: list[Server] = []

    def listen(serve: Serve, tls: ssl.SSLContext | None = None) -> Server:
        made.append(Server(serve, tls))
        return made[-1]

    yield listen
    for one in made:
        one.close()


@pytest.fixture
def sdk() -> Iterator[responses.RequestsMock]:
    """Catches every HTTP call of the SDK."""
    quiet_sdk()
    with responses.RequestsMock(target=SDK_SEND, assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(scope="module")
def module_server() -> Iterator[MockServer]:
    """The mocked cloud of a module's tests: use `account_server`."""
    with serve(Account(), probe=False) as server:
        yield server


@pytest.fixture
def account_server(module_server: MockServer, monkeypatch: pytest.MonkeyPatch) -> MockServer:
    """The mocked cloud with an account that has nothing; who repeats a question does not wait."""
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda seconds: None)
    module_server.account.__init__()  # type: ignore[misc]
    module_server.faults.clear()
    module_server.calls.clear()
    return module_server


@pytest.fixture(params=KINDS)
def world(sdk: responses.RequestsMock, request: pytest.FixtureRequest) -> World:
    """An account with a load balancer, once for each kind of server group."""
    return World(sdk, request.param)


@pytest.fixture
def clb(sdk: responses.RequestsMock) -> World:
    """The same with a default group only, where the kind of group makes no difference."""
    return World(sdk, "default group")


class DiskFull:
    """The disk that markers are on has no room; `everywhere`: nor has that of the run folder."""

    def __init__(self) -> None:
        self.room = False
        self.everywhere = False

    def write(self, path: Path, text: str) -> None:
        elsewhere = path.name.endswith("-marker")
        if self.everywhere or not (self.room or elsewhere):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_whole(path, text)


@pytest.fixture
def disk_full(monkeypatch: pytest.MonkeyPatch) -> DiskFull:
    """Markers are written to a disk that is full."""
    disk = DiskFull()
    monkeypatch.setattr(markers, "write_whole", disk.write)
    return disk
