"""Reading the API's answers: what is missing makes the answer broken, it never means nothing.

What cannot be, such as a port that is infinite or a text that would change a terminal's state, does
not get further than here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slb_registration.model.errors import ApiError, Kind, tidy

MOST_ITEMS = 10_000
"""More than any list of ours holds: the quotas of all products are ten times smaller."""

_WHOLE = re.compile(r"-?[0-9]{1,10}")
_LARGEST = 2**31


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
    if len(listed) > MOST_ITEMS:
        raise unreasonable(action, name)
    return listed


def own_list(action: str, answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]] | None:
    """The list `name` of an answer of ALB or NLB; None where it has none and says so.

    Nobody documents how a list without elements looks (other clients return on a TotalCount of 0
    before they look). An answer that is whole otherwise, since it has a RequestId, and counts
    nothing may lack it, or hold null or {}.
    """
    value = answer.get(name)
    if value or isinstance(value, list):
        return checked_list(action, name, value)
    if answer.get("RequestId") and str(answer.get("TotalCount") or 0) == "0":
        return None
    raise incomplete(action, name)


def text(value: object) -> str:
    """A text of the API as one printable line; nothing for null. Raises TypeError."""
    if value is None:
        return ""
    if isinstance(value, str):
        return tidy(value)
    raise TypeError("no text")


def whole(value: object) -> int:
    """A whole number of the API, which some fields hold as text. Raises TypeError, ValueError."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no whole number")
    if not -_LARGEST <= value < _LARGEST:
        raise ValueError("out of bounds")
    return value


def incomplete(action: str, what: str) -> ApiError:
    """An answer that lacks what every such answer has: to be asked for again."""
    return ApiError(action, Kind.UNAVAILABLE, "IncompleteAnswer", f"the answer lacks {what}")


def unreasonable(action: str, what: str) -> ApiError:
    """An answer with more of something than there can be, which is not worked through."""
    reason = f"the answer has more {what} than there can be"
    return ApiError(action, Kind.UNAVAILABLE, "UnreasonableAnswer", reason)
