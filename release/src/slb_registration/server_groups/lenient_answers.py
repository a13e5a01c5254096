"""Reads settings of a server group and its listeners, as far as the API tells them.

It is read for warnings alone. What is not told, or told in another form, is None or empty: nothing
here raises, so that an odd answer never hinders a registration or the errand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from slb_registration.server_groups.answers import text, whole

_Told = TypeVar("_Told")


def word(value: object) -> str:
    """A text of the API in lower case, empty where it is none."""
    return (_told(text, value) or "").lower()


def line(value: object) -> str:
    """A text of the API, empty where it is none."""
    return _told(text, value) or ""


def number(value: object) -> int | None:
    """A whole number of the API that counts something, None where it is none."""
    found = _told(whole, value)
    return found if found is not None and found > 0 else None


def flag(value: object) -> bool | None:
    """A switch of the API: true or false, on or off, or these as texts."""
    said = str(value).lower() if isinstance(value, (bool, str)) else ""
    return {"true": True, "on": True, "false": False, "off": False}.get(said)


def inner(value: object) -> Mapping[str, Any]:
    """An object of the API, empty where it is none."""
    return value if isinstance(value, dict) else {}


def _told(read: Callable[[object], _Told], value: object) -> _Told | None:
    try:
        return read(value)
    except (TypeError, ValueError):
        return None
