"""The service on a VM: HTTP that takes as long as it is asked to, told what to do on stdin.

Lines of stdin: `health 503` and `answers 503` (200 ends it), `drain` (each answer from now on ends
its connection, streams are told goodbye), `close` (the same, and no new or idle connection). It
ends with stdin, and with SIGTERM at once, whatever is under way: waiting is the methods' matter.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from urllib.parse import parse_qs, urlsplit

from tests.bench.traffic.wire import Head, body_of, head_of

HEALTH_PATH, WORK_PATH, STREAM_PATH = "/health", "/work", "/stream"
TICK_SECONDS = 0.5
TICK, GOODBYE = b"tick\n", b"bye\n"
SERVER = "x-server"


class Service:
    """Answers, as it was told last."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._health = self._answers = 200
        self._ending = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._idle: set[asyncio.StreamWriter] = set()

    async def serve(self, port: int) -> None:
        """Until stdin ends."""
        self._server = await asyncio.start_server(self.connected, "0.0.0.0", port, backlog=512)
        print("up", flush=True)
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        async for line in lines:
            self.told(*line.decode().split())

    def told(self, word: str, status: str = "") -> None:
        """Do as a line of stdin says."""
        if word == "health":
            self._health = int(status)
        elif word == "answers":
            self._answers = int(status)
        else:
            self._ending.set()
        if word == "close" and self._server is not None:
            self._server.close()
            for writer in self._idle:
                writer.close()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes on a connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._exchanged(reader, writer):
                pass
        writer.close()

    async def _exchanged(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection can have another."""
        self._idle.add(writer)
        try:
            head = await head_of(reader)
        finally:
            self._idle.discard(writer)
        sent = await body_of(reader, head)
        url = urlsplit(head.target)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == STREAM_PATH:
            await self._stream(writer)
            return False
        if url.path == HEALTH_PATH:
            return await self._answer(head, writer, self._health, b"")
        pause = float(asked["takes"]) / 2
        await asyncio.sleep(pause)
        return await self._answer(head, writer, self._answers, sent or answer(asked["id"]), pause)

    async def _answer(
        self,
        head: Head,
        writer: asyncio.StreamWriter,
        status: int,
        body: bytes,
        pause: float = 0.0,
    ) -> bool:
        """Half of the body comes after the pause."""
        ends = self._ending.is_set() or head.field("connection").lower() == "close"
        lines = (
            f"HTTP/1.1 {status} -",
            f"{SERVER}: {self._name}",
            f"content-length: {len(body)}",
            *(("connection: close",) if ends else ()),
        )
        whole = "\r\n".join((*lines, "", "")).encode()
        half = len(body) // 2
        if head.method == "HEAD":
            writer.write(whole)
        else:
            writer.write(whole + body[:half])
            await writer.drain()
            await asyncio.sleep(pause)
            writer.write(body[half:])
        await writer.drain()
        return not ends

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        """As a WebSocket: for as long as both stay, and with a goodbye when the service drains."""
        writer.write(
            b"HTTP/1.1 101 -\r\nconnection: upgrade\r\nupgrade: ticks\r\n"
            + f"{SERVER}: {self._name}\r\n\r\n".encode()
        )
        while not self._ending.is_set():
            writer.write(TICK)
            await writer.drain()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ending.wait(), TICK_SECONDS)
        writer.write(GOODBYE)
        await writer.drain()


def answer(id_: str) -> bytes:
    """What a GET with this id is answered with."""
    return f"{id_}\n".encode() * 64


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    options = parser.parse_args()

    async def run() -> None:
        await Service(options.name).serve(options.port)

    asyncio.run(run())


if __name__ == "__main__":
    main()
