"""TLS for who asks for the metrics from another machine: nothing is told without a certificate."""

from __future__ import annotations

import os
import socket
import socketserver
import ssl
import stat
import sys
from pathlib import Path
from typing import Any

from slb_registration.model.configuration import MetricsTls
from slb_registration.model.failure import Failure
from slb_registration.support.files.trust import open_trusted
from slb_registration.support.net.local_server import CLIENT_TIMEOUT_SECONDS, TcpServer

_Address = tuple[str, int]


class MetricsTlsError(Failure):
    """The properties metrics.tls.* cannot be used. str() names the one, and holds nothing of it."""


def serving_context(tls: MetricsTls) -> ssl.SSLContext:
    """A context that lets in who shows a client's certificate of the authority.

    Raises MetricsTlsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Of TLS 1.2, sessions can be taken up again by their number, and Python cannot forbid that.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0  # every connection shows its certificate anew
    _check_file("certificate", tls.certificate)
    _check_file("ca", tls.ca)
    _check_file("private_key", tls.private_key, secret=True)
    _load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "certificate", tls.certificate)
    _load_authorities(context, "ca", tls.ca)
    try:
        # Without a password OpenSSL would ask for one.
        context.load_cert_chain(tls.certificate, tls.private_key, password="")
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            what = "is not the key of metrics.tls.certificate"
        else:
            what = "is no private key without a password in PEM that OpenSSL takes"
        raise MetricsTlsError(f"metrics.tls.private_key: {what}") from None
    return context


def _check_file(name: str, path: Path, *, secret: bool = False) -> None:
    """Make sure that nobody else could have written the file, nor read it where it is a secret."""
    try:
        descriptor = open_trusted(path)
    except OSError as error:
        raise MetricsTlsError(f"metrics.tls.{name}: {path}: {error.strerror}") from None
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
    if secret and mode & stat.S_IROTH:
        raise MetricsTlsError(f"metrics.tls.{name}: {path}: others can read it (mode {mode:04o})")


def _load_authorities(context: ssl.SSLContext, name: str, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError:
        what = "holds no certificate in PEM: give ((NAME.certificate)) or ((NAME.ca)), not ((NAME))"
        raise MetricsTlsError(f"metrics.tls.{name}: {what}") from None


class TlsServer(TcpServer):
    """On a port, for who shows a certificate.

    The handshake is the first part of a request: in its thread, and within its time.
    """

    def __init__(
        self,
        address: _Address,
        handler: type[socketserver.BaseRequestHandler],
        context: ssl.SSLContext,
    ) -> None:
        self._context = context
        super().__init__(address, handler)

    def get_request(self) -> Any:
        """Take the next connection, and wait for nothing that its client has to send."""
        connection, peer = super().get_request()
        try:
            wrapped = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        except OSError:  # it has gone already
            connection.close()
            raise
        return wrapped, peer

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Let the client in, or end the connection where it shows no certificate of the authority.

        That is no event: who can reach the port could fill the log with it.
        """
        request.settimeout(CLIENT_TIMEOUT_SECONDS)
        try:
            request.do_handshake()
        except OSError:
            return
        super().finish_request(request, client_address)

    def handle_error(self, *arguments: object) -> None:
        """Say nothing: what a client breaks within TLS is no mistake of the agent."""
        if not isinstance(sys.exc_info()[1], ssl.SSLError):
            super().handle_error(*arguments)

    def end(self, connection: socket.socket) -> None:
        """End it for the thread that reads from it; SSLSocket.shutdown would go on without TLS."""
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
