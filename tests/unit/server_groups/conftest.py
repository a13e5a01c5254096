"""Accounts of ALB and NLB for the tests of their adapters."""

from __future__ import annotations

import pytest
import responses
from tests.unit.every_kind import KINDS, Setting

PRODUCTS = [kind for kind in KINDS if kind.name in ("alb", "nlb")]


@pytest.fixture(params=PRODUCTS, ids=lambda kind: kind.name)
def setting(sdk: responses.RequestsMock, request: pytest.FixtureRequest) -> Setting:
    return Setting(sdk, request.param)


@pytest.fixture
def nlb(sdk: responses.RequestsMock) -> Setting:
    return Setting(sdk, next(kind for kind in PRODUCTS if kind.product == "nlb"))


@pytest.fixture
def alb(sdk: responses.RequestsMock) -> Setting:
    return Setting(sdk, next(kind for kind in PRODUCTS if kind.product == "alb"))
