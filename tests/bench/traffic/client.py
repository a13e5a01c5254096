"""An open-loop client: each request is sent when its time has come, whatever became of others.

Nothing is tried twice. A kept connection that is seen to be closed is not used again, as any client
does it; one that is closed while a request is on its way has lost the request. Its results are
lines of JSON: see `Line`. It ends with SIGTERM or stdin, after the answers that are under way.

Given a path, it gets that and nothing else, from whatever service: an answer is right that is
complete and has the status 200, and there are no streams.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import signal
import sys
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO

from tests.bench.traffic.schedule import IN_TIME_SECONDS, Planned, plan
from tests.bench.traffic.service import GOODBYE, SERVER, STREAM_PATH, TICK, WORK_PATH, answer
from tests.bench.traffic.verdict import CLOSED, LATE, RESET, Observed, judge
from tests.bench.traffic.wire import answer_body_of, answer_head_of, head_of

IDLE_SECONDS = 12.0
"""Between two requests of the idle connection: less than CLB and ALB let one be idle (15 s)."""
SILENCE_SECONDS = 5.0
"""After which a stream is taken for dead."""
_REOPEN_SECONDS = 0.2

Address = tuple[str, int]


@dataclass(frozen=True)
class Line:
    """One request, or the end of one stream."""

    at: float
    """When it was due, in seconds since the epoch."""
    kind: str
    """request, idle or stream."""
    target: str
    verdict: str
    kept: bool = False
    method: str = "GET"
    server: str = ""
    extra_seconds: float = 0.0
    """How much longer it took than it was asked to."""
    behind_seconds: float = 0.0
    """How late it was sent."""


class Connection:
    """One to a load balancer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.server = ""

    @property
    def is_open(self) -> bool:
        """As far as is known."""
        return not self.reader.at_eof() and not self.writer.is_closing()

    def close(self) -> None:
        """Harmless when repeated."""
        self.writer.close()


class Client:
    """Asks several listeners."""

    def __init__(
        self,
        targets: Mapping[str, Address],
        rate: float,
        seed: int,
        out: TextIO,
        path: str | None = None,
    ) -> None:
        self._targets, self._rate, self._seed, self._out = targets, rate, seed, out
        self._path = path
        self._kept: dict[str, deque[Connection]] = defaultdict(deque)
        self._ids = itertools.count()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM, or until stdin ends."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_reader(sys.stdin, self._left_alone)
        began = time.time()
        beside = [
            asyncio.create_task(one)
            for target in self._targets
            for one in (self._idle(target), *(() if self._path else (self._stream(target),)))
        ]
        under_way: set[asyncio.Task[None]] = set()
        for planned in plan(sorted(self._targets), self._rate, self._seed):
            if await self._stopped_within(began + planned.at - time.time()):
                break
            task = asyncio.create_task(self._request(self._plain(planned), began + planned.at))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way, *beside)

    def _plain(self, planned: Planned) -> Planned:
        """What can be asked of a service that is not the bench's."""
        return replace(planned, method="GET", takes_seconds=0.0) if self._path else planned

    def _left_alone(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin)
        self._stop.set()

    async def _stopped_within(self, seconds: float) -> bool:
        if seconds > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), seconds)
        else:
            await asyncio.sleep(0)
        return self._stop.is_set()

    async def _request(self, planned: Planned, due: float) -> None:
        connection = self._kept_connection(planned.target) if planned.kept else None
        await self._ask(planned, due, connection, "request")

    async def _ask(
        self, planned: Planned, due: float, connection: Connection | None, kind: str
    ) -> Connection | None:
        """Ask once, and take note of it; the connection, where it can be asked again."""
        sent = time.time()
        seen, used = await self._exchange(planned, connection)
        done = time.time()
        self._note(
            Line(
                at=due,
                kind=kind,
                target=planned.target,
                verdict=judge(seen),
                kept=planned.kept,
                method=planned.method,
                server=used.server if used is not None else "",
                extra_seconds=round(done - sent - planned.takes_seconds, 4),
                behind_seconds=round(sent - due, 4),
            )
        )
        if used is None:
            return None
        if seen.ended or not planned.kept or not used.is_open:
            used.close()
            return None
        if kind == "request":
            self._kept[planned.target].append(used)
        return used

    async def _exchange(
        self, planned: Planned, connection: Connection | None
    ) -> tuple[Observed, Connection | None]:
        exchange = Exchange(planned, f"{self._seed}-{next(self._ids)}", connection, self._path)
        seen = await exchange.within(
            planned.takes_seconds + IN_TIME_SECONDS, self._targets[planned.target]
        )
        return seen, exchange.connection

    def _kept_connection(self, target: str) -> Connection | None:
        kept = self._kept[target]
        while kept:
            one = kept.popleft()
            if one.is_open:
                return one
            one.close()
        return None

    async def _idle(self, target: str) -> None:
        """A connection with a request now and then."""
        connection: Connection | None = None
        while not self._stop.is_set():
            if connection is not None and not connection.is_open:
                connection.close()
                connection = None
            due = self._plain(Planned(0.0, target, True, "GET", 0.01))
            connection = await self._ask(due, time.time(), connection, "idle")
            await self._stopped_within(IDLE_SECONDS)

    async def _stream(self, target: str) -> None:
        """A stream that is opened anew whenever it has ended."""
        while not self._stop.is_set():
            seen, server = Observed(connected=False), ""
            try:
                reader, writer = await _opened(self._targets[target])
                connection = Connection(reader, writer)
                seen = await self._listen(connection, _authority(self._targets[target]))
                server = connection.server
                connection.close()
            except (OSError, asyncio.TimeoutError):
                pass
            self._note(Line(time.time(), "stream", target, judge(seen), kept=True, server=server))
            await self._stopped_within(_REOPEN_SECONDS)

    async def _listen(self, connection: Connection, host: str) -> Observed:
        """Until it ends; right is a goodbye, or that we had enough."""
        received = status = 0
        by_service = False
        try:
            connection.writer.write(
                f"GET {STREAM_PATH} HTTP/1.1\r\nhost: {host}\r\n"
                "connection: upgrade\r\nupgrade: ticks\r\n\r\n".encode()
            )
            head = await asyncio.wait_for(head_of(connection.reader), SILENCE_SECONDS)
            received, status, connection.server = head.size, head.status, head.field(SERVER)
            by_service = bool(connection.server)
            line = TICK if status == 101 else b""
            while line == TICK and not self._stop.is_set():
                line = await asyncio.wait_for(connection.reader.readline(), SILENCE_SECONDS)
            if line in (TICK, GOODBYE):
                return Observed(received=received, status=200, by_service=True, is_right=True)
            ended = CLOSED if status == 101 else ""
        except asyncio.TimeoutError:
            ended = LATE
        except ConnectionError:
            ended = RESET
        except asyncio.IncompleteReadError as error:
            received, ended = received + len(error.partial), CLOSED
        except (ValueError, asyncio.LimitOverrunError):  # no HTTP, or a line without end
            received = max(received, 1)
        return Observed(received=received, ended=ended, status=status, by_service=by_service)

    def _note(self, line: Line) -> None:
        self._out.write(json.dumps(asdict(line)) + "\n")


