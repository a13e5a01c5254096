"""Puts together what a tarball carries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bosh_release.sbom.copies import Copy, find_copies
from bosh_release.sbom.document import Bill, Work, normalised
from bosh_release.sbom.licences import licence_in
from bosh_release.sbom.wheel_files import WheelFiles, read_wheels
from bosh_release.support.digests import digest_of_file
from bosh_release.support.errors import ReleaseError, doing
from bosh_release.tarball.release_checks import verify_tarball

_REQUIRED_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def make_bill(tarball: Path, warn: Callable[[str], None]) -> Bill:
    """Verify a tarball and list the works of others in it; `warn` is told what is not known.

    Raises ReleaseError: also for a pipe, since the tarball is read three times.
    """
    with doing(f"Listing what '{tarball}' carries"):
        if not tarball.is_file():
            raise ReleaseError("it is no file")
        before = digest_of_file(tarball)
        verified = verify_tarball(tarball)
        packages = {}
        for part in verified.parts:
            if part.reference.kind == "package":
                packages[part.reference.file] = part.reference.name
            elif part.reference.kind == "compiled package":
                warn(f"package '{part.reference.name}' is compiled: what it carries is not listed")
        works = [work for wheel in read_wheels(tarball, packages) for work in _works(wheel)]
        if digest_of_file(tarball) != before:
            raise ReleaseError("it changed while it was being read")
    for work in works:
        if work.licence is None:
            warn(f"{work.name} in {work.wheel}: its licence is not known")
    works.sort(
        key=lambda one: (
            one.package,
            one.wheel,
            one.is_copy,
            normalised(one.name),
            one.version or "",
        )
    )
    return Bill(verified.manifest, before.hex, works)


def _works(wheel: WheelFiles) -> Iterator[Work]:
    """Yield the wheel itself, and each work that it has copies of: once, with all places."""
    yield Work(
        wheel.name,
        wheel.version,
        _licence(wheel),
        True,
        wheel.package,
        wheel.file_name,
        sha256=wheel.sha256,
        needs=tuple(normalised(name) for name in _required(wheel)),
    )
    works: dict[tuple[str, str | None], Work] = {}
    for copy in find_copies(wheel.files):
        first = works.get((copy.name, copy.version), _copied(copy, wheel))
        works[copy.name, copy.version] = replace(first, places=(*first.places, copy.place))
    yield from works.values()


def _copied(copy: Copy, wheel: WheelFiles) -> Work:
    return Work(
        copy.name, copy.version, copy.licence, copy.is_on_pypi, wheel.package, wheel.file_name
    )


def _licence(wheel: WheelFiles) -> str | None:
    """Return what the metadata declares in SPDX's words, or what the wheel's licence text is."""
    texts = [
        content
        for path, content in sorted(wheel.files.items())
        if ".dist-info/" in path and not path.endswith("/METADATA")
    ]
    return wheel.licence or licence_in(texts)


def _required(wheel: WheelFiles) -> Iterator[str]:
    for line in wheel.needs:
        match = _REQUIRED_NAME.match(line)
        if match is not None and "extra ==" not in line:
            yield match[1]
