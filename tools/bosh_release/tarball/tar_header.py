"""One header block of a tar archive, in the two dialects that makers of releases write.

A header that readers understand differently is refused: what one of them lists, another would not
unpack. So numbers and magic are taken only as POSIX and GNU tar write them, and an entry has
content only if it is a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bosh_release.support.errors import ReleaseError, in_one_line

BLOCK = 512
LONG_NAME, LONG_TARGET, PAX = b"L", b"K", b"x"
EXTENSIONS = frozenset((LONG_NAME, LONG_TARGET, PAX))

_KINDS = {
    b"0": "file",
    b"\0": "file",
    b"1": "hard link",
    b"2": "link",
    b"3": "device",
    b"4": "device",
    b"5": "folder",
    b"6": "pipe",
}
_REFUSED_KINDS = {
    b"g": "PAX headers for the whole archive",
    b"S": "a sparse file",
    b"7": "a contiguous file",
    b"A": "Solaris' access rights",
    b"D": "an incremental backup",
    b"M": "a piece of an archive of several volumes",
    b"V": "a volume's name",
    b"X": "Solaris' extended headers",
}
_POSIX, _GNU = b"ustar\x0000", b"ustar  \0"

# GNU tar also takes other forms: signs, base 64, rubbish behind a number. Nobody writes them.
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*|\0*")
_BINARY, _NEGATIVE = 0x80, 0xFF
_LARGEST = (1 << 63) - 1  # what a file can have
LARGEST_OWNER = (1 << 32) - 2  # a number beyond is an error to GNU tar


@dataclass(frozen=True)
class Header:
    """The facts that a block tells of one entry, or of the one after it."""

    type: bytes
    name: bytes
    mode: int
    size: int
    target: bytes

    @property
    def kind(self) -> str:
        """The kind of thing unpacked from it: file, hard link, link, device, folder or pipe."""
        return _KINDS[self.type]


def is_header(block: bytes) -> bool:
    """Tell whether a block has the checksum of a header, whatever else is in it."""
    stored = _OCTAL.fullmatch(block[148:156])
    if len(block) < BLOCK or stored is None or not stored[1]:
        return False
    return int(stored[1], 8) == sum(block[:148]) + sum(b" " * 8) + sum(block[156:BLOCK])


def parse_header(block: bytes) -> Header:
    """Parse a block; raises ReleaseError if it is none, or one that not all readers read alike."""
    if not is_header(block):
        raise ReleaseError("it is corrupt: the checksum of an entry is wrong")
    magic, type_ = block[257:265], block[156:157]
    if magic not in (_POSIX, _GNU):
        raise ReleaseError("it has an entry in a form that is neither POSIX's nor GNU tar's")
    name = _text(block[:100])
    if magic == _GNU and any(block[345:]):  # times of backups, or to some readers a folder's name
        raise ReleaseError(
            f"it has an entry of a backup, which releases do not have: {_shown(name)}"
        )
    if block[345]:
        name = _text(block[345:500]) + b"/" + name
    if type_ not in _KINDS and type_ not in EXTENSIONS:
        what = _REFUSED_KINDS.get(type_, f"an entry of the unknown kind {type_!r}")
        raise ReleaseError(f"it has {what}, which releases do not have: {_shown(name)}")
    for start, end in ((108, 116), (116, 124)):
        if _number(block[start:end], name) > LARGEST_OWNER:
            raise ReleaseError(f"it is corrupt: an owner that no system has, of {_shown(name)!r}")
    _number(block[136:148], name, may_be_negative=True)  # a time
    header = Header(
        type_,
        name,
        _number(block[100:108], name) & 0o7777,
        _number(block[124:136], name),
        _text(block[157:257]),
    )
    if header.type in (b"1", b"2") and not header.target:  # a file to bsdtar, whatever PAX says
        raise ReleaseError(f"it has a {header.kind} to nothing: {_shown(name)}")
    has_content = type_ in EXTENSIONS or header.kind == "file"
    if header.size and not has_content:
        raise ReleaseError(
            f"it has a {header.kind} with content, which no maker of releases writes:"
            f" {_shown(name)}"
        )
    return header


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _shown(name: bytes) -> str:
    return in_one_line(name.decode(errors="surrogateescape"))


def _number(field: bytes, name: bytes, *, may_be_negative: bool = False) -> int:
    octal = _OCTAL.fullmatch(field)
    if octal is not None:
        return int(octal[1] or b"0", 8)
    if field[0] == _BINARY or (field[0] == _NEGATIVE and may_be_negative):
        value = int.from_bytes(field[1:], "big")
        if value <= _LARGEST:
            return value
        if field[0] == _NEGATIVE and (1 << 8 * len(field[1:])) - value <= _LARGEST:
            return 0  # a time, whose value does not matter here
    raise ReleaseError(f"it is corrupt: a number that cannot be read, in {_shown(name)!r}")
