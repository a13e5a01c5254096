"""Reads tar archives of any maker, as a stream, and refuses what is not whole.

Python's tarfile takes an archive that is cut off, or has a broken header in the middle, for one
that ends there; here each of these is an error.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bosh_release.errors import ReleaseError

_BLOCK = 512
_LONG_NAME, _LONG_TARGET, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
# Bytes; so that a made-up size does not fill memory.
_LONGEST_EXTENSION = 1 << 20
_LONGEST_NUMBER = 9  # digits; int() raises ValueError from 4,301 on
_LONGEST_NAME = 4096  # of a path on Linux
_MOST_MEMBERS = 200_000

_KINDS = {
    **dict.fromkeys((b"0", b"\0", b"7"), "file"),
    b"1": "hard link",
    b"2": "link",
    b"3": "device",
    b"4": "device",
    b"5": "folder",
    b"6": "pipe",
}


@dataclass(frozen=True)
class Member:
    """One entry; `content` must be used before the next entry is asked for."""

    name: str
    kind: str  # file, hard link, link, device, folder or pipe
    mode: int
    size: int
    target: str
    content: Iterator[bytes]


def read_tar(pieces: Iterable[bytes]) -> Iterator[Member]:
    """Yield the members of an archive.

    Raises ReleaseError where it is corrupt, cut off, or uses forms that releases do not have.
    """
    stream = _Stream(pieces)
    extra: dict[str, str] = {}
    for number in range(_MOST_MEMBERS):
        block = stream.take(_BLOCK)
        if not block.strip(b"\0"):
            _check_end(stream)
            return
        header = _header(block, is_first=number == 0)
        if header.type in (_LONG_NAME, _LONG_TARGET, _PAX, _PAX_GLOBAL):
            extra.update(_extension(header, stream))
            continue
        member = _member(header, extra, stream)
        extra = {}
        yield member
        for _ in member.content:  # what the caller left
            pass
        stream.take(-member.size % _BLOCK)
    raise ReleaseError(f"it has more than {_MOST_MEMBERS:,} entries")


class _Stream:
    """Gives out a stream of pieces in the sizes that are asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer = b""
        self._failure: ReleaseError | None = None

    def take(self, size: int) -> bytes:
        return b"".join(self.take_pieces(size))

    def take_pieces(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer:
                self._buffer = self._next() or self._end()
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def _next(self) -> bytes | None:
        # Who reads a member takes a failure for the member's own, and goes on with what follows.
        if self._failure is not None:
            raise self._failure
        try:
            return next(self._pieces, None)
        except ReleaseError as error:
            self._failure = error
            raise

    def _end(self) -> bytes:
        for piece in self._pieces:  # an empty piece is not the end
            if piece:
                return piece
        raise ReleaseError("it is truncated: the archive ends in the middle")

    def rest(self) -> Iterator[bytes]:
        yield self._buffer
        yield from self._pieces


def _check_end(stream: _Stream) -> None:
    """Two empty blocks end an archive; only padding may follow, of whatever length."""
    if stream.take(_BLOCK).strip(b"\0"):
        raise ReleaseError("it is corrupt: a single empty block is in the middle")
    for piece in stream.rest():
        if piece.strip(b"\0"):
            raise ReleaseError("it is corrupt: something follows the end of the archive")


def _header(block: bytes, *, is_first: bool) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        what = "it is not a tar archive" if is_first else f"it is corrupt: {error} in an entry"
        raise ReleaseError(what) from error


def _extension(header: tarfile.TarInfo, stream: _Stream) -> dict[str, str]:
    """Read an entry that only tells about the next one."""
    if not 0 < header.size <= _LONGEST_EXTENSION:
        raise ReleaseError(f"it is corrupt: a name of {header.size} bytes")
    data = stream.take(header.size)
    stream.take(-header.size % _BLOCK)
    if header.type == _PAX_GLOBAL:
        return {}
    if header.type == _PAX:
        return _pax_records(data)
    key = "path" if header.type == _LONG_NAME else "linkpath"
    return {key: data.rstrip(b"\0").decode(errors="surrogateescape")}


def _pax_records(data: bytes) -> dict[str, str]:
    """Parse `LENGTH KEY=VALUE` lines."""
    records: dict[str, str] = {}
    while data:
        length, space, _ = data.partition(b" ")
        is_number = length.isdigit() and len(length) <= _LONGEST_NUMBER
        if not (space and is_number and len(length) < int(length) <= len(data)):
            raise ReleaseError("it is corrupt: a PAX header that cannot be read")
        line, data = data[len(length) + 1 : int(length)], data[int(length) :]
        key, _, value = line.rstrip(b"\n").partition(b"=")
        records[key.decode(errors="replace")] = value.decode(errors="surrogateescape")
    return records


def _member(header: tarfile.TarInfo, extra: dict[str, str], stream: _Stream) -> Member:
    kind = _KINDS.get(header.type)
    if kind is None:
        raise ReleaseError(f"it has an entry of a kind that releases do not have: {header.name}")
    if any(key.startswith("GNU.sparse") for key in extra):
        raise ReleaseError(f"it has a sparse file, which releases do not have: {header.name}")
    size = header.size if kind == "file" else 0
    if "size" in extra and extra["size"].isdecimal():
        size = int(extra["size"])
    name = extra.get("path", header.name)
    target = extra.get("linkpath", header.linkname)
    if max(len(name), len(target)) > _LONGEST_NAME:
        raise ReleaseError(f"it has a name of more than {_LONGEST_NAME} characters: {name[:60]}…")
    return Member(name, kind, header.mode, size, target, stream.take_pieces(size))
