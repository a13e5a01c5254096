"""The PAX records before an entry of a tar archive: `LENGTH KEY=VALUE` lines.

Only those are taken that every reader takes alike, or that say nothing about what is unpacked.
"""

from __future__ import annotations

import re

from bosh_release.support.errors import ReleaseError, in_one_line
from bosh_release.tarball.tar_header import LARGEST_OWNER

_LENGTH = re.compile(rb"([1-9][0-9]{0,6}) ")
_NUMBER, _TIME = r"[0-9]{1,10}", r"-?[0-9]{1,11}(\.[0-9]{0,9})?"
_VALUES = {
    "path": r".+",
    "linkpath": r".+",
    "size": r"[0-9]{1,19}",
    "uid": _NUMBER,
    "gid": _NUMBER,
    "mtime": _TIME,
    "atime": _TIME,
    "ctime": _TIME,
    "uname": r".*",
    "gname": r".*",
    "comment": r".*",
}
# What bsdtar writes on a Mac; it changes attributes at most, and GNU tar passes over it unasked.
_HARMLESS = ("SCHILY.xattr.", "SCHILY.fflags", "LIBARCHIVE.xattr.", "LIBARCHIVE.creationtime")


def pax_records(data: bytes) -> dict[str, str]:
    """Parse the records; raises ReleaseError for any that readers could take differently."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data):
        length = _LENGTH.match(data, at)
        end = at + int(length[1]) if length else 0
        if length is None or not length.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise ReleaseError("it is corrupt: a PAX header that cannot be read")
        record = data[length.end() : end - 1].decode(errors="surrogateescape")
        key, equals, value = record.partition("=")
        _check(key, value if equals else None, records)
        records[key] = value
        at = end
    return records


def _check(key: str, value: str | None, others: dict[str, str]) -> None:
    if key in others:
        raise ReleaseError(f"it is corrupt: a PAX header with '{key}' twice")
    if key.startswith(_HARMLESS) and value is not None:
        return
    form = _VALUES.get(key)
    if form is None:
        raise ReleaseError(f"it has a PAX header that releases do not have: '{in_one_line(key)}'")
    if value is None or "\0" in value or not re.fullmatch(form, value, re.ASCII | re.DOTALL):
        raise ReleaseError(f"it is corrupt: a PAX header with a '{key}' that cannot be read")
    if key in ("uid", "gid") and int(value) > LARGEST_OWNER:
        raise ReleaseError(f"it is corrupt: a PAX header with a '{key}' that no system has")
