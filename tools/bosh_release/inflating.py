"""Reads gzip streams that nobody vouches for: strictly, in little memory, and not without end."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from bosh_release.errors import ReleaseError

_GZIP = b"\x1f\x8b"
_OTHER_COMPRESSIONS = {b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_PIECE = 1 << 18

# Compressed archives hardly shrink, sources to a fifth. What grows beyond both is meant to fill
# somebody's disk.
_HARMLESS_SIZE = 1 << 30
_HARMLESS_RATIO = 100


def unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a gzip stream, or a plain one as it is.

    Raises ReleaseError if it is compressed otherwise, corrupt, truncated or a bomb.
    """
    source = iter(pieces)
    start = b"".join(islice(source, 1))
    for magic, name in _OTHER_COMPRESSIONS.items():
        if start.startswith(magic):
            raise ReleaseError(f"it is compressed with {name}; BOSH releases use gzip")
    whole = chain([start], source)
    yield from _inflate(whole) if start.startswith(_GZIP) else whole


def _inflate(source: Iterable[bytes]) -> Iterator[bytes]:
    taken, given = 0, 0
    inflater = _new_inflater()
    for piece in source:
        taken += len(piece)
        left = piece
        while left:
            if inflater.eof:  # gzip streams may be joined, and padded with zeros
                left = left.lstrip(b"\0")
                inflater = _new_inflater() if left else inflater
            unpacked_piece = _decompress(inflater, left)
            given += len(unpacked_piece)
            if given > max(_HARMLESS_SIZE, taken * _HARMLESS_RATIO):
                raise ReleaseError(
                    f"it unpacks to more than {_HARMLESS_RATIO} times its size: a bomb?"
                )
            yield unpacked_piece
            left = inflater.unconsumed_tail or inflater.unused_data
    yield inflater.flush()
    if not inflater.eof:
        raise ReleaseError("it is truncated: the gzip stream has no end")


def _new_inflater() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


def _decompress(inflater: zlib._Decompress, data: bytes) -> bytes:
    try:
        return inflater.decompress(data, _PIECE)
    except zlib.error as error:
        reason = str(error).rpartition(": ")[2]
        raise ReleaseError(f"it is corrupt: gzip says '{reason}'") from error
