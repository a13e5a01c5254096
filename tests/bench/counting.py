"""One count of 50,000 connections of clients, beside one that looks at each line by itself.

Both read the same table, in turn, in one process. A drain counts once a second at most, in a thread
of its own.
"""

from __future__ import annotations

import ipaddress
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from rich.table import Table
from tests.bench import tables

from slb_registration.instance.connection_tables import count as count_by_pattern
from slb_registration.model.addresses import Network

RUNS = 7
CONNECTIONS = 50_000
PORT = 8080
IGNORED: tuple[Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
    ipaddress.ip_network("10.0.99.0/24"),
)
Count = Callable[[set[int], Sequence[Network], Path], int]
Figures = dict[str, float]


def measure(
    folder: Path, *, connections: int = CONNECTIONS, runs: int = RUNS
) -> dict[str, Figures]:
    """CPU time of one count (the median), and the most memory that it takes.

    Raises ValueError where they do not count alike.
    """
    proc_net = folder / "net"
    proc_net.mkdir()
    _write(proc_net, connections)
    contestants: dict[str, Count] = {"agent": count_by_pattern, "line by line": line_by_line}
    expected = {count({PORT}, IGNORED, proc_net) for count in contestants.values()}
    if len(expected) != 1:
        raise ValueError(f"they do not count alike: {expected}")
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name, count in contestants.items():
            began = time.process_time()
            count({PORT}, IGNORED, proc_net)
            seconds[name].append(time.process_time() - began)
    return {
        name: {
            "cpu_milliseconds": statistics.median(seconds[name]) * 1000,
            "peak_memory_kib": _peak(count, proc_net) / 1024,
        }
        for name, count in contestants.items()
    }


def line_by_line(ports: set[int], ignore: Sequence[Network], proc_net: Path) -> int:
    """What one would write first: each line is split, and each address becomes an object."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in (proc_net / name).read_text().splitlines()[1:]:
            _, local, remote, state, *_ = line.split()
            if state != "01" or int(local.rpartition(":")[2], 16) not in ports:
                continue
            peer = _address(remote.partition(":")[0])
            if not any(peer in network for network in ignore):
                found.add((local, remote))
    return len(found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _write(proc_net: Path, connections: int) -> None:
    """Tables as a little-endian kernel writes them: half of the clients come over IPv6 sockets."""
    random = Random(0)
    rest = "01 00000000:00000000 02:000A7D4C 00000000  1000        0 1234567 2 0000000000000000 20"
    for name, before in (("tcp", ""), ("tcp6", "0000000000000000FFFF0000")):
        lines = ["  sl  local_address rem_address   st"]
        for number in range(connections // 2):
            peer = f"{before}{random.getrandbits(32):08X}:{random.randrange(1024, 65536):04X}"
            lines.append(f"{number:4}: {before}0500000A:{PORT:04X} {peer} {rest}".ljust(149))
        (proc_net / name).write_text("\n".join(lines) + "\n")


def _peak(count: Count, proc_net: Path) -> int:
    tracemalloc.start()
    count({PORT}, IGNORED, proc_net)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def table(figures: Mapping[str, Mapping[str, float]]) -> Table:
    """A column for each way."""
    shown = tables.table(f"{CONNECTIONS:,} connections counted", ("", *figures))
    for name in next(iter(figures.values())):
        cells = (f"{one[name]:.1f}" for one in figures.values())
        shown.add_row(name.replace("_", " "), *cells)
    return shown
