"""JSON objects from elsewhere, parsed so that nothing in them ends the process.

A text may nest deeper than the parser can, hold a number of more digits than Python takes, or be
no UTF-8: each is as wrong as a comma that is missing.
"""

from __future__ import annotations

import json
from typing import Any


class JsonError(ValueError):
    """The text is no JSON. str() says so, and where; never what stands there: it may be a key."""


class NoObjectError(JsonError):
    """It is JSON, and no object."""


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the object that a JSON text holds. Raises JsonError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise JsonError(f"is not valid JSON{place}") from None
    if not isinstance(document, dict):
        raise NoObjectError("must hold a JSON object")
    return document


def object_or_none(text: str | bytes) -> dict[str, Any] | None:
    """Return the object that a JSON text holds, None where it holds none."""
    try:
        return parse_object(text)
    except JsonError:
        return None
