"""Tar archives that want to be read differently by different readers, made byte by byte.

Nothing of the reader that is tested is used here.
"""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

BLOCK = 512
POSIX, GNU = b"ustar\x0000", b"ustar  \0"
NAMES = (
    *(b"a", b"b", b"a/b", b"./a", b"a/", b"d/", b"./", b".", b"d/x", b"d//x", b"d/./x"),
    *(
        b"n" * 100,
        b"/abs",
        b"../up",
        b"a/../b",
        b"..",
        b"",
        b" ",
        b"-rf",
        b"a\nb",
        b"\x1b[2J",
        b"\xff\xfe",
    ),
    *(
        "größe".encode(),
        b"job.MF",
        b"./job.MF",
        b"release.MF",
        b"a\\b",
        b"a b -> c",
        b"x link to y",
    ),
)
MODES = (
    *(0o644, 0o755, 0o4755, 0o100644, 0o7777),
    *(b"644    \0", b"", b"\x80" + b"\0" * 7),
)
OWNERS = (
    *(b"0000000\0", b"0000000\0", b"\x80" + b"\0" * 6 + b"\5"),
    *(b"\xff" * 8, b"99999999", b""),
)
CLOCKS = (
    *(b"00000000000\0", b"\xff" * 12, b"\x80" + b"\0" * 11),
    *(b"\x80" + b"\xff" * 11, b""),
)
TYPES = b"0000000011223455567\0LKxgSVMDNAXZ"
TIMES = ("0", "1.5", "-1", "x", "", "9" * 5000)
NUMBERS = ("0", "5", "512", "513", "-1", "1e3", " 5", "5 ", "", "9" * 30, "9" * 5000, "0x10", "07")
PAX_KEYS = (
    *("path", "linkpath", "size", "uid", "gid", "mtime", "uname", "comment", "hdrcharset"),
    *("GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize"),
    *("GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.numblocks", "GNU.dumpdir", "x"),
    *("SCHILY.xattr.user.x", "SCHILY.realsize", "RHT.security.selinux", "GNU.volume.label"),
    *("LIBARCHIVE.xattr.x", "mode", "SCHILY.filetype"),
)


def header(
    name: bytes,
    type_: bytes = b"0",
    *,
    size: bytes | int = 0,
    mode: bytes | int = 0o644,
    target: bytes = b"",
    magic: bytes = GNU,
    prefix: bytes = b"",
    owner: bytes = b"0000000\0",
    time: bytes = b"00000000000\0",
    signed: bool = False,
) -> bytes:
    """A header block; numbers may be given as bytes of any form."""
    fields = struct.pack(
        "100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x",
        name,
        b"%07o\0" % mode if isinstance(mode, int) else mode,
        owner,
        b"0000000\0",
        b"%011o\0" % size if isinstance(size, int) else size,
        time,
        b" " * 8,
        type_,
        target,
        magic,
        b"",
        b"",
        b"",
        b"",
        prefix,
    )
    return checksummed(fields, signed=signed)


def checksummed(block: bytes, *, signed: bool = False) -> bytes:
    """The block with the checksum that is right for it; once sums were made of signed bytes."""
    plain = block[:148] + b" " * 8 + block[156:]
    total = sum(b - 256 if signed and b > 127 else b for b in plain)
    return plain[:148] + b"%06o\0 " % (total % 8**6) + plain[156:]


def padded(data: bytes) -> bytes:
    """Data up to the end of its last block."""
    return data + b"\0" * (-len(data) % BLOCK)


def file(name: bytes, content: bytes = b"", **fields: object) -> bytes:
    """An entry of a file."""
    return header(name, size=len(content), **fields) + padded(content)  # type: ignore[arg-type]


def pax(*records: tuple[str, str], type_: bytes = b"x") -> bytes:
    """A PAX header of such records."""
    data = b"".join(record(key, value.encode(errors="surrogateescape")) for key, value in records)
    return header(b"PaxHeaders/x", type_, size=len(data), magic=POSIX) + padded(data)


def record(key: str, value: bytes) -> bytes:
    """A PAX record with its length."""
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def long_name(name: bytes, type_: bytes = b"L") -> bytes:
    """GNU tar's entry for a name that does not fit into a header."""
    return header(b"././@LongLink", type_, size=len(name) + 1) + padded(name + b"\0")


END = b"\0" * 2 * BLOCK


