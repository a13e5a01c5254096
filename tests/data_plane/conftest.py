"""Stages for the tests of the mocked load balancers' data plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.bench.traffic import namespaces
from tests.data_plane.stage import PRODUCTS, Stage, staged


@pytest.fixture
def namespaced() -> None:
    """Skip where this machine allows no namespaces."""
    try:
        namespaces.check()
    except namespaces.NamespaceError as error:
        pytest.skip(str(error))


@pytest.fixture
def tcp() -> Iterator[Stage]:
    with staged(False) as stage:
        yield stage


@pytest.fixture
def http() -> Iterator[Stage]:
    with staged(True) as stage:
        yield stage


@pytest.fixture(params=PRODUCTS)
def any_product(request: pytest.FixtureRequest) -> Iterator[tuple[Stage, str]]:
    with staged(request.param == "alb") as stage:
        yield stage, request.param
