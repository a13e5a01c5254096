"""What the API says to try again is tried again within seconds, and is no error to the operator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses
from tests.unit.driver import HEALTHY, REMOVE, UNHEALTHY
from tests.unit.every_kind import KINDS, Kind, Setting

from mock_slb.contract import contracts
from mock_slb.gateway.faults import Refuse, Rule
from slb_registration.cloud.error_codes import classify
from slb_registration.model.errors import Kind as ErrorKind
from slb_registration.reconcile.observed_state import Place

KINDS_OF_INSTANCES = [kind for kind in KINDS if kind.server_type == "ecs"]
READS_AND_WRITES = ("Describe*Attribute", "List*Servers", "Add*", "Set*", "Update*", "Remove*")
RETRIED_BY_OTHERS = (
    # By the reference's words in one product; and by other clients, whose authors have met them.
    "ResourceInConfiguring",
    "BackendServerProcessing",
    "OperationFailed.ServiceGroupProcessing",
    "VpcSystemBusy",
    "LocationServiceTimeout",
    "LockFailed",
    "ListenerProcessing",
    "OperationFailed.ListenerStatusNotSupport",
    "OperationFailed.TokenIsProcessing",
    "InnerRateLimiting",
    "ResourceInCreating.LoadBalancer",
    "VipStatusNotSupport",
    "LbStatusNotSupport",
    "IncorrectBusinessStatus.LoadBalancer",
)
UNKNOWN = "Novel.Refusal"
REFUSALS = 2
SOON_SECONDS = 30.0
"""Two refusals of every call that a change takes, with a backoff that doubles from 2 s."""
TURN_SECONDS = 60.0
"""Quotas are counted by the minute: after such a refusal it waits for its turn."""


def documented(product: str) -> Iterator[tuple[str, str, int]]:
    """Action, code and status of all that a product's reference says to pass."""
    for contract in contracts(product).values():
        for error in contract.errors:
            if error.passing:
                yield contract.action, error.code, error.status


def refusals(kind: Kind) -> Iterator[tuple[str, dict[str, int]]]:
    """Each code, with the actions that are refused with it, and the status."""
    product = "slb" if kind.product == "clb" else kind.product
    by_code: dict[str, dict[str, int]] = {}
    for action, code, status in documented(product):
        by_code.setdefault(code, {})[action] = status
    for code in (*RETRIED_BY_OTHERS, UNKNOWN):
        by_code[code] = dict.fromkeys(READS_AND_WRITES, 400)
    yield from by_code.items()


CASES = [
    pytest.param(kind, code, actions, id=f"{kind.name}-{code}")
    for kind in KINDS_OF_INSTANCES
    for code, actions in refusals(kind)
]


@pytest.mark.parametrize(("kind", "code", "actions"), CASES)
def test_what_passes_delays_a_registration_by_seconds_and_is_no_error(
    sdk: responses.RequestsMock, kind: Kind, code: str, actions: dict[str, int]
):
    setting = Setting(sdk, kind)
    agent, driver = setting.agent(), setting.driver
    throttled = classify(code, 400) is ErrorKind.THROTTLED
    seconds = TURN_SECONDS if throttled else SOON_SECONDS
    for wish, weight in ((HEALTHY, 100), (UNHEALTHY, 0), (HEALTHY, 100), (REMOVE, None)):
        for action, status in actions.items():
            rule = Rule(Refuse(code, status), action=action, times=REFUSALS)
            setting.gateway.faults.add(rule)
        driver.want(wish)
        driver.run(seconds)
        there = setting.there()
        assert (None if there is None else there.weight) == weight
        setting.gateway.faults.clear()
    assert agent.registrar.group.at_least(Place.LEFT)
    assert [event for _, event in agent.events if event.level == "error"] == []


@pytest.mark.parametrize("product", ["slb", "alb", "nlb"])
def test_what_the_reference_says_to_pass_is_never_given_up(product: str):
    passing = {ErrorKind.BUSY, ErrorKind.UNAVAILABLE, ErrorKind.THROTTLED}
    found = list(documented(product))
    assert found
    for action, code, status in found:
        assert classify(code, status, action=action) in passing, code
