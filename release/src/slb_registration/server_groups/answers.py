"""Reading the API's answers: what is missing makes the answer broken, it never means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slb_registration.errors import ApiError, Kind


def objects(
    action: str, answer: Mapping[str, Any], outer: str, inner: str
) -> list[Mapping[str, Any]]:
    """The list at outer.inner. An answer without `outer` is broken, it does not mean empty."""
    try:
        listed = answer[outer].get(inner, [])
    except (KeyError, AttributeError):
        raise incomplete(action, outer) from None
    return checked_list(action, outer, listed)


def checked_list(action: str, name: str, listed: object) -> list[Mapping[str, Any]]:
    """A list of objects, or ApiError."""
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise incomplete(action, name)
    return listed


def incomplete(action: str, what: str) -> ApiError:
    """An answer that lacks what every such answer has: to be asked for again."""
    return ApiError(action, Kind.UNAVAILABLE, "IncompleteAnswer", f"the answer lacks {what}")
