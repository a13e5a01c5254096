"""The numbers of dev releases: dev_releases/NAME/index.yml, as the BOSH CLI keeps it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bosh_release.source.specs import read_file
from bosh_release.source.versions import Version, next_dev, parse_version
from bosh_release.support.atomic import write_atomically
from bosh_release.support.errors import doing
from bosh_release.yaml.typed import TEXT, map_of, read_typed, record_of
from bosh_release.yaml.writing import write_yaml

_INDEX = record_of(
    {"builds": map_of(record_of({"version": TEXT}, "releasedir.fsReleaseIndexSchema_Entry"))},
    "releasedir.fsReleaseIndexSchema",
)


def next_dev_version(release_dir: Path, name: str, timestamp: int | None = None) -> Version:
    """Return what follows the highest dev or final version that the folder knows.

    With `timestamp` (Unix seconds) the post-release number is that, as with --timestamp-version.
    """
    return next_dev(_highest(release_dir, name, "dev_releases", "releases"), timestamp)


def last_final(release_dir: Path, name: str) -> Version | None:
    """Return the highest final version that the folder knows."""
    return _highest(release_dir, name, "releases")


def _highest(release_dir: Path, name: str, *folders: str) -> Version | None:
    known = [
        parse_version(text)
        for folder in folders
        for text in _builds(_index_path(release_dir, folder, name)).values()
    ]
    return max(known, key=Version.sort_key, default=None)


def record(
    release_dir: Path,
    name: str,
    version: str,
    manifest: bytes,
    new_key: Callable[[], str] = lambda: os.urandom(16).hex(),
) -> None:
    """Note that `version` is taken, in the form that the CLI reads and writes."""
    index = _index_path(release_dir, "dev_releases", name)
    builds = {**_builds(index), new_key(): version}
    text = write_yaml(
        {
            "builds": {key: {"version": builds[key]} for key in sorted(builds)},
            "format-version": "2",
        }
    )
    index.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(index.with_name(f"{name}-{version}.yml"), [manifest])
    write_atomically(index, [text])


def _index_path(release_dir: Path, folder: str, name: str) -> Path:
    return release_dir / folder / name / "index.yml"


def _builds(index: Path) -> dict[str, str]:
    if not index.exists():
        return {}
    with doing("Reading index"):
        source = read_file(index)
    with doing(f"Unmarshalling index '{index}'"):
        raw = read_typed(source, _INDEX)
    return {key: entry["version"] for key, entry in raw["builds"].items()}
