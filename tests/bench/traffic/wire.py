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


async def body_of(reader: asyncio.StreamReader, head: Head) -> bytes:
    """What belongs to a head. Raises IncompleteReadError likewise."""
    return await reader.readexactly(int(head.field("content-length") or 0))
