"""Reads tar archives of any maker, as a stream: as GNU tar does, or not at all.

BOSH unpacks with GNU tar. What this module lists is what `tar -x` makes of the archive; an archive
that is cut off, goes on after its end, or says anything in a form that readers take differently is
refused. Python's tarfile takes such archives, and in part otherwise than GNU tar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bosh_release.support.errors import ReleaseError, in_one_line
from bosh_release.tarball.inflating import Budget
from bosh_release.tarball.tar_header import (
    BLOCK,
    EXTENSIONS,
    LONG_NAME,
    LONG_TARGET,
    PAX,
    Header,
    parse_header,
)
from bosh_release.tarball.tar_pax import pax_records

# Bytes; so that a made-up size does not fill memory.
_LONGEST_EXTENSION = 1 << 20
_LONGEST_NAME = 4096  # of a path on Linux
_MOST_PADDING = 64 << 20  # far more than makers write, who fill up one record
# What GNU tar and others write before an entry; other chains differ in meaning between readers.
_CHAINS = frozenset(
    {
        (LONG_NAME,),
        (LONG_TARGET,),
        (LONG_NAME, LONG_TARGET),
        (LONG_TARGET, LONG_NAME),
        (PAX,),
    }
)


@dataclass(frozen=True)
class Member:
    """One entry; `content` must be used before the next entry is asked for."""

    name: str
    kind: str  # file, hard link, link, device, folder or pipe
    mode: int
    size: int
    target: str
    content: Iterator[bytes]


def read_tar(pieces: Iterable[bytes], budget: Budget) -> Iterator[Member]:
    """Yield the members of an archive.

    Raises ReleaseError where it is corrupt, cut off, or uses forms that releases do not have.
    """
    stream = _Stream(pieces)
    chain: tuple[bytes, ...] = ()
    extra: dict[str, str] = {}
    while any(block := stream.take(BLOCK)):
        budget.take_entry()
        header = _header(block, is_first=stream.taken == BLOCK)
        if header.type in EXTENSIONS:
            chain = (*chain, header.type)
            if chain not in _CHAINS:
                raise ReleaseError("it is corrupt: an entry with two names")
            extra.update(_extension(header, stream))
            continue
        member = _member(header, extra, stream)
        chain, extra = (), {}
        yield member
        for _ in member.content:  # what the caller left
            pass
        stream.take(-member.size % BLOCK)
    if chain:
        raise ReleaseError("it is corrupt: the name of an entry that does not follow")
    _check_end(stream)


class _Stream:
    """Gives out a stream of pieces in the sizes that are asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer = memoryview(b"")
        self._failure: ReleaseError | None = None
        self.taken = 0  # bytes

    def take(self, size: int) -> bytes:
        return b"".join(self.take_pieces(size))

    def take_pieces(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer:
                self._buffer = memoryview(self._next())
            piece, self._buffer = bytes(self._buffer[:size]), self._buffer[size:]
            size -= len(piece)
            self.taken += len(piece)
            yield piece

    def _next(self) -> bytes:
        # Who reads a member takes a failure for the member's own, and goes on with what follows.
        if self._failure is not None:
            raise self._failure
        try:
            for piece in self._pieces:
                if piece:  # an empty piece is not the end
                    return piece
            raise ReleaseError("it is truncated: the archive ends in the middle")
        except ReleaseError as error:
            self._failure = error
            raise

    def rest(self) -> Iterator[bytes]:
        yield bytes(self._buffer)
        yield from self._pieces


def _check_end(stream: _Stream) -> None:
    """Two empty blocks end an archive; only padding may follow, and not without end."""
    if any(stream.take(BLOCK)):
        raise ReleaseError("it is corrupt: a single empty block is in the middle")
    padding = 0
    for piece in stream.rest():
        if piece.strip(b"\0"):
            raise ReleaseError("it is corrupt: something follows the end of the archive")
        padding += len(piece)
        if padding > _MOST_PADDING:
            raise ReleaseError(f"it ends in more than {_MOST_PADDING >> 20} MiB of padding")


def _header(block: bytes, *, is_first: bool) -> Header:
    try:
        return parse_header(block)
    except ReleaseError as error:
        if is_first and b"ustar" not in block:
            raise ReleaseError("it is not a tar archive") from error
        raise


def _extension(header: Header, stream: _Stream) -> dict[str, str]:
    """Read an entry that only tells about the next one."""
    if not 0 < header.size <= _LONGEST_EXTENSION:
        raise ReleaseError(f"it is corrupt: a name of {header.size} bytes")
    data = stream.take(header.size)
    stream.take(-header.size % BLOCK)
    if header.type == PAX:
        return pax_records(data)
    name = data.rstrip(b"\0")
    if b"\0" in name:
        raise ReleaseError("it is corrupt: a name that goes on after its end")
    key = "path" if header.type == LONG_NAME else "linkpath"
    return {key: name.decode(errors="surrogateescape")}


def _member(header: Header, extra: dict[str, str], stream: _Stream) -> Member:
    name = extra.get("path", header.name.decode(errors="surrogateescape"))
    target = extra.get("linkpath", header.target.decode(errors="surrogateescape"))
    shown = in_one_line(name)
    if not name:
        raise ReleaseError(f"it has a {header.kind} without a name")
    if max(len(name), len(target)) > _LONGEST_NAME:
        raise ReleaseError(f"it has a name of more than {_LONGEST_NAME} characters: {shown[:60]}…")
    if "size" in extra and (header.kind, int(extra["size"])) != ("file", header.size):
        raise ReleaseError(f"it has two sizes for one entry: '{shown}'")
    if name.endswith("/") and header.kind != "folder":  # a folder to GNU tar
        raise ReleaseError(f"it has a {header.kind} with the name of a folder: '{shown}'")
    return Member(
        name, header.kind, header.mode, header.size, target, stream.take_pieces(header.size)
    )
