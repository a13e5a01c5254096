"""Reads release.MF, the list of what is in a tarball."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.typed import FLAG, TEXT, list_of, read_typed, record_of

_REFERENCE = {"name": TEXT, "fingerprint": TEXT, "sha1": TEXT}
_PACKAGE = record_of({**_REFERENCE, "dependencies": list_of(TEXT)}, "manifest.PackageRef")
_MANIFEST = record_of(
    {
        "name": TEXT,
        "version": TEXT,
        "commit_hash": TEXT,
        "uncommitted_changes": FLAG,
        "jobs": list_of(record_of({**_REFERENCE, "packages": list_of(TEXT)}, "manifest.JobRef")),
        "packages": list_of(_PACKAGE),
        "compiled_packages": list_of(_PACKAGE),
        "license": record_of(_REFERENCE, "manifest.LicenseRef"),
    },
    "manifest.Manifest",
)


@dataclass(frozen=True)
class Reference:
    """An entry of release.MF: one archive."""

    kind: str  # job, package, compiled package or license
    name: str
    fingerprint: str
    digest: str
    needs: tuple[str, ...]

    @property
    def file(self) -> str:
        """The place of the archive in the tarball."""
        if self.kind == "license":
            return "license.tgz"
        return f"{self.kind.replace(' ', '_')}s/{self.name}.tgz"


@dataclass(frozen=True)
class ReleaseManifest:
    """release.MF."""

    name: str
    version: str
    commit_hash: str
    uncommitted_changes: bool
    references: tuple[Reference, ...]


def read_release_mf(source: bytes) -> ReleaseManifest:
    """Parse release.MF; raises ReleaseError."""
    # old Ruby versions of the CLI wrote a tag that is none
    raw = read_typed(source.replace(b": !binary |-", b": !!binary |-"), _MANIFEST)
    for key in ("name", "version"):
        if not raw[key]:
            raise ReleaseError(f"release.MF has no '{key}'")
    references = [
        *(_reference("job", each, "packages") for each in raw["jobs"]),
        *(_reference("package", each, "dependencies") for each in raw["packages"]),
        *(_reference("compiled package", e, "dependencies") for e in raw["compiled_packages"]),
    ]
    if raw["license"]["sha1"]:
        references.append(_reference("license", {**raw["license"], "name": "license"}, None))
    return ReleaseManifest(
        raw["name"],
        raw["version"],
        raw["commit_hash"],
        raw["uncommitted_changes"],
        tuple(references),
    )


def _reference(kind: str, raw: dict[str, Any], needs: str | None) -> Reference:
    return Reference(
        kind, raw["name"], raw["fingerprint"], raw["sha1"], tuple(raw[needs]) if needs else ()
    )
