"""Counts the connections that clients still have to this VM, from the kernel's own tables."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from slb_registration.addresses import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# include/net/tcp_states.h of Linux
_ESTABLISHED = b"01"


def count(
    ports: Container[int],
    ignore: Sequence[Network],
    proc_net: Path = Path("/proc/net"),
) -> int:
    """Return how many established connections have one of the ports at this end.

    Those whose peer is in one of the networks to ignore do not count. An IPv4 peer of a socket
    that serves both families (::ffff:a.b.c.d) is that IPv4 address, and counts once. Raises OSError
    if a table is there and cannot be read; without IPv6 there is no table of it, which is fine.
    """
    found = set()
    for table in ("tcp", "tcp6"):
        for local, local_port, peer, peer_port in _established(proc_net / table, ports):
            if not any(peer in network for network in ignore):
                found.add((local, local_port, peer, peer_port))
    return len(found)


def _established(table: Path, ports: Container[int]) -> Iterator[tuple[Address, int, Address, int]]:
    try:
        lines = table.open("rb")
    except FileNotFoundError:
        return
    with lines:
        for line in lines:
            # sl, local address, remote address, state, … (proc_pid_net(5), "tcp")
            fields = line.split(maxsplit=4)
            if len(fields) < 4 or fields[3] != _ESTABLISHED:
                continue
            try:
                if int(fields[1][-4:], 16) not in ports:
                    continue
                connection = (*_end(fields[1]), *_end(fields[2]))
            except ValueError:  # not what the kernel writes: no connection
                continue
            yield connection


def _end(text: bytes) -> tuple[Address, int]:
    address, separator, port = text.partition(b":")
    if not separator:
        raise ValueError(text)
    return _address(bytes.fromhex(address.decode("ascii"))), int(port, 16)


def _address(words: bytes) -> Address:
    """Return the address of one or four 32-bit words, printed in this machine's byte order."""
    if sys.byteorder == "little":
        words = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    address = ipaddress.ip_address(words)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped
