"""Tarballs packed anew with something changed in them, and what verifying says of them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.release_checks import Verified, verify_tarball

FILES = {
    "packages/p/spec": "name: p\nfiles: ['app/**/*']\ndependencies: [q]\n",
    "packages/p/packaging": ("true\n", 0o755),
    "packages/q/spec": "name: q\n",
    "packages/q/packaging": "",
    "src/app/run": ("#!/bin/sh\n", 0o755),
    "src/app/data": "d" * 3000,
    "jobs/j/spec": "name: j\npackages: [p]\ntemplates: {t.erb: bin/t}\n",
    "jobs/j/templates/t.erb": "x\n",
    "jobs/j/monit": "",
    "LICENSE": "l",
    "NOTICE": "n",
}


def members(tarball: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(tarball)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            yield member, file.read() if file else b""


def packed(entries: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=form) as tar:
        for member, data in entries:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def entry(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.mode = 0o644
    for key, value in fields.items():
        setattr(member, key, value)
    return member, data


Change = Callable[[tarfile.TarInfo, bytes], "tuple[tarfile.TarInfo, bytes] | None"]


def rebuilt(path: Path, change: Change, more: list[Any] | None = None) -> Path:
    """Write the tarball again with `change` applied to every entry, and `more` at its end."""
    kept = [changed for each in members(path.read_bytes()) if (changed := change(*each))]
    path.write_bytes(packed([*kept, *(more or [])]))
    return path


def with_inner(
    path: Path, archive: str, change: Change, more: list[Any] | None = None, *, digest: bool = True
) -> Path:
    """Change what is inside one archive; with `digest`, release.MF is put right afterwards."""
    contents = {m.name: data for m, data in members(path.read_bytes())}
    inner = [changed for each in members(contents[archive]) if (changed := change(*each))]
    new = packed([*inner, *(more or [])])
    old_digest = hashlib.sha256(contents[archive]).hexdigest().encode()
    new_digest = hashlib.sha256(new).hexdigest().encode()

    def outer(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == archive:
            return member, new
        if member.name == "release.MF" and digest:
            return member, data.replace(old_digest, new_digest)
        return member, data

    return rebuilt(path, outer)


def keep(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return member, data


def refusal(path: Path) -> str:
    with pytest.raises(ReleaseError) as caught:
        verify_tarball(path)
    assert str(caught.value).startswith(f"Verifying '{path}':")
    return str(caught.value)


def unchecked(verified: Verified) -> list[str]:
    return [part.reference.name for part in verified.parts if part.fingerprint_unchecked]
