"""One file, a manifest or a runtime config, as it is sent and as it arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bosh_release.render.interpolate.interpolation import Interpolated, interpolate
from bosh_release.render.interpolate.ops import apply_ops_files
from bosh_release.render.interpolate.unresolved import Place
from bosh_release.render.manifest.arrival import arrive
from bosh_release.yaml.untyped import parse_with_notes, read_text


@dataclass(frozen=True)
class Received:
    """The parts of a file that the CLI sends, and what of them a director or create-env reads.

    Paths into it begin with `path` in the manifest as a whole; `notes` are on the file itself.
    """

    file: Path
    path: Place
    sent: Interpolated
    arrived: Interpolated
    notes: Sequence[str]


def receive(
    file: Path,
    ops_files: Sequence[Path],
    variables: Mapping[str, Any],
    context: str,
    path: Place = (),
) -> Received:
    """Read a file, apply ops files, put in variables and hand it on; raises ReleaseError."""
    written, notes = parse_with_notes(read_text(file), str(file))
    sent = interpolate(apply_ops_files(written, ops_files), variables)
    arrived = replace(sent, document=arrive(sent.document, context))
    return Received(file, path, sent, arrived, notes)
