"""The products that answer, by the Version that a call names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mock_slb.account.account import Account
from mock_slb.alb_nlb import alb, nlb
from mock_slb.alb_nlb.errors import token_reused
from mock_slb.clb import actions as clb
from mock_slb.contract import action_names
from mock_slb.core import errors
from mock_slb.core.errors import ApiError
from mock_slb.ecs import actions as ecs
from mock_slb.sts import actions as sts

Params = Mapping[str, str]
Answer = dict[str, object]
Action = Callable[[Account, Params], Answer]
T = TypeVar("T")

GROUP_WRITES = frozenset(
    {
        "AddServersToServerGroup",
        "RemoveServersFromServerGroup",
        "UpdateServerGroupServersAttribute",
    }
)


@dataclass(frozen=True)
class Product:
    """One product's API."""

    name: str
    """As in RAM's actions: slb, alb, nlb, sts, ecs."""
    actions: Mapping[str, Action]
    idempotent: frozenset[str] = frozenset()
    """Actions that heed a ClientToken."""
    token_reused: Callable[[], ApiError] = errors.client_token_reused
    """The refusal of a token that was used for another call."""


def _on(
    part: Callable[[Account], T], actions: Mapping[str, Callable[[T, Params], Answer]]
) -> Mapping[str, Action]:
    """Actions on what the account has of one product, as actions on the account."""

    def whole(action: Callable[[T, Params], Answer]) -> Action:
        return lambda account, params: action(part(account), params)

    return {name: whole(action) for name, action in actions.items()}


PRODUCTS: Mapping[str, Product] = {
    clb.VERSION: Product("slb", _on(lambda account: account.clb, clb.ACTIONS)),
    alb.VERSION: Product("alb", _on(lambda account: account.alb, alb.ACTIONS), GROUP_WRITES),
    sts.VERSION: Product("sts", sts.ACTIONS),
    nlb.VERSION: Product(
        "nlb", _on(lambda account: account.nlb, nlb.ACTIONS), GROUP_WRITES, token_reused
    ),
    ecs.VERSION: Product("ecs", ecs.ACTIONS),
}

ENDPOINTS = ("slb", "alb", "nlb", "sts", "ecs", "metadata")
"""All that the agent's property `endpoints` can name: whatever it asks is answered here."""


def find(version: str | None, action: str | None) -> tuple[Product, Action]:
    """Find what a call is for. Raises ApiError for what there is not."""
    if not action:
        raise errors.missing_common_parameter("Action")
    product = PRODUCTS.get(version or "")
    if product is None:
        raise errors.invalid_common_parameter("Version")
    if action not in product.actions:
        if action in action_names(product.name):
            raise errors.action_not_mocked(action, product.actions)
        raise errors.action_not_found()
    return product, product.actions[action]


def name_of(version: str | None) -> str | None:
    """The product's name, None for a Version that there is not."""
    product = PRODUCTS.get(version or "")
    return product.name if product is not None else None
