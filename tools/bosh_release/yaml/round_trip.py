"""Writes values as YAML and reads them again: what comes back is not always the same.

The BOSH CLI does this with each value of an ops file and with the manifest as a whole.
"""

from __future__ import annotations

from typing import Any

from bosh_release.yaml.untyped import parse_yaml
from bosh_release.yaml.values import Text
from bosh_release.yaml.writing import write_interpolated


def as_written_and_read(value: Any) -> Any:
    """Return a copy of a value as the CLI finds it again: 2.0, for one, as 2."""
    text = write_interpolated(value).decode()
    return with_places(parse_yaml(text, "what the CLI writes"), value)


def with_places(after: Any, before: Any) -> Any:
    """Return `after` with the places of the texts in `before`, where nothing changed."""
    if isinstance(after, list):
        same = isinstance(before, list) and len(before) == len(after)
        items = before if same else [None] * len(after)
        return [with_places(*pair) for pair in zip(after, items, strict=True)]
    if isinstance(after, dict):
        entries = before if isinstance(before, dict) else {}
        keys = {key: key for key in entries}
        return {
            with_places(key, keys.get(key)): with_places(value, entries.get(key))
            for key, value in after.items()
        }
    if isinstance(after, str):
        return before if isinstance(before, Text) and after == before else str(after)
    return after
