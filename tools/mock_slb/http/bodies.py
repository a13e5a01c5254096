"""Bodies of requests, by their length or in chunks, read to their end and no further."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from mock_slb.core.digits import whole_number

MAX_BODY_BYTES = 1_000_000
MAX_LINE_BYTES = 4_096
MAX_TRAILERS = 100
# RFC 9112, 7.1: a size in hexadecimal digits, then extensions that nobody has to understand.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class BodyError(Exception):
    """A body that cannot be read: the HTTP status to answer with, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Stream(Protocol):
    """A connection, as far as it is read."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, fewer only at the end."""
        ...

    def readline(self, size: int, /) -> bytes:
        """A line with its end, or the first `size` bytes of it."""
        ...


def read_body(stream: Stream, lengths: Sequence[str], codings: Sequence[str]) -> bytes:
    """The body that headers announce, empty for none. Raises BodyError.

    `lengths` are all values of Content-Length, `codings` those of Transfer-Encoding. After an
    error nothing is known of where the next request begins.
    """
    length, coding = ",".join(lengths), ",".join(codings)
    if not codings:
        return _by_length(stream, length if lengths else "0")
    if lengths:
        # RFC 9112, 6.1: two readers may disagree about where such a request ends.
        raise BodyError(400, "give Content-Length or Transfer-Encoding, not both")
    if coding.strip().lower() != "chunked":
        raise BodyError(501, f"the Transfer-Encoding must be chunked, not {coding!r}")
    return _in_chunks(stream)


def _by_length(stream: Stream, text: str) -> bytes:
    length = whole_number(text)
    if length is None:
        raise BodyError(400, "the Content-Length is no number")
    if length > MAX_BODY_BYTES:
        raise BodyError(413, f"a body has {MAX_BODY_BYTES} bytes at most")
    return _exactly(stream, length)


def _in_chunks(stream: Stream) -> bytes:
    body = bytearray()
    while (size := _chunk_size(stream)) > 0:
        if len(body) + size > MAX_BODY_BYTES:
            raise BodyError(413, f"a body has {MAX_BODY_BYTES} bytes at most")
        body += _exactly(stream, size)
        if stream.readline(len(b"\r\n") + 1).rstrip(b"\r\n"):
            raise BodyError(400, "a chunk is longer than it says")
    for _ in range(MAX_TRAILERS):
        if not stream.readline(MAX_LINE_BYTES).rstrip(b"\r\n"):
            return bytes(body)
    raise BodyError(400, f"a body has {MAX_TRAILERS} trailers at most")


def _chunk_size(stream: Stream) -> int:
    line = stream.readline(MAX_LINE_BYTES)
    match = _CHUNK.fullmatch(line)
    if match is None:
        raise BodyError(400, f"{line[:40]!r} is no size of a chunk")
    return int(match[1], 16)


def _exactly(stream: Stream, number: int) -> bytes:
    content = stream.read(number)
    if len(content) < number:
        raise BodyError(400, "the body ends before its end")
    return content
