"""The actions that there are: one that is misspelt would match no call, and nobody would notice."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase

from mock_slb.core.fields import Fields, InputError
from mock_slb.gateway.products import PRODUCTS

API_ACTIONS = tuple(sorted({name for one in PRODUCTS.values() for name in one.actions}))
METADATA_ACTIONS = (
    "metadata:token",
    *(
        f"metadata:meta-data/{path}"
        for path in (
            "instance-id",
            "region-id",
            "zone-id",
            "private-ipv4",
            "mac",
            "vpc-id",
            "network/interfaces/macs/",
            "ram/security-credentials/",
        )
    ),
)
"""What requests to the metadata service are called; below those that end in / there are more."""


def action_pattern(fields: Fields, default: str) -> str:
    """The field `action`: a pattern of which there is at least one. Raises InputError."""
    pattern = fields.text("action", default)
    known = (*API_ACTIONS, *METADATA_ACTIONS)
    folders = tuple(name for name in METADATA_ACTIONS if name.endswith("/"))
    if not pattern.startswith(folders) and not any(fnmatchcase(one, pattern) for one in known):
        raise InputError(_unknown(fields.place("action"), pattern, known))
    return pattern


def action_of_product(fields: Fields) -> tuple[str, str]:
    """The fields `product` and `action`: one action of it. Raises InputError."""
    products = {one.name: one for one in PRODUCTS.values()}
    product = fields.choice("product", tuple(products))
    action, known = fields.text("action"), tuple(products[product].actions)
    if action not in known:
        raise InputError(_unknown(fields.place("action"), action, known))
    return product, action


def _unknown(place: str, action: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(action, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"{place}: nothing is called {action}; {hint}"