class Maker:
    """Makes hostile archives, the same for the same seed."""

    def __init__(self, seed: int | str) -> None:
        self._r = random.Random(seed)

    def archive(self) -> bytes:
        """One archive, plain or compressed, sometimes spoilt."""
        r = self._r
        entries = [
            self._entry() if r.random() < 0.35 else self._honest() for _ in range(r.randint(1, 4))
        ]
        data = b"".join(entries) + END + b"\0" * r.choice((0, 0, 1, 512, 10240))
        return self.spoilt(data, r.choice((0, 0, 0, 1, 2)))

    def spoilt(self, data: bytes, times: int) -> bytes:
        """An archive of any maker after some mishaps, perhaps compressed."""
        for _ in range(times):
            data = self._spoilt(data)
        return self._compressed(data) if self._r.random() < 0.2 else data

    def _honest(self) -> bytes:
        r = self._r
        name = r.choice((b"a", b"b/c", b"d/e", b"n" * 100, b"f", "größe".encode(), b"\xff"))
        long = r.choice((b"l" * 101, b"l/" * 80 + b"x", b"m" * 255))
        magic = r.choice((GNU, POSIX))
        content = b"c" * r.choice((0, 1, 5, 512, 513))
        return r.choice(
            (
                file(name, content, magic=magic, mode=r.choice((0o644, 0o755))),
                header(r.choice((b"b/", b"./", b"d", b"g/")), b"5", mode=0o755, magic=magic),
                header(r.choice((b"s", b"d/s")), b"2", target=r.choice((b"a", b"./a", b"../a"))),
                header(b"h", b"1", target=name, magic=magic),
                file(name, content, magic=POSIX, prefix=r.choice((b"p", b"p/q", b"x" * 155))),
                long_name(long) + file(long[:100], content),
                long_name(long, b"K") + header(b"s2", b"2", target=long[:100]),
                pax(("path", long.decode()), ("mtime", "1.5")) + file(name, content, magic=POSIX),
                pax(("linkpath", "a"), ("uid", "7"))
                + header(b"s3", b"2", target=b"x", magic=POSIX),
                pax(("size", str(len(content)))) + file(name, content, magic=POSIX),
            )
        )

    def _entry(self) -> bytes:
        r = self._r
        makers: list[Callable[[], bytes]] = [
            *([self._plain] * 6),
            *([self._with_pax] * 3),
            self._with_long_name,
            lambda: END,
            lambda: b"\0" * BLOCK,
            lambda: pax(("path", "g"), type_=b"g"),
            lambda: pax(("size", r.choice(NUMBERS)), type_=b"g"),
            lambda: pax(("comment", "c"), type_=b"g"),
        ]
        return r.choice(makers)()

    def _plain(self) -> bytes:
        r = self._r
        type_ = bytes([r.choice(TYPES)])
        content = b"c" * r.choice((0, 1, 5, 512, 513)) if type_ in b"0\0" else b""
        if r.random() < 0.15:  # what looks like an entry to who takes no content here
            content = file(b"hidden", b"h")
        return header(
            self._odd(b"a", NAMES, 0.7),
            type_,
            size=self._number(len(content)),
            mode=self._odd(0o644, MODES, 0.3),
            target=r.choice(NAMES) if type_ in b"12" or r.random() < 0.1 else b"",
            magic=self._odd(POSIX, (GNU, POSIX, b"ustar\0  ", b"", b"ustar  0"), 0.4),
            prefix=self._odd(b"", (b"p", b"p/q", b"/", b"..", b"x" * 155), 0.3),
            owner=self._odd(OWNERS[0], OWNERS, 0.2),
            time=self._odd(CLOCKS[0], CLOCKS, 0.2),
            signed=r.random() < 0.1,
        ) + padded(content)

    def _odd(self, usual: T, odd: Sequence[T], how_often: float) -> T:
        return self._r.choice(odd) if self._r.random() < how_often else usual

    def _number(self, value: int) -> bytes | int:
        r = self._r
        if r.random() < 0.7:
            return value
        return r.choice(
            (
                b"%o" % value,
                b"%012o" % value,
                b"%11o " % value,
                b"%11o\0" % value,
                b"%o\0junk" % value,
                b"%o 7" % value,
                b"\0%o" % value,
                b"+%o" % value,
                b"-%o" % value,
                b"\x80" + value.to_bytes(11, "big"),
                b"\x80" + b"\xff" * 11,
                b"\x81" + value.to_bytes(11, "big"),
                b"\xff" + b"\xff" * 11,
                b"\xff" + (2**88 - 512).to_bytes(11, "big"),
                b"",
                b" " * 12,
                b"89",
                b"77777777777\0",
            )
        )

    def _with_pax(self) -> bytes:
        r = self._r
        records = []
        for _ in range(r.randint(1, 3)):
            key = r.choice(PAX_KEYS)
            if key.endswith("time"):
                value = r.choice(TIMES)
            elif key in ("path", "linkpath", "GNU.sparse.name"):
                value = r.choice(NAMES).decode(errors="surrogateescape")
                value = r.choice((value, value, "n" * 200, "nul\0l", ""))
            else:
                value = r.choice(NUMBERS)
            records.append((key, value))
        made = pax(*records, type_=r.choice((b"x", b"x", b"x", b"x", b"g", b"X")))
        return made + r.choice((self._plain, self._plain, self._with_long_name, lambda: b""))()

    def _with_long_name(self) -> bytes:
        r = self._r
        name = r.choice((*NAMES, b"l" * 101, b"l/" * 80, b"l" * 5000, b"a\0b", b"a\0\0"))
        made = long_name(name, r.choice((b"L", b"K")))
        return made + r.choice((self._plain, self._plain, self._with_pax, lambda: b""))()

    def _spoilt(self, data: bytes) -> bytes:
        r = self._r
        blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
        at = r.randrange(len(blocks))
        how = r.randrange(7)
        if how == 0:
            return data[: r.randrange(len(data))]
        if how == 1:
            return data + r.choice((b"x", file(b"after", b"x"), b"\0" * 700 + b"x"))
        if how == 2:
            blocks.insert(at, r.choice((b"\0" * BLOCK, END, file(b"inserted", b"x"))))
        elif how == 3:
            del blocks[at]
        else:  # a byte of a header, and the checksum made to fit
            block = bytearray(blocks[at].ljust(BLOCK, b"\0"))
            for _ in range(r.randint(1, 4)):
                block[r.randrange(BLOCK)] = r.choice(
                    (0, 32, 47, 48, 55, 128, 255, r.randrange(256))
                )
            blocks[at] = bytes(block) if how == 4 else checksummed(bytes(block))
        return b"".join(blocks)

    def _compressed(self, data: bytes) -> bytes:
        r = self._r
        half = len(data) // 2
        packed = gzip.compress(data, 1, mtime=0)
        return r.choice(
            (
                packed,
                packed,
                gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0),
                packed + b"junk",
                packed + b"\0" * 512,
                packed[: r.randrange(len(packed))],
                packed + gzip.compress(file(b"second", b"x") + END, mtime=0),
            )
        )
