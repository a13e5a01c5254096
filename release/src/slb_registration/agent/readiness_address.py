"""Listens where the properties readiness.* say, or tells why that is not possible."""

from __future__ import annotations

import contextlib
import errno
import socket

from slb_registration.agent.lock import LOCK_NAME, AlreadyRunningError, only_one
from slb_registration.model.configuration import Config, Readiness
from slb_registration.model.failure import Failure
from slb_registration.support.net.endpoint import METADATA_HOST

BACKLOG = 4096
"""Connections that wait to be accepted; Linux makes it net.core.somaxconn where that is less."""


class CannotListenError(Failure):
    """The health checks of load balancers could not be answered."""


def listening(config: Readiness) -> socket.socket:
    """Listen where the configuration says. Raises OSError."""
    address = config.address or own_address()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # :: is every address, those of IPv4, too
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, config.port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def own_address() -> str:
    """The address from which this VM speaks to others, which is its primary one. Nothing is sent.

    Raises OSError where it has no way to others.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((METADATA_HOST, 80))
        address: str = sender.getsockname()[0]
        return address


def problem(config: Readiness, error: OSError) -> str:
    """Why listening is not possible, and what to do about it."""
    where = f"port {config.port} of {config.address or 'this VM'}"
    if error.errno == errno.EADDRINUSE:
        advice = "give another one, outside of net.ipv4.ip_local_port_range"
        return f"readiness.port: {where} is in use: {advice}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"readiness.address: {config.address} is no address of this VM"
    if config.address is None and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "readiness.address: is needed, as this VM's own cannot be told: it has no route"
    return f"readiness.port: cannot listen on {where}: {error.strerror}"


def try_out(config: Config) -> None:
    """Find out before the agent starts whether it will be able to. Raises CannotListenError."""
    if config.readiness is None or not config.register:
        return
    # An agent that hangs has the port as well.
    with contextlib.suppress(AlreadyRunningError), only_one(config.run_dir / LOCK_NAME):
        try:
            listening(config.readiness).close()
        except OSError as error:
            raise CannotListenError(problem(config.readiness, error)) from None
