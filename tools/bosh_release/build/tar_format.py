"""Tar and gzip streams with the very bytes that GNU tar and gzip write for the BOSH CLI.

What is reproduced is `tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner`: nothing in
an archive depends on when, by whom or where it was made. Everything here is a stream of pieces, so
that an archive of any size fits in memory.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bosh_release.support.digests import Digest
from bosh_release.support.errors import changed, os_failure

FILE, HARD_LINK, LINK, FOLDER, PIPE = b"0", b"1", b"2", b"5", b"6"

_BLOCK = 512
_RECORD = 20 * _BLOCK
_NAME_FIELD = 100
_PIECE = 1 << 18
_STORED_BLOCK = 0xFFFF  # the largest that deflate can store without compressing


class Entry(NamedTuple):
    """One thing in an archive; `content` is its bytes, or the file that has them."""

    name: bytes  # with a slash at the end for folders
    kind: bytes
    mode: int
    content: bytes | Path = b""
    target: bytes = b""
    digest: Digest | None = None  # of the file's content: with another it is an error


def tar_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a tar archive, padded to whole records as GNU tar pads it."""
    written = 0
    for entry in entries:
        for piece in _entry_pieces(entry):
            written += len(piece)
            yield piece
    end = written + 2 * _BLOCK
    yield b"\0" * (end - written + -end % _RECORD)


def _entry_pieces(entry: Entry) -> Iterator[bytes]:
    if len(entry.target) > _NAME_FIELD:
        yield from _long_name(b"K", entry.target)
    if len(entry.name) > _NAME_FIELD:
        yield from _long_name(b"L", entry.name)
    content = entry.content
    size = len(content) if isinstance(content, bytes) else size_of(content)
    yield _header(entry.name, entry.kind, entry.mode, size, entry.target)
    if isinstance(content, bytes):
        yield content
    else:
        yield from file_pieces(content, size, entry.digest)
    yield b"\0" * (-size % _BLOCK)


def _long_name(kind: bytes, name: bytes) -> Iterator[bytes]:
    """Yield the entry in which GNU tar puts a name that does not fit into the header."""
    yield _header(b"././@LongLink", kind, 0o644, len(name) + 1)
    yield name + b"\0" * (1 + -(len(name) + 1) % _BLOCK)


def _header(name: bytes, kind: bytes, mode: int, size: int, target: bytes = b"") -> bytes:
    # GNU tar's own format: owner 0 without names, time 0, no device numbers
    fields = struct.pack(
        "100s8s8s8s12s12s8sc100s8s",
        name[:_NAME_FIELD],
        b"%07o" % mode,
        b"%07o" % 0,
        b"%07o" % 0,
        _size_field(size),
        b"%011o" % 0,
        b" " * 8,
        kind,
        target[:_NAME_FIELD],
        b"ustar  \0",
    )
    checksum = b"%06o\0 " % sum(fields)
    return (fields[:148] + checksum + fields[156:]).ljust(_BLOCK, b"\0")


def _size_field(size: int) -> bytes:
    """Octal up to 8 GiB, beyond that GNU's binary form."""
    return b"%011o" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; raises ReleaseError if it is not there, or none."""
    try:
        status = path.stat()
    except OSError as error:
        raise os_failure("stat", path, error) from error
    if not stat.S_ISREG(status.st_mode):  # nobody waits for a pipe
        raise changed(path)
    return status.st_size


def file_pieces(path: Path, size: int, digest: Digest | None) -> Iterator[bytes]:
    """Yield exactly `size` bytes of a file; raises ReleaseError if it has changed."""
    total = hashlib.new(digest.algorithm, usedforsecurity=False) if digest else None
    left = size
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(min(_PIECE, left) or 1):
                if len(piece) > left:
                    raise changed(path)
                left -= len(piece)
                if total is not None:
                    total.update(piece)
                yield piece
    except OSError as error:
        raise os_failure("read", path, error) from error
    if left or (digest and total and total.hexdigest() != digest.hex):
        raise changed(path)


def gzip_stream(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield `pieces` compressed like `gzip -6` reading a pipe: no name, no time, made on Unix.

    zlib's compression equals GNU gzip's for small archives only; both unpack to the same.
    """
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS, 8)

    def body() -> Iterator[bytes]:
        for piece in checked:
            yield deflate.compress(piece)
        yield deflate.flush()

    checked = _Checksummed(_joined(pieces))
    yield from _gzip_frame(body(), checked)


def stored_gzip_stream(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield `pieces` in a gzip stream without compressing: they are compressed archives already."""

    def body() -> Iterator[bytes]:
        pending = b""
        for piece in checked:
            pending += piece
            while len(pending) > _STORED_BLOCK:
                yield _stored(pending[:_STORED_BLOCK], last=False)
                pending = pending[_STORED_BLOCK:]
        yield _stored(pending, last=True)

    checked = _Checksummed(pieces)
    yield from _gzip_frame(body(), checked)


def _stored(data: bytes, *, last: bool) -> bytes:
    return struct.pack("<BHH", last, len(data), len(data) ^ 0xFFFF) + data


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in few pieces: zlib lets go of Python's lock for each of them."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    yield b"".join(waiting)


class _Checksummed:
    """Passes pieces on and keeps the sums that end a gzip stream."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.crc = 0
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.crc = zlib.crc32(piece, self.crc)
            self.size += len(piece)
            yield piece


def _gzip_frame(body: Iterable[bytes], checked: _Checksummed) -> Iterator[bytes]:
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
    yield from body
    yield struct.pack("<LL", checked.crc, checked.size & 0xFFFFFFFF)
