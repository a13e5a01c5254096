"""The agent's end of its Unix socket: liveness, status, metrics, and orders.

HTTP/1.0, as BOSH's monit 5.2.5 asks in it. Only root and the agent's own user may connect. An
order (drain, hold, resume) is also written to a marker file by the command that gives it, so that
it outlives the process that took it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from slb_registration.agent.metrics_tls import TlsServer, serving_context
from slb_registration.model.configuration import Metrics
from slb_registration.model.orders import WAIT, Order
from slb_registration.reporting.exposition import CONTENT_TYPE
from slb_registration.support.net.local_server import LocalHandler, TcpServer, UnixServer
from slb_registration.support.supervision.supervisor import Supervisor

POLL_SECONDS = 0.5
"""How long the end may have to wait for a server that nobody asks."""

CLOSING_SECONDS = 2.0
"""How long the end waits for it at most: monit kills what takes 15 s."""

TURN_SECONDS = 30.0
"""A server takes its turn at least every POLL_SECONDS; this is for a busy VM."""

SOCKET_PATH_LIMIT = 107
"""Of sun_path on Linux, unix(7), without the final NUL."""

_ORDERS = {f"/{order.value}": order for order in Order}


class Subject(Protocol):
    """The agent that the socket speaks for."""

    def alive(self) -> str | None:
        """None, or what hangs."""
        ...

    def document(self) -> dict[str, Any]:
        """The status."""
        ...

    def waited_for(self) -> dict[str, Any]:
        """Note that post-start waits; the status."""
        ...

    def metrics(self) -> str:
        """The metrics page."""
        ...

    def order(self, order: Order) -> None:
        """Take an order and act on it now."""
        ...


class _Handler(LocalHandler):
    server_version = "slb-registration"
    subject: Subject
    routes: frozenset[str]

    def do_GET(self) -> None:  # noqa: N802 - the name is http.server's
        """Answer monit, the command line and Prometheus."""
        if self.path not in self.routes or self.path in (*_ORDERS, WAIT):
            self.answer(404, "text/plain", "not found\n")
        elif self.path == "/healthz":
            hanging = self.subject.alive()
            self.answer(503 if hanging else 200, "text/plain", (hanging or "ok") + "\n")
        elif self.path == "/status":
            self._answer_status(self.subject.document())
        else:
            self.answer(200, CONTENT_TYPE, self.subject.metrics())

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:  # noqa: N802
        """Take an order, or note that post-start waits."""
        if self.path not in self.routes or self.path not in (*_ORDERS, WAIT):
            self.answer(404, "text/plain", "not found\n")
        elif self.path == WAIT:
            self._answer_status(self.subject.waited_for())
        else:
            self.subject.order(_ORDERS[self.path])
            self.answer(200, "text/plain", "ok\n")

    def _answer_status(self, document: dict[str, Any]) -> None:
        self.answer(200, "application/json", json.dumps(document, indent=1) + "\n")


@contextlib.contextmanager
def serving(path: Path, subject: Subject, supervisor: Supervisor) -> Iterator[None]:
    """Serve the Unix socket at `path`, replacing one that an earlier process left.

    Raises OSError. The caller holds the lock that makes it the only agent.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise OSError(errno.ENAMETOOLONG, "the path is too long for a Unix socket", str(path))
    path.unlink(missing_ok=True)
    routes = frozenset({"/healthz", "/status", "/metrics", WAIT, *_ORDERS})
    before = os.umask(0o177)
    try:
        server = UnixServer(str(path), _handler(subject, routes))
    finally:
        os.umask(before)
    own = path.stat()
    try:
        with _running("control socket", server, supervisor):
            yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            # Where the run folder was removed, another agent may have put its own there.
            if os.path.samestat(path.stat(), own):
                path.unlink()


@contextlib.contextmanager
def serving_metrics(
    metrics: Metrics | None, subject: Subject, supervisor: Supervisor
) -> Iterator[None]:
    """Serve /metrics at its address and port (None: not at all).

    Raises OSError, and MetricsTlsError.
    """
    if metrics is None:
        yield
        return
    context = None if metrics.tls is None else serving_context(metrics.tls)
    place = metrics.address, metrics.port
    handler = _handler(subject, frozenset({"/metrics"}))
    try:
        server = TlsServer(place, handler, context) if context else TcpServer(place, handler)
    except OSError as error:
        address = f"[{metrics.address}]" if ":" in metrics.address else metrics.address
        where = f"metrics.port: cannot listen on {address}:{metrics.port}"
        raise OSError(error.errno, error.strerror, where) from None
    with _running("metrics port", server, supervisor):
        yield


@contextlib.contextmanager
def _running(name: str, server: UnixServer | TcpServer, supervisor: Supervisor) -> Iterator[None]:
    server.timeout = POLL_SECONDS
    server.on_mistake = lambda error: supervisor.tell(f"a request at the {name}", error)

    def turn() -> float:
        server.exhausted = None
        server.handle_request()
        if server.exhausted is not None:  # a connection waits, and would at once again
            raise server.exhausted
        return 0.0

    part = supervisor.start(name, turn, turn_seconds=TURN_SECONDS)
    try:
        yield
    finally:
        part.stop()
        part.join(CLOSING_SECONDS)
        server.server_close()


def _handler(of: Subject, paths: frozenset[str]) -> type[_Handler]:
    class Handler(_Handler):
        subject = of
        routes = paths

    return Handler
