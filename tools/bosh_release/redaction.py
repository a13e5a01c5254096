"""Keeps secrets out of messages that quote what a template did."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

# Shorter values would blot out parts of words, and are no secrets worth the name.
_SHORTEST = 6
_SECRET_NAME = re.compile(r"secret|password|token|key|credential|private", re.IGNORECASE)


class Redactor:
    """Replaces every known secret in a text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        # the longest first: one secret may be part of another
        self._secrets = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        """Return the text with `[redacted]` in the place of secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text


def _forms(secret: str) -> Iterator[str]:
    """Yield the ways a message may quote a text: as it is, by line, and as Ruby's inspect does."""
    for part in (secret, *secret.splitlines()):
        yield part
        yield json.dumps(part, ensure_ascii=False)[1:-1]


def texts(value: Any) -> Iterator[str]:
    """Yield every string in the values of variables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def secret_properties(properties: Any) -> Iterator[str]:
    """Yield the strings that stand under a name such as `secret_key`."""
    if isinstance(properties, list):
        for item in properties:
            yield from secret_properties(item)
    elif isinstance(properties, dict):
        for name, value in properties.items():
            found = texts if _SECRET_NAME.search(str(name)) else secret_properties
            yield from found(value)
