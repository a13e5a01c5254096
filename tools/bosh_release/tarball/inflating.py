"""Reads gzip streams that nobody vouches for: strictly, in little memory, and not without end."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.tar_header import BLOCK, is_header

_GZIP = b"\x1f\x8b"
_OTHER_COMPRESSIONS = {b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_PIECE = 1 << 18

# Compressed archives hardly shrink, sources to a fifth. What grows beyond both is meant to fill
# somebody's disk.
_HARMLESS_SIZE = 1 << 30
_HARMLESS_RATIO = 100
_MOST_ENTRIES = 300_000


class Budget:
    """A limit of how much a tarball and the archives in it may hold, all together."""

    def __init__(self) -> None:
        self._read = 0  # bytes of the tarball itself
        self._unpacked = 0  # bytes, from it and from the archives in it
        self._entries = 0

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass on what is read of the tarball itself."""
        for piece in pieces:
            self._read += len(piece)
            yield piece

    def take_unpacked(self, size: int) -> None:
        """Raise ReleaseError if these bytes are too many."""
        self._unpacked += size
        if self._unpacked > max(_HARMLESS_SIZE, self._read * _HARMLESS_RATIO):
            raise ReleaseError(f"it unpacks to more than {_HARMLESS_RATIO} times its size: a bomb?")

    def take_entry(self) -> None:
        """Raise ReleaseError if this entry is one too many."""
        self._entries += 1
        if self._entries > _MOST_ENTRIES:
            raise ReleaseError(f"it has more than {_MOST_ENTRIES:,} entries")


def unpacked(pieces: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
    """Yield the content of a gzip stream, or a plain one as it is.

    Raises ReleaseError if it is compressed otherwise, corrupt, truncated, a bomb, or an archive
    both as it is and unpacked: GNU tar reads the one with -x and the other with -xz.
    """
    source = iter(pieces)
    start = _start(source)
    whole = chain([start], source)
    for magic, name in _OTHER_COMPRESSIONS.items():
        if start.startswith(magic):
            raise ReleaseError(f"it is compressed with {name}; BOSH releases use gzip")
    if not start.startswith(_GZIP):
        yield from whole
        return
    if is_header(start) or start[257:].startswith(b"ustar"):  # by the latter the agent decides
        raise ReleaseError("it is two archives in one, a compressed and a plain one")
    yield from _inflate(whole, budget)


def _start(source: Iterator[bytes]) -> bytes:
    """Take enough to tell what it is; from a pipe pieces may be short."""
    start = b""
    for piece in source:
        start += piece
        if len(start) >= BLOCK:
            break
    return start


def _inflate(source: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for piece in source:
        left = piece
        while left:
            if inflater.eof:  # a second stream is passed over by some readers, Ruby's for one
                raise ReleaseError("it is corrupt: something follows the end of the gzip stream")
            content = _decompress(inflater, left)
            budget.take_unpacked(len(content))
            yield content
            left = inflater.unconsumed_tail or inflater.unused_data
    yield inflater.flush()
    if not inflater.eof:
        raise ReleaseError("it is truncated: the gzip stream has no end")


def _decompress(inflater: zlib._Decompress, data: bytes) -> bytes:
    try:
        return inflater.decompress(data, _PIECE)
    except zlib.error as error:
        reason = str(error).rpartition(": ")[2]
        raise ReleaseError(f"it is corrupt: gzip says '{reason}'") from error
