"""Digests as BOSH writes them: bare SHA1 hex, `sha256:hex`, or several joined by `;`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bosh_release.support.errors import ReleaseError

ALGORITHMS = ("sha512", "sha256", "sha1")  # the strongest first
_PIECE = 1 << 20


class Digest(NamedTuple):
    """The strongest of the digests that were given; BOSH looks at no other."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return self.hex if self.algorithm == "sha1" else f"{self.algorithm}:{self.hex}"


def parse_digest(text: str) -> Digest:
    """Parse a digest; raises ReleaseError if there is none that BOSH knows."""
    parts = [part.strip().rpartition(":") for part in text.split(";") if part.strip()]
    by_algorithm = {algorithm or "sha1": value for algorithm, _, value in parts}
    for algorithm in ALGORITHMS:
        if algorithm in by_algorithm:
            return Digest(algorithm, by_algorithm[algorithm])
    raise ReleaseError(f"'{text}' is not a digest; it should be SHA1 hex or sha256:hex")


def digest_of_file(path: Path, algorithm: str = "sha256") -> Digest:
    """Return the digest of a file's content."""
    total = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces_of(path):
        total.update(piece)
    return Digest(algorithm, total.hexdigest())


def has_digest(path: Path, digest: Digest) -> bool:
    """Tell whether a file's content has this digest."""
    return digest_of_file(path, digest.algorithm) == digest


def pieces_of(path: Path) -> Iterator[bytes]:
    """Yield the content of a file."""
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece
