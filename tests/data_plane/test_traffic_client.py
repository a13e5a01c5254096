"""The client and the service of the traffic bench, over real connections that end in every way."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.bench.traffic.client import Address, Exchange
from tests.bench.traffic.schedule import Planned
from tests.bench.traffic.service import Service, answer
from tests.bench.traffic.verdict import ANSWERED, judge
from tests.bench.traffic.wire import Head, body_of, head_of

ID = "1-7"
PATIENCE_SECONDS = 20.0
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[Address]:
    """Ends once all that was begun here has ended."""
    tasks: list[asyncio.Task[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await behaviour(reader, writer)
        await closed(writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await asyncio.gather(*tasks)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def ended(exchange: Exchange) -> None:
    if exchange.connection is not None:
        await closed(exchange.connection.writer)


def says(text: bytes, *, then: str = "close", named: bool = True) -> Behaviour:
    """A server that reads the request, says this, and closes, or waits until the client has."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await body_of(reader, await head_of(reader))
        writer.write(text.replace(b"NAME", b"x-server: i-1\r\n" if named else b""))
        await writer.drain()
        if then == "hang":
            await reader.read(1)
        writer.close()

    return behave


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()


def ask(behaviour: Behaviour, *, method: str = "GET", seconds: float = PATIENCE_SECONDS) -> str:
    async def run() -> str:
        async with serving(behaviour) as address:
            planned = Planned(0.0, "tcp:443", False, method, 0.0)
            exchange = Exchange(planned, ID, None)
            seen = await exchange.within(seconds, address)
            await ended(exchange)
            return judge(seen)

    return asyncio.run(run())


BODY = answer(ID)
HEAD = b"HTTP/1.1 200 OK\r\nNAMEcontent-length: %d\r\n\r\n" % len(BODY)
ERROR = b"HTTP/1.1 503 -\r\nNAMEcontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("behaviour", "verdict"),
    [
        (says(HEAD + BODY), ANSWERED),
        (says(HEAD + answer("1-8")), "wrong"),
        (says(b""), "before"),
        (resets, "before"),
        (says(HEAD[:20]), "cut"),
        (says(HEAD), "cut"),
        (says(HEAD + BODY[:-1]), "cut"),
        (says(ERROR, named=False), "lb_5xx"),
        (says(ERROR), "service_5xx"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_client_tells_how_an_exchange_has_ended(
    behaviour: Behaviour, verdict: str, method: str
) -> None:
    assert ask(behaviour, method=method) == verdict


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (OK + b"content-length: 5\r\n\r\nhello", ANSWERED),
        (OK + b"content-length: 5\r\n\r\nhell", "cut"),
        (OK + b"content-length: 0\r\n\r\n", ANSWERED),
        (OK + b"\r\nuntil the end", ANSWERED),
        (CHUNKED + b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", ANSWERED),
        (CHUNKED + b"5\r\nhello\r\n0\r\nx: trailer\r\n\r\n", ANSWERED),
        (CHUNKED + b"5\r\nhello\r\n", "cut"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", "cut"),
        (CHUNKED + b"five\r\n", "wrong"),
        (CHUNKED + b"1\r\nhello\r\n0\r\n\r\n", "wrong"),
        (b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + OK + b"content-length: 0\r\n\r\n", ANSWERED),
        (b"HTTP/1.1 204 -\r\n\r\n", "wrong"),
        (b"HTTP/1.1 302 -\r\ncontent-length: 0\r\n\r\n", "wrong"),
        (b"HTTP/1.1 502 -\r\ncontent-length: 3\r\n\r\nbad", "lb_5xx"),
        (b"220 mail.example ESMTP\r\n\r\n", "wrong"),
        (b"\r\n\r\n", "wrong"),
        (b"", "before"),
    ],
)
def test_any_service_is_judged_by_status_and_completeness(said: bytes, verdict: str) -> None:
    asked: list[Head] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await head_of(reader))
        writer.write(said)
        await writer.drain()

    async def run() -> str:
        async with serving(behave) as address:
            planned = Planned(0.0, "web", True, "GET", 0.0)
            exchange = Exchange(planned, ID, None, "/ready?x=1")
            seen = await exchange.within(PATIENCE_SECONDS, address)
            assert asked[0].field("host") == f"127.0.0.1:{address[1]}"
            await ended(exchange)
            return judge(seen)

    assert asyncio.run(run()) == verdict
    assert asked[0].start == ("GET", "/ready?x=1", "HTTP/1.1")


@pytest.mark.parametrize("said", [b"", HEAD + BODY[:-1]])
def test_an_answer_that_does_not_come_in_time_is_late(said: bytes) -> None:
    assert ask(says(said, then="hang"), seconds=0.2) == "late"


def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        exchange = Exchange(Planned(0.0, "tcp:443", False, "GET", 0.0), ID, None)
        seen = asyncio.run(exchange.within(PATIENCE_SECONDS, nobody.getsockname()))
    assert judge(seen) == "refused"


@contextlib.asynccontextmanager
async def service() -> AsyncIterator[tuple[Service, Address]]:
    made = Service("i-1")
    async with serving(made.connected) as address:
        yield made, address


async def asked(
    address: Address, *, kept: bool = True, method: str = "GET"
) -> tuple[str, Exchange]:
    exchange = Exchange(Planned(0.0, "tcp:443", kept, method, 0.01), ID, None)
    verdict = judge(await exchange.within(PATIENCE_SECONDS, address))
    return verdict, exchange


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_service_answers_and_names_itself(method: str) -> None:
    async def run() -> None:
        async with service() as (_, address):
            verdict, exchange = await asked(address, method=method)
            assert verdict == ANSWERED
            assert exchange.connection is not None
            assert exchange.connection.server == "i-1"
            assert exchange.connection.is_open
            await ended(exchange)

    asyncio.run(run())


def test_a_service_that_drains_ends_each_connection_with_its_next_answer() -> None:
    async def run() -> None:
        async with service() as (made, address):
            _, before = await asked(address)
            made.told("drain")
            assert before.connection is not None
            again = Exchange(Planned(0.0, "tcp:443", True, "GET", 0.01), ID, before.connection)
            assert judge(await again.within(PATIENCE_SECONDS, address)) == ANSWERED
            assert not before.connection.is_open
            await ended(before)

    asyncio.run(run())


def test_a_service_fails_as_it_is_told() -> None:
    async def run() -> None:
        async with service() as (made, address):
            made.told("answers", "503")
            verdict, exchange = await asked(address, kept=False)
            assert verdict == "service_5xx"
            await ended(exchange)

    asyncio.run(run())
