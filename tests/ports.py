"""Ports of loopback for what a test starts."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

_LOWEST = 15000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """One that nobody listens on, that no connection is given for its own end meanwhile, and that
    no other test is given: of some dozens side by side two were the same in one run of thirty."""
    above = int(_EPHEMERAL.read_text().split()[0])
    while True:
        port = random.randrange(_LOWEST, above)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            _keep_from_others(port)
            return port


def _keep_from_others(port: int) -> None:
    """Until this process ends. Raises OSError where another one has it, or this one, already."""
    with socket.socket(socket.AF_UNIX) as name:
        name.bind(f"\0port of a test: {port}")
        name.detach()
