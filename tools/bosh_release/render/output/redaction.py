"""Keeps secrets out of messages that quote what a template did."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

# Shorter values would blot out parts of words, and are no secrets worth the name.
_SHORTEST = 6
_REDACTED = "[redacted]"
# Of Ruby, YAML, JSON and shells, however often escaped; of URLs and HTML.
_ESCAPE = re.compile(
    r"\\+(?:u\{[0-9a-f ]*\}|u[0-9a-f]{4}|U[0-9a-f]{8}|x[0-9a-f]{1,2}|[0-7]{1,3}|[a-z])?"
    r"|%[0-9a-f]{2}|&(?:[a-z]+|#x?[0-9a-f]+);",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"secret|password|token|key|credential|private", re.IGNORECASE)


class Redactor:
    """Replaces known secrets in a text, and what is left of one in whatever form it is quoted.

    Ruby, and what templates make of a value, may escape it several times over, cut it off or break
    it into lines; how, changes with each version. So besides the secrets as they are, every
    `_SHORTEST` of a secret's letters and digits that follow each other also in the text are taken
    for a piece of it, whatever stands between them that may belong to an escape; unless
    `harmless`, texts that everybody may see, has them too.
    """

    def __init__(self, secrets: Iterable[str], harmless: Iterable[str] = ()) -> None:
        known = list(secrets)
        forms = {form for secret in known for form in _forms(secret) if len(form) >= _SHORTEST}
        # the longest first: one secret may be part of another
        self._secrets = sorted(forms, key=lambda form: (-len(form), form))
        self._pieces = {piece for secret in known for piece in _pieces(_bare(secret))}
        for text in harmless:
            self._pieces.difference_update(_pieces(_bare(text)))

    def __call__(self, text: str) -> str:
        """Return the text with `[redacted]` in the place of secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _REDACTED)
        for start, end in reversed(self._found(text)):
            text = text[:start] + _REDACTED + text[end:]
        return text

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Return where pieces of secrets begin and end."""
        places = _places(text)
        bare = "".join(letter for letter, _ in places)
        found: list[tuple[int, int]] = []
        for number, piece in enumerate(_pieces(bare)):
            if piece not in self._pieces:
                continue
            start, end = places[number][1], places[number + _SHORTEST - 1][1] + 1
            if found and start <= found[-1][1]:
                start = found.pop()[0]
            found.append((start, end))
        return found


def _forms(secret: str) -> Iterator[str]:
    """Yield the ways a message may quote a text: as it is, by line, and as Ruby's inspect does."""
    for part in (secret, *secret.splitlines()):
        yield part
        yield json.dumps(part, ensure_ascii=False)[1:-1]


def _places(text: str) -> list[tuple[str, int]]:
    """Return the letters and digits that no escape may have put there, and where they stand.

    All that an escape may stand for is left out as well, so that it does not matter whether the
    text is escaped. ASCII only, in lower case: a template may have changed the case.
    """
    hidden = {at for found in _ESCAPE.finditer(text) for at in range(*found.span())}
    return [
        (letter.lower(), at)
        for at, letter in enumerate(text)
        if at not in hidden and letter.isascii() and letter.isalnum()
    ]


def _bare(text: str) -> str:
    return "".join(letter for letter, _ in _places(text))


def _pieces(bare: str) -> Iterator[str]:
    return (bare[at : at + _SHORTEST] for at in range(len(bare) - _SHORTEST + 1))


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
