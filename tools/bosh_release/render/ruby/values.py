"""Values of Ruby that neither JSON nor Python has, and how they travel (exact_values.rb)."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any

from bosh_release.yaml.values import OtherKey, key_of, scalar_of


@dataclass(frozen=True)
class Symbol:
    """A Symbol of Ruby: what a text that begins with a colon is to a director."""

    name: str

    def __str__(self) -> str:
        return f":{self.name}"


def to_ruby(value: Any) -> Any:
    """Return a value as JSON from which Ruby makes the same value."""
    if isinstance(value, dict):
        return {"map": [[to_ruby(scalar_of(key)), to_ruby(value[key])] for key in value]}
    if isinstance(value, (list, tuple)):
        return [to_ruby(item) for item in value]
    if isinstance(value, Symbol):
        return {"symbol": value.name}
    if isinstance(value, float) and not math.isfinite(value):
        infinity = "Infinity" if value > 0 else "-Infinity"
        return {"float": "NaN" if math.isnan(value) else infinity}
    if isinstance(value, str):
        return _text_to_ruby(value)
    return value


def _text_to_ruby(text: str) -> Any:
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"binary": base64.b64encode(text.encode(errors="surrogateescape")).decode()}
    return text


def from_ruby(tree: Any) -> Any:
    """Return the value that Ruby has sent."""
    if isinstance(tree, list):
        return [from_ruby(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "map":
        return {_key(from_ruby(key)): from_ruby(item) for key, item in content}
    if kind == "symbol":
        return Symbol(content)
    if kind == "float":
        return float(content)
    return base64.b64decode(content).decode(errors="surrogateescape")


def _key(value: Any) -> Any:
    return value if isinstance(value, Symbol) else key_of(value)


def as_json(value: Any) -> Any:
    """Return what becomes of a value in JSON, in which a director keeps links and defaults."""
    if isinstance(value, dict):
        return {_json_key(scalar_of(key)): as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.name if isinstance(value, Symbol) else value


def _json_key(key: Any) -> str:
    if isinstance(key, Symbol):
        return key.name
    return "" if key is None else str(OtherKey(key)) if not isinstance(key, str) else key
