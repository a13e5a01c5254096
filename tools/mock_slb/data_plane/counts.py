"""Counts of HAProxy: `show stat`, read, and added up over processes that are gone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

SERVERS = "show stat -1 4 -1"
FRONTENDS = "show stat -1 1 -1"


@dataclass(frozen=True)
class Counts:
    """Since HAProxy has known the server."""

    connections: int = 0
    """To the server, those that failed included."""
    requests: int = 0
    """At layer 7 each of a connection, at layer 4 the connections again."""
    failed: int = 0
    """Connections that could not be made, and answers that did not come or were no answers."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.connections + other.connections,
            self.requests + other.requests,
            self.failed + other.failed,
        )


@dataclass(frozen=True)
class Row:
    """A server of a process, as that has it."""

    pool: str
    name: str
    address: str
    weight: int
    open: int
    """Connections at layer 4, requests under way at layer 7."""
    counts: Counts


def rows(text: str) -> list[Row]:
    """The servers in an answer to SERVERS."""
    return [
        Row(
            pool=row["pxname"],
            name=row["svname"],
            address=row["addr"],
            weight=int(row["uweight"]),
            open=int(row["scur"]),
            counts=Counts(
                connections=int(row["connect"]),
                requests=int(row["stot"]),
                failed=int(row["econ"]) + int(row["eresp"]),
            ),
        )
        for row in _table(text)
    ]


def open_connections(text: str) -> int:
    """The clients' connections in an answer to FRONTENDS."""
    return sum(int(row["scur"]) for row in _table(text))


def _table(text: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO(text.removeprefix("# ")))
