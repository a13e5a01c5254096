"""Ports of loopback for what a test starts."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

_LOWEST = 15000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """One that nobody listens on, and that no connection is given for its own end meanwhile."""
    above = int(_EPHEMERAL.read_text().split()[0])
    while True:
        port = random.randrange(_LOWEST, above)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
