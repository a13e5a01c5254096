"""Counts the connections that clients still have to this VM, from the kernel's own tables.

A table may have tens of thousands of lines: they are searched as text, by one pattern that knows
ports, state and who is ignored, and none becomes an object of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slb_registration.model.addresses import Network
from slb_registration.model.configuration import PortRanges


@dataclass(frozen=True)
class End:
    """A port of this VM's, at an address in one of these networks."""

    port: int
    at: tuple[Network, ...]


Ports = PortRanges | Iterable["int | End"]
"""What connections have at this end; a port alone is one at any address."""

CHUNK_BYTES = 1 << 16

# include/net/tcp_states.h of Linux
_ESTABLISHED = "01"
_DIGIT = "[0-9A-F]"
_ANY_BYTE = _DIGIT * 2
_MAPPED = b"\0" * 10 + b"\xff\xff"  # before an IPv4 address: RFC 4291, 2.5.5.2


def count(ports: Ports, ignore: Sequence[Network], proc_net: Path = Path("/proc/net")) -> int:
    """Return how many established connections have one of the ports at this end.

    Those whose peer is in one of the networks to ignore do not count. An IPv4 address of a socket
    that serves both families (::ffff:a.b.c.d) is that IPv4 address, at either end. Raises OSError
    if a table is there and cannot be read; without IPv6 there is no table of it, which is fine.
    """
    ours = _by_place(ports)
    return sum(
        _matches(proc_net / name, pattern)
        for name, length in (("tcp", 4), ("tcp6", 16))
        if (pattern := _pattern(length, ours, ignore)) is not None
    )


def _by_place(ports: Ports) -> dict[tuple[Network, ...] | None, list[str]]:
    """Patterns of the ports at each place; None is any."""
    if isinstance(ports, PortRanges):
        return {None: list(_port_patterns(ports.ranges))}
    found: dict[tuple[Network, ...] | None, list[str]] = {}
    for one in ports:
        place, port = (one.at, one.port) if isinstance(one, End) else (None, one)
        found.setdefault(place, []).append(f"{port:04X}")
    return found


def _matches(table: Path, pattern: re.Pattern[bytes]) -> int:
    try:
        lines = table.open("rb")
    except FileNotFoundError:
        return 0
    found, rest = 0, b""
    with lines:
        while piece := lines.read(CHUNK_BYTES):
            text = rest + piece
            end = text.rfind(b"\n") + 1
            found += len(pattern.findall(text, 0, end))
            rest = text[end:]
    return found


def _pattern(
    length: int,
    ours: Mapping[tuple[Network, ...] | None, Sequence[str]],
    ignore: Sequence[Network],
) -> re.Pattern[bytes] | None:
    """Return what a line of a table has for a connection that counts; addresses have so many bytes.

    sl, local address, remote address, state, … (proc_pid_net(5), "tcp"). None: no line can.
    """
    any_address = f"{_DIGIT}{{{2 * length}}}"
    ends = []
    for place, ports in ours.items():
        addresses = [any_address] if place is None else _addresses(length, place)
        if addresses and ports:
            ends.append(f"(?:{'|'.join(addresses)}):(?:{'|'.join(ports)})")
    if not ends:
        return None
    ignored = _addresses(length, ignore)
    counts = f"(?!(?:{'|'.join(ignored)}):)" if ignored else ""
    # The empty group is all that is kept of a match, and is the same object each time.
    line = f": (?:{'|'.join(ends)}) {counts}{any_address}:{_DIGIT}{{4}} {_ESTABLISHED} ()"
    return re.compile(line.encode())


def _addresses(length: int, networks: Sequence[Network]) -> list[str]:
    """The patterns of these networks in a table whose addresses have so many bytes."""
    of_4 = [_network(one) for one in networks if one.version == 4]
    if length == 4:
        return of_4
    # An IPv4 address in the table of IPv6 is in no network of that, as large as it may be.
    mapped = _prefix(_MAPPED, 8 * len(_MAPPED))
    of_6 = [f"(?!{mapped}){_network(one)}" for one in networks if one.version == 6]
    return [*(mapped + one for one in of_4), *of_6]


def _network(network: Network) -> str:
    return _prefix(network.network_address.packed, network.prefixlen)


def _prefix(packed: bytes, bits: int) -> str:
    """The pattern of the addresses with the same first bits, as the kernel writes them.

    It writes 32-bit words, in this machine's byte order.
    """
    given = [_byte(value, bits - 8 * place) for place, value in enumerate(packed)]
    if sys.byteorder == "little":
        given = [text for word in range(0, len(given), 4) for text in given[word : word + 4][::-1]]
    return "".join(given)


def _byte(value: int, bits: int) -> str:
    """The pattern of a byte of which so many first bits are given."""
    if bits <= 0:
        return _ANY_BYTE
    if bits >= 8:
        return f"{value:02X}"
    high, low = value >> 4, value & 15
    if bits <= 4:
        return _digits(high, 4 - bits) + _DIGIT
    return f"{high:X}" + _digits(low, 8 - bits)


def _digits(first: int, free_bits: int) -> str:
    last = first | ((1 << free_bits) - 1)
    return "[" + "".join(f"{digit:X}" for digit in range(first, last + 1)) + "]"


def _port_patterns(ranges: Iterable[range]) -> Iterator[str]:
    """Patterns of four digits: a range is cut into blocks with their first digits in common."""
    for one in ranges:
        first = one.start
        while first < one.stop:
            free = 0
            while first % 16 ** (free + 1) == 0 and first + 16 ** (free + 1) <= one.stop:
                free += 1
            yield f"{first >> 4 * free:0{4 - free}X}"[: 4 - free] + _DIGIT * free
            first += 16**free
