"""The SDK's HTTP transport, with an end to what an answer may hold and take.

The SDK reads every body as a whole, whatever its length; a megabyte of gzip becomes a gigabyte, and
a chunk of length -1 is read until the other side closes. Its read timeout begins anew with every
byte. So what comes over the wire is counted where http.client reads it, and what is unpacked where
it is kept; an answer that exceeds either fails as one that was cut off does.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import Any

from aliyunsdkcore.vendored.requests.adapters import HTTPAdapter

ANSWER_LIMIT = 4 << 20
"""Bytes. The largest we ask for, the health of a thousand servers, is below a tenth of this."""

ANSWER_SECONDS = 30.0
"""For a body, after its headers."""

TOO_LARGE = "the answer is larger than any of the API's"
TOO_SLOW = "the answer timed out"
_PIECE = 8192  # which gzip makes 8 MiB of at most


class BoundedAdapter(HTTPAdapter):  # type: ignore[misc]
    """Reads the body before it hands the answer on."""

    def send(self, request: Any, **options: Any) -> Any:
        """Raises OSError, as requests does, also for an answer without end."""
        response = super().send(request, **options)
        _count(response.raw)
        body = bytearray()
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > ANSWER_LIMIT:
                response.close()
                raise OSError(TOO_LARGE)
        response._content = bytes(body)
        return response


def _count(raw: Any) -> None:
    wire = getattr(raw, "_fp", None)
    if isinstance(wire, HTTPResponse) and wire.fp is not None:
        wire.fp = io.BufferedReader(_Counted(wire.fp))


class _Counted(io.RawIOBase):
    """What http.client reads a body from."""

    def __init__(self, source: io.BufferedReader) -> None:
        self._source = source
        self._left = ANSWER_LIMIT
        self._ends = time.monotonic() + ANSWER_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if time.monotonic() > self._ends:
            raise OSError(TOO_SLOW)
        count = self._source.readinto1(buffer)
        self._left -= count
        if self._left < 0:
            raise OSError(TOO_LARGE)
        return count

    def close(self) -> None:
        self._source.close()
        super().close()
