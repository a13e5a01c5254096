"""Finds the archive of a vendored package, which only spec.lock and .final_builds/ name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bosh_release.source.specs import FinalConfig, read_file
from bosh_release.support.digests import has_digest, parse_digest
from bosh_release.support.errors import ReleaseError, doing
from bosh_release.yaml.typed import TEXT, map_of, read_typed, record_of

_INDEX = record_of(
    {
        "builds": map_of(
            record_of(
                {"version": TEXT, "blobstore_id": TEXT, "sha1": TEXT}, "index.fsIndexSchema_Entry"
            )
        )
    },
    "index.fsIndexSchema",
)


class FinalBuild(NamedTuple):
    """An archive that was made for a final release."""

    path: Path
    digest: str


def find_final_package(
    release_dir: Path, final: FinalConfig, name: str, fingerprint: str
) -> FinalBuild:
    """Return the archive of a package from the BOSH CLI's cache or a blobstore of type local.

    Raises ReleaseError if it is not there: other blobstores are left to the CLI.
    """
    what = f"{name}/{fingerprint}"
    index = release_dir / ".final_builds" / "packages" / name / "index.yml"
    if not index.exists():
        raise ReleaseError(f"Expected to find '{what}'")
    with doing("Reading index"):
        source = read_file(index)
    with doing("Unmarshalling index"):
        builds = read_typed(source, _INDEX)["builds"]
    for entry in builds.values():
        if entry["version"] == fingerprint:
            return FinalBuild(_archive(release_dir, final, what, entry), entry["sha1"])
    raise ReleaseError(f"Expected to find '{what}'")


def _archive(release_dir: Path, final: FinalConfig, what: str, entry: dict[str, str]) -> Path:
    digest = parse_digest(entry["sha1"])
    places = [Path("~/.bosh/cache").expanduser() / entry["sha1"]]
    if final.blobstore_provider == "local":
        places.append(release_dir / final.local_blobstore / entry["blobstore_id"])
    for place in places:
        if place.is_file():
            if not has_digest(place, digest):
                raise ReleaseError(
                    f"Local copy ('{place}') of blob '{entry['blobstore_id']}' does not have the"
                    f" digest {digest} of .final_builds/"
                )
            return place
    raise ReleaseError(
        f"Cannot find blob '{entry['blobstore_id']}' of '{what}' on this machine:"
        f" run `bosh create-release --dir {release_dir}` once, which downloads it"
    )
