"""HTTP: one port for the API, the metadata service, the control API and the page."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mock_slb.account.account import Account
from mock_slb.control.api import Control, refused
from mock_slb.control.changes import Change
from mock_slb.control.origins import why_foreign
from mock_slb.core.fields import InputError
from mock_slb.data_plane.haproxy import DataPlaneError
from mock_slb.data_plane.plane import DataPlane
from mock_slb.data_plane.settings import Settings
from mock_slb.gateway.gateway import Gateway
from mock_slb.health.probe import Prober
from mock_slb.http.serving import HttpServer
from mock_slb.http.wire import WireAnswer, WireRequest
from mock_slb.metadata.service import PREFIX, MetadataService
from mock_slb.page import files

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mock_slb.http.tls import Authority


class App:
    """The WSGI application."""

    def __init__(self, gateway: Gateway, self_id: str | None = None) -> None:
        self.gateway = gateway
        self.names: tuple[str, ...] = ()
        """Those that the control API may be asked by, beside addresses."""
        self._metadata = MetadataService(gateway, self_id)
        self._control = Control(gateway)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """One request."""
        return self._respond(Request(environ))(environ, start)

    def _respond(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            headers = dict(request.headers.items())
            return _response(self._metadata.answer(request.method, request.path, headers))
        if request.path.startswith("/_mock"):
            headers = dict(request.headers.items())
            foreign = why_foreign(request.method, request.host, headers, self.names)
            if foreign is not None:
                return files.guarded(request, _response(refused(foreign)))
            return files.guarded(request, self._by_control(request))
        if request.path != "/":
            return Response("Not Found\n", 404, content_type="text/plain")
        body = request.get_data()  # before the form is parsed, which would empty it
        query = request.args.to_dict()
        params = {**query, **request.form.to_dict()}
        if request.method in {"GET", "HEAD"} and not params:
            return files.page(request)
        headers = dict(request.headers.items())
        wire = WireRequest(request.method, params, request.host, headers, query, body)
        return _response(self.gateway.answer(wire))

    def _by_control(self, request: Request) -> Response:
        """The control API's answer, or one of the page's files."""
        if request.path.startswith(files.PREFIX):
            found = files.find(request.method, request.path.removeprefix(files.PREFIX))
            if found is not None:
                return found
        return _response(
            self._control.answer(
                request.method,
                request.path,
                request.args.to_dict(),
                request.content_type or "",
                request.get_data(),
            )
        )


def _response(answer: WireAnswer) -> Response:
    return Response(answer.body, answer.status, content_type=answer.content_type)


class MockServer:
    """A running mocked cloud. Stop it with `close()`, or use it in a `with` statement."""

    def __init__(
        self,
        gateway: Gateway,
        host: str,
        port: int,
        *,
        probe: bool,
        self_id: str | None,
        tls: ssl.SSLContext | None,
        authority: Authority | None,
        names: Sequence[str],
        changes: Iterable[Change],
        data_plane: Settings | None,
    ) -> None:
        self.gateway = gateway
        self.account = gateway.account
        self.calls = gateway.calls
        self.faults = gateway.faults
        self._app = App(gateway, self_id)
        self._app.names = (host, *names)
        self._authority = authority
        self._closing = threading.Event()
        self._outage: threading.Thread | None = None
        self._thread: threading.Thread | None = None
        self._server = HttpServer(host, port, self._app, tls)
        self.port = self._server.port
        """The port that is listened on."""
        self._prober = Prober(self.account) if probe else None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'http' if tls is None else 'https'}://{shown}:{self.port}"
        gateway.line = self
        self.data_plane: DataPlane | None = None
        """What forwards to the servers, where that was asked for."""
        try:
            if data_plane is not None:
                self.data_plane = DataPlane(self.account, data_plane, authority=authority)
            gateway.data_plane = self.data_plane
            for change in changes:
                change.make(self.gateway)
            if self.data_plane is not None:
                self.data_plane.start()
        except (InputError, DataPlaneError):
            self.close()
            raise
        if self._outage is None:
            self._begin()
        if self._prober is not None:
            self._prober.start()

    def close(self) -> None:
        """Stop listening, cut what is open, end the probes. Harmless when repeated."""
        self._closing.set()
        if self.data_plane is not None:
            self.data_plane.close()
        if self._prober is not None:
            self._prober.stop()
        if self._outage is not None:
            self._outage.join()
        self._hang_up(self._server.server_close)

    def close_for(self, seconds: float) -> None:
        """Refuse connections for so long, from the end of the request under way on.

        Raises ValueError where they are refused already.
        """
        if self._outage is not None and self._outage.is_alive():
            raise ValueError("the port is closed already")
        if self._thread is None:  # it never was open
            self._server.stop_listening()
            self._begin_outage(seconds)
        else:
            self._server.afterwards(lambda: self._begin_outage(seconds))

    def go_by(self, names: Sequence[str]) -> None:
        """Show a certificate for these names. Raises ValueError where there is no TLS."""
        if self._authority is None:
            raise ValueError("this server speaks plain HTTP")
        self._server.tls = self._authority.server(*names)
        self._app.names = (*self._app.names, *names)

    def _begin(self) -> None:
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="mock_slb",
            daemon=True,
        )
        self._thread.start()

    def _hang_up(self, end_listening: Callable[[], None]) -> None:
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        end_listening()
        self._server.cut_connections()

    def _begin_outage(self, seconds: float) -> None:
        self._outage = threading.Thread(
            target=self._be_out, args=(seconds,), name="mock_slb outage", daemon=True
        )
        self._outage.start()

    def _be_out(self, seconds: float) -> None:
        if self._thread is not None:
            self._hang_up(self._server.stop_listening)
        if not self._closing.wait(seconds):
            self._server.listen_again()
            self._begin()

    def __enter__(self) -> MockServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(
    account: Account | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    probe: bool = True,
    self_id: str | None = None,
    gateway: Gateway | None = None,
    tls: ssl.SSLContext | None = None,
    authority: Authority | None = None,
    names: Sequence[str] = (),
    changes: Iterable[Change] = (),
    data_plane: Settings | None = None,
) -> MockServer:
    """Serve an account over HTTP; port 0 takes a free one, see `.url`.

    `probe=False` leaves health as it was last reported. `self_id` is the instance whose metadata
    this server tells, for several VMs on one account. A `gateway` that was served before brings
    its account, faults, log of calls and nonces along. `tls`, from `tls.Authority`, makes it HTTPS;
    with the `authority` itself, the names can be changed while it runs. `names` are those that the
    control API may be asked by beside `host`, localhost and addresses. `changes` are made before
    the first request is answered. With `data_plane`, what comes to the listeners is forwarded.
    Raises OSError where the address is taken, InputError for a change that cannot be made,
    DataPlaneError where nothing can be forwarded.
    """
    if gateway is None:
        gateway = Gateway(account if account is not None else Account())
    return MockServer(
        gateway,
        host,
        port,
        probe=probe,
        self_id=self_id,
        tls=tls,
        authority=authority,
        names=names,
        changes=changes,
        data_plane=data_plane,
    )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
