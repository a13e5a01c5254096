"""Reads the YAML that operators write, and remembers where in the file each text stood.

Scalars mean what they mean to the BOSH CLI (yaml_scalars), and dates stay text, as there. Unlike
there, a key given twice is an error, because one of the two would be dropped in silence.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from bosh_release.errors import ReleaseError
from bosh_release.yaml_scalars import BOOLEANS, FLOAT_NAMES, tag_of

# A few lines of YAML with aliases can stand for gigabytes; real manifests are far below this.
_MOST_NODES = 200_000
# As Ruby's JSON, by default; it also keeps everything that walks a document from running deep.
_DEEPEST = 100
_CORE = "tag:yaml.org,2002:"


class Text(str):
    """A string that knows the file and line it comes from; `place` is `manifest.yml:7`."""

    place: str = ""


def place_of(value: Any) -> str:
    """Return where a key or text stood, or "" for what does not come from a file."""
    return value.place if isinstance(value, Text) else ""


def kind_of(value: Any) -> str:
    """Name the kind of a value for a message: "a map", "a string"."""
    # bool before int, of which it is a kind
    kinds = {dict: "a map", list: "an array", bool: "a boolean", int: "an integer"}
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "a string"
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "a number")


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds, None for an empty one; raises ReleaseError with the line."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ReleaseError(f"{path}:{line}: not UTF-8 text") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """Return what YAML text holds; `name` stands in messages where a path would.

    Messages quote keys but never values: those may be secrets.
    """
    try:
        loader = _Loader(text)
        try:
            return _Values(name).of(loader.get_single_node())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ReleaseError(f"{name}{line}: not valid YAML: {_problem(error)}") from None
    except yaml.reader.ReaderError as error:
        line = f":{text[: error.position].count(chr(10)) + 1}"
        raise ReleaseError(
            f"{name}{line}: not valid YAML: the character U+{error.character:04X} is not allowed"
        ) from None
    except RecursionError:
        raise ReleaseError(f"{name}: nested too deeply to be read") from None


def _problem(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, yaml.composer.ComposerError):
        if "alias" in (error.problem or ""):  # the name of the alias is what was meant as a value
            return "unknown alias (quote a text that begins with *)"
        return "more than one document"
    return error.problem or "it ends too early"


class _Loader(yaml.SafeLoader):
    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0]:  # neither quotes nor a tag
            return _CORE + tag_of(value).removeprefix("!!")
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]


class _Values:
    """Turns nodes into values; an alias becomes a copy, so that changing one leaves the other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes = 0

    def of(self, node: yaml.Node | None, depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise ReleaseError(f"{self._name}: its aliases stand for too much to be read")
        if node is None:
            return None
        if depth > _DEEPEST:
            raise self._error(node, f"nested more than {_DEEPEST} levels deep")
        if isinstance(node, yaml.MappingNode) and node.tag == _CORE + "map":
            return self._map(node, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _CORE + "seq":
            return [self.of(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.ScalarNode) and node.tag.startswith(_CORE):
            return self._scalar(node, node.tag.removeprefix(_CORE))
        raise self._error(node, "unknown tag (quote a text that begins with !)")

    def _map(self, node: yaml.MappingNode, depth: int) -> dict[Any, Any]:
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _CORE + "merge":
                merged = {**self._merged(value_node, depth), **merged}
                continue
            key = self.of(key_node, depth + 1)
            if isinstance(key, (dict, list)):
                raise self._error(key_node, "a list or map cannot be a key")
            if key in own:
                raise self._error(key_node, f"the key '{key}' is given twice")
            own[key] = self.of(value_node, depth + 1)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, depth: int) -> dict[Any, Any]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[Any, Any] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise self._error(node, "<< needs a map or a list of maps")
            merged = {**self._map(source, depth + 1), **merged}  # the first to give a key wins
        return merged

    def _scalar(self, node: yaml.ScalarNode, tag: str) -> Any:
        plain = str(node.value)
        if tag in ("str", "timestamp"):
            text = Text(plain)
            text.place = self._place(node)
            return text
        if tag == "null":
            return None
        if tag == "bool" and plain in BOOLEANS:
            return BOOLEANS[plain]
        if tag in ("int", "float"):
            return self._number(node, plain.replace("_", ""), tag)
        raise self._error(node, "unknown tag (quote a text that begins with !)")

    def _number(self, node: yaml.Node, plain: str, tag: str) -> int | float:
        try:
            if tag == "int":
                octal = re.fullmatch(r"([-+]?)0([0-7]+)", plain)
                return int(octal[1] + octal[2], 8) if octal else int(plain, 0)
            number = math.inf if plain in FLOAT_NAMES else float(plain)
        except ValueError:
            raise self._error(node, f"not a number, whatever its !!{tag} says") from None
        if not math.isfinite(number):
            raise self._error(node, "infinity and NaN cannot be rendered")
        return number

    def _place(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"

    def _error(self, node: yaml.Node, problem: str) -> ReleaseError:
        return ReleaseError(f"{self._place(node)}: not valid YAML: {problem}")
