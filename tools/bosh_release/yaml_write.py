"""Writes YAML in the BOSH CLI's layout: lists are not indented, quotes are where it puts them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import yaml

from bosh_release.yaml_scalars import needs_quotes

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_yaml(value: object) -> bytes:
    """Return `value` (dicts, lists, text, booleans) as a YAML document in UTF-8."""
    text: str = yaml.emit(_document(value), Dumper=_Dumper, allow_unicode=True)
    return text.encode()


def _document(value: object) -> Iterator[yaml.Event]:
    yield yaml.StreamStartEvent()
    yield yaml.DocumentStartEvent(explicit=False)
    yield from _events(value)
    yield yaml.DocumentEndEvent(explicit=False)
    yield yaml.StreamEndEvent()


def _events(value: object) -> Iterator[yaml.Event]:
    if isinstance(value, dict):
        yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=False)
        for key, child in value.items():
            yield from _events(key)
            yield from _events(child)
        yield yaml.MappingEndEvent()
    elif isinstance(value, list):
        yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=False)
        for child in value:
            yield from _events(child)
        yield yaml.SequenceEndEvent()
    elif isinstance(value, bool):
        yield _scalar("true" if value else "false")
    elif isinstance(value, str):
        yield _text(value)
    else:
        raise TypeError(f"no way to write a {type(value).__name__} as YAML")


def _scalar(text: str, style: str | None = None) -> yaml.Event:
    return yaml.ScalarEvent(None, None, (True, True), text, style=style)


def _text(text: str) -> yaml.Event:
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        data = base64.b64encode(text.encode(errors="surrogateescape")).decode()
        return yaml.ScalarEvent(None, "tag:yaml.org,2002:binary", (False, False), data)
    return _scalar(text, "|" if "\n" in text else '"' if needs_quotes(text) else None)
