"""HTTP/1.1 by hand: a library would try again, or hide how a connection ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    """The first lines of a request or an answer."""

    start: tuple[str, ...]
    fields: Mapping[str, str]
    size: int
    """In bytes."""

    @property
    def method(self) -> str:
        """Of a request."""
        return self.start[0]

    @property
    def target(self) -> str:
        """Of a request."""
        return self.start[1]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.start[1])

    def field(self, name: str) -> str:
        """A header field by its name in small letters, empty where it is missing."""
        return self.fields.get(name, "")


def parse_head(raw: bytes) -> Head:
    """A head with its empty line. Raises ValueError for what is none."""
    first, *rest = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = (line.partition(":") for line in rest)
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    start = tuple(first.split(" ", 2))
    if len(start) < 2:
        raise ValueError(f"{first!r} begins neither a request nor an answer")
    return Head(start, fields, len(raw))


async def head_of(reader: asyncio.StreamReader) -> Head:
    """The next head. Raises IncompleteReadError where the connection ends before its end."""
    return parse_head(await reader.readuntil(b"\r\n\r\n"))


async def answer_head_of(reader: asyncio.StreamReader) -> Head:
    """The next head that is an answer's last: interim ones (100, 103) go before it."""
    head = await head_of(reader)
    while 100 <= head.status < 200 and head.status != 101:
        head = await head_of(reader)
    return head


async def body_of(reader: asyncio.StreamReader, head: Head) -> bytes:
    """What belongs to a head. Raises IncompleteReadError likewise."""
    return await reader.readexactly(int(head.field("content-length") or 0))


async def answer_body_of(reader: asyncio.StreamReader, head: Head) -> bytes:
    """The body of an answer to GET or POST, in any of the ways of RFC 9112, 6.3.

    Raises IncompleteReadError, and ValueError for what is no body. One without a length ends with
    the connection, and is whole whenever that is.
    """
    if head.status in (204, 304):
        return b""
    if head.field("transfer-encoding").lower().endswith("chunked"):
        return await _chunks(reader)
    if head.field("content-length"):
        return await body_of(reader, head)
    return await reader.read(-1)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    found = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        found += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise ValueError("a chunk is longer than it says")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # a trailer
    return found
