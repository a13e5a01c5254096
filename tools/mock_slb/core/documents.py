"""YAML and JSON that a person wrote, read so that nothing in it is dropped without a word."""

from __future__ import annotations

import json
from typing import Any

import yaml

from mock_slb.core.fields import InputError

_TOO_DEEP = "is nested too deeply"


def read_yaml(text: str) -> object:
    """One document. Raises InputError, to be put behind the name of what was read."""
    try:
        # The loader is a safe one, with one check more.
        return yaml.load(text, _Loader)  # noqa: S506
    except RecursionError:
        raise InputError(_TOO_DEEP) from None
    except InputError:
        raise
    except (yaml.YAMLError, ValueError) as error:  # the latter for 2026-99-99, which is no date
        raise InputError(f"is not YAML: {error}") from None


def read_json(text: str | bytes) -> object:
    """One document. Raises InputError, to be put behind the name of what was read."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise InputError(_TOO_DEEP) from None
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"is not JSON: {error}") from None


def list_or_none(text: str) -> list[Any] | None:
    """The list that a parameter of a request holds as JSON, None where it holds none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


class _Loader(yaml.SafeLoader):
    """Refuses a name that is given twice, of which YAML's own loader takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node."""
        if isinstance(node, yaml.MappingNode):
            seen: set[object] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                name = self.construct_object(key)  # 80 and 0x50 are one, as 1 and true are
                if name in seen:
                    where = key.start_mark
                    raise InputError(
                        f"gives {key.value!r} twice, the second time in line {where.line + 1}"
                    )
                seen.add(name)
        return super().construct_mapping(node, deep)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise InputError(f"gives {name!r} twice")
        found[name] = value
    return found
