"""Reads YAML as a director does, with Ruby (read_yaml.rb)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from bosh_release.render.interpolate.unresolved import Place, path_text
from bosh_release.render.ruby.process import run_ruby
from bosh_release.render.ruby.values import as_json, from_ruby
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.round_trip import with_places
from bosh_release.yaml.untyped import parse_yaml, read_text
from bosh_release.yaml.values import place_of

_TIMEOUT_SECONDS = 60.0


def read_as_director(text: bytes, known: Any, advice: str) -> Any:
    """Return what Ruby reads; `known` is what Go reads, and has the places of texts.

    Raises ReleaseError with the `advice` for a text that Ruby takes for a date, and for what else
    a director refuses.
    """
    try:
        output = run_ruby(
            # without gems Ruby starts in a third of the time
            "read_yaml.rb", text, timeout_seconds=_TIMEOUT_SECONDS, options=["--disable-gems"]
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        message = f"Ruby did not read the YAML within {_TIMEOUT_SECONDS:g} s"
        raise ReleaseError(message) from None
    if not output:
        raise ReleaseError("Ruby could not read the YAML; its message is above.")
    answer = json.loads(output)
    if "problem" in answer:
        raise ReleaseError(f"A director's YAML library refuses this: {answer['problem']}")
    if "path" in answer:
        place = _place_at(known, answer["path"])
        raise ReleaseError(
            f"{place}{place and ': '}{path_text(answer['path'])}: to a director this is a "
            f"{answer['class']}, which it refuses; {advice}"
        )
    return with_places(from_ruby(answer["value"]), known)


def read_spec_as_director(path: Path) -> Any:
    """Return a job's spec as it is in a director's database, which keeps it as JSON."""
    text = read_text(path)
    known = parse_yaml(text, str(path))  # the CLI, which makes the release, has to read it, too
    try:
        return as_json(read_as_director(text.encode(), known, "quote it"))
    except ReleaseError as error:
        place = str(path)
        message = str(error)
        raise ReleaseError(message if place in message else f"{place}: {message}") from error


def _place_at(document: Any, path: Place) -> str:
    node = document
    for part in path:
        if isinstance(node, list) and isinstance(part, int):
            node = node[part]
        elif isinstance(node, dict):
            node = node.get(part)
    return place_of(node)
