"""What the tests of the agent's core share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from mock_slb.testing import SDK_SEND
from slb_registration.log import quiet_sdk

from .driver import KINDS, World


@pytest.fixture
def sdk() -> Iterator[responses.RequestsMock]:
    """Catches every HTTP call of the SDK."""
    quiet_sdk()
    with responses.RequestsMock(target=SDK_SEND, assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(params=KINDS)
def world(sdk: responses.RequestsMock, request: pytest.FixtureRequest) -> World:
    """An account with a load balancer, once for each kind of server group."""
    return World(sdk, request.param)


@pytest.fixture
def clb(sdk: responses.RequestsMock) -> World:
    """The same with a default group only, where the kind of group makes no difference."""
    return World(sdk, "default group")