class Exchange:
    """A request and its answer, as far as it comes."""

    def __init__(
        self, planned: Planned, id_: str, connection: Connection | None, path: str | None = None
    ) -> None:
        self.connection = connection
        self._planned, self._path = planned, path
        self._received = self._status = 0
        self._body = answer(id_)
        self._asked = path or f"{WORK_PATH}?id={id_}&takes={planned.takes_seconds}"

    async def within(self, seconds: float, address: Address) -> Observed:
        """What is seen of it in this time."""
        ended, is_right = "", False
        try:
            is_right = await asyncio.wait_for(self._go(address), seconds)
        except asyncio.TimeoutError:
            ended = LATE
        except asyncio.IncompleteReadError as error:
            self._received += len(error.partial)
            ended = CLOSED
        except OSError:
            ended = RESET
        except (ValueError, asyncio.LimitOverrunError):  # something has come that is no HTTP
            self._received = max(self._received, 1)
            if self.connection is not None:
                self.connection.close()
        return Observed(
            connected=self.connection is not None,
            received=self._received,
            ended=ended,
            status=self._status,
            by_service=self.connection is not None and bool(self.connection.server),
            is_right=is_right,
        )

    async def _go(self, address: Address) -> bool:
        if self.connection is None:
            self.connection = Connection(*await asyncio.open_connection(*address))
        connection, planned = self.connection, self._planned
        connection.server = ""
        sent = self._body if planned.method == "POST" else b""
        lines = (
            f"{planned.method} {self._asked} HTTP/1.1",
            f"host: {_authority(address)}",
            f"content-length: {len(sent)}",
            *(() if planned.kept else ("connection: close",)),
        )
        connection.writer.write("\r\n".join((*lines, "", "")).encode() + sent)
        head = await answer_head_of(connection.reader)
        self._received, self._status = head.size, head.status
        connection.server = head.field(SERVER)
        body = await answer_body_of(connection.reader, head)
        if head.field("connection").lower() == "close":
            connection.close()
        return body == self._body or self._path is not None


def _authority(address: Address) -> str:
    """The Host that a browser would send: without the port that is usual."""
    host, port = address
    shown = f"[{host}]" if ":" in host else host
    return shown if port == 80 else f"{shown}:{port}"


async def _opened(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.wait_for(asyncio.open_connection(*address), IN_TIME_SECONDS)


def main() -> None:
    """Ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="file for the results")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--target", nargs=3, action="append", metavar=("NAME", "HOST", "PORT"))
    parser.add_argument("--path", help="of any service: see above")
    options = parser.parse_args()
    targets = {name: (host, int(port)) for name, host, port in options.target}

    async def run(out: TextIO) -> None:
        await Client(targets, options.rate, options.seed, out, options.path).run()

    with options.out.open("w") as out:
        asyncio.run(run(out))


if __name__ == "__main__":
    main()
