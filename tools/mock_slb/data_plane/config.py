"""HAProxy's configuration for one listener."""

from __future__ import annotations

import functools
import re
import resource
import socket
from collections.abc import Iterator, Mapping

from mock_slb.account.addresses import Address
from mock_slb.data_plane.haproxy import DataPlaneError
from mock_slb.data_plane.rules import Server, Wanted
from mock_slb.data_plane.seen import Frontend, Pool

MAX_CONNECTIONS = 4000
FRONTEND = "listener"
CUT_SERVERS = "/dev/null"
"""The list of the servers whose requests are being cut; HAProxy knows a list by its file."""

# All of them can be given servers, and other weights, while they run.
_BALANCE = {
    "wrr": ("balance roundrobin",),
    "rr": ("balance roundrobin",),
    "wlc": ("balance leastconn",),
    "sch": ("balance source", "hash-type consistent"),
    # by the client's port as well, which for a new connection is as good as chance
    "tch": ("balance random",),
    "qch": ("balance random",),
}

# `retries 0`, and no redispatch: a refused connection must show. At layer 4 it does by the end of
# the client's connection, which HAProxy has taken by then. The times are the products' defaults:
# 900 s for an idle connection of layer 4; 15 s between and 60 s for requests at layer 7.
_LAYER_4 = """\
    mode tcp
    timeout client 900s
    timeout server 900s
"""
# ALB's UpstreamKeepaliveEnabled is off by default: a connection to a server is for one request.
_LAYER_7 = """\
    mode http
    timeout client 60s
    timeout server 60s
    timeout http-request 60s
    timeout http-keep-alive 15s
    timeout tunnel 900s
    option http-server-close
    option forwardfor
"""


def configuration(
    frontend: Frontend,
    wanted: Mapping[str, Wanted],
    *,
    listening: int,
    commands: int,
    certificate: str,
    source: str,
    nowhere: Address,
) -> str:
    """The text. `listening` and `commands` are the numbers of inherited sockets.

    `certificate`: the file of a key and its certificate, for a listener that ends TLS.
    `source`: the address to connect from at layer 7, or empty.
    `nowhere` refuses connections: it stands for an instance that is stopped.
    """
    return "\n".join(
        [
            "global",
            f"    stats socket fd@{commands} level admin",
            "    stats timeout 24d",  # the connection to it is kept
            f"    maxconn {_max_connections()}",
            "    nbthread 1",
            "defaults",
            "    retries 0",
            "    timeout connect 5s",
            _LAYER_7 if frontend.layer == 7 else _LAYER_4,
            *([f"    source {source}"] if source and frontend.layer == 7 else []),
            f"frontend {FRONTEND}",
            f"    bind fd@{listening}{f' ssl crt {certificate}' if frontend.tls else ''}",
            *(
                f"    use_backend {pool} if {{ path -m reg {_regex(p)} }}"
                for p, pool in _rules(frontend)
            ),
            f"    default_backend {frontend.default}",
            *(line for pool in frontend.pools for line in _backend(pool, wanted, nowhere)),
            "",
        ]
    )


def server_line(name: str, server: Server, nowhere: Address) -> str:
    """A server as it is written in the configuration, and behind `add server`."""
    return f"{name} {place(server, nowhere)} weight {server.share}"


def place(server: Server, nowhere: Address) -> str:
    """ADDRESS:PORT of a server, as HAProxy writes it."""
    host, port = server.address or nowhere
    address = _resolved(host)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@functools.cache
def _resolved(host: str) -> str:
    """The address of an instance's `host`. Raises DataPlaneError for a name that has none."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise DataPlaneError(f"{host} has no address: {error.strerror}") from None


def _backend(pool: Pool, wanted: Mapping[str, Wanted], nowhere: Address) -> Iterator[str]:
    yield f"backend {pool.name}"
    for line in _BALANCE[pool.scheduler]:
        yield f"    {line}"
    if pool.product == "alb":
        # What ALB cuts at the end of connection draining ends with a 500; HAProxy says 502.
        yield (
            '    http-after-response set-status 500 reason "Internal Server Error"'
            f" if {{ status 502 }} {{ srv_name -f {CUT_SERVERS} }}"
        )
    for name, server in wanted[pool.name].servers.items():
        yield f"    server {server_line(name, server, nowhere)}"


def _rules(frontend: Frontend) -> tuple[tuple[str, str], ...]:
    return frontend.rules if frontend.layer == 7 else ()


def _regex(pattern: str) -> str:
    """ALB's pattern, in which * is any text and ? any character, in letters that need no quotes."""
    wild = {"*": ".*", "?": "."}
    letters = (
        wild.get(one) or (one if re.fullmatch("[A-Za-z0-9/_-]", one) else _escaped(one))
        for one in pattern
    )
    return f"^{''.join(letters)}$"


def _escaped(letter: str) -> str:
    return "".join(rf"\\x{byte:02x}" for byte in letter.encode())


def _max_connections() -> int:
    """As many as its files allow: two for each connection, and some more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        MAX_CONNECTIONS if hard == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, hard // 2 - 50)
    )
