"""Reads the wheels that a tarball's packages carry; memory holds one of them at a time."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from hashlib import sha256
from pathlib import Path

from bosh_release.support.digests import pieces_of
from bosh_release.support.errors import ReleaseError, doing, os_failure
from bosh_release.tarball.archive_names import inner_path
from bosh_release.tarball.inflating import Budget, unpacked
from bosh_release.tarball.tar_reader import read_tar

_LARGEST = 256 << 20  # bytes, of a wheel and of what it unpacks to; an SDK of ours has 4 MB
_READ = (".py", "/METADATA")
_LICENSES = ("license", "licence", "copying", "notice")


@dataclass(frozen=True)
class WheelFiles:
    """A wheel in a package, and those of its files that say what it is."""

    package: str
    file_name: str
    sha256: str
    name: str
    version: str
    licence: str | None  # License-Expression
    needs: tuple[str, ...]  # Requires-Dist
    files: Mapping[str, bytes]  # by path


def read_wheels(tarball: Path, packages: Mapping[str, str]) -> Iterator[WheelFiles]:
    """Yield the wheels in some packages of a tarball, which are given by file (packages/x.tgz).

    Raises ReleaseError where one cannot be read.
    """
    budget = Budget()
    try:
        pieces = unpacked(budget.counted(pieces_of(tarball)), budget)
        for member in read_tar(pieces, budget):
            package = packages.get(inner_path(member.name) or "")
            if package is None:
                continue
            for inner in read_tar(unpacked(member.content, budget), budget):
                file_name = inner.name.rpartition("/")[2]
                if inner.kind != "file" or not file_name.endswith(".whl"):
                    continue
                with doing(f"Reading '{file_name}' of package '{package}'"):
                    if inner.size > _LARGEST:
                        raise ReleaseError(f"it is unreasonably large: {inner.size} bytes")
                    yield _wheel(package, file_name, b"".join(inner.content))
    except OSError as error:
        raise os_failure("read", tarball, error) from error


def _wheel(package: str, file_name: str, content: bytes) -> WheelFiles:
    files = _files(content)
    found = [path for path in files if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)]
    if len(found) != 1:
        raise ReleaseError(f"it has {len(found)} files NAME.dist-info/METADATA instead of one")
    message = BytesParser().parsebytes(files[found[0]], headersonly=True)
    if not message["Name"] or not message["Version"]:
        raise ReleaseError(f"{found[0]} has no Name or no Version")
    return WheelFiles(
        package,
        file_name,
        sha256(content).hexdigest(),
        message["Name"],
        message["Version"],
        message["License-Expression"],
        tuple(map(str, message.get_all("Requires-Dist", []))),
        files,
    )


def _files(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _LARGEST:
                raise ReleaseError(f"it unpacks to more than {_LARGEST} bytes: a bomb?")
            return {
                entry.filename: archive.read(entry) for entry in entries if _says(entry.filename)
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ReleaseError(f"it is not a wheel: {error}") from error


def _says(name: str) -> bool:
    """Tell whether a file may say what a work is, which version, or under which licence."""
    return name.endswith(_READ) or name.rpartition("/")[2].lower().startswith(_LICENSES)
