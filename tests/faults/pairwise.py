"""A sample of the matrix: every two parts that meet in some cell meet in a cell of the sample.

Most faults of software need two of its inputs to meet and not three (Kuhn, Wallace and Gallo,
"Software Fault Interactions and Implications for Software Testing", IEEE TSE 30(6), 2004).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from heapq import heapify, heappop, heapreplace
from itertools import combinations
from typing import TypeVar
from zlib import crc32


@dataclass(frozen=True)
class Parts:
    """What a cell is made of, by name, so that it can be sent to another process."""

    trouble: str
    phase: str
    kind: str

    @property
    def seed(self) -> int:
        """That of all that is random in it."""
        return crc32(repr(self).encode())

    @property
    def pairs(self) -> frozenset[tuple[tuple[int, str], ...]]:
        """Fault and phase, fault and kind, phase and kind."""
        return frozenset(combinations(enumerate(astuple(self)), 2))


AnyParts = TypeVar("AnyParts", bound=Parts)


def sampled(cells: Iterable[AnyParts]) -> tuple[AnyParts, ...]:
    """The cell with the most pairs that none has yet, again and again; of equal ones the first.

    A fault needs a cell for each of its kinds, or of its phases: few more are chosen.
    """
    every = list(cells)
    pairs = [cell.pairs for cell in every]
    left = set().union(*pairs)
    # What a cell adds only shrinks: one that adds no less than the others once did is the best.
    most = [(-len(one), number) for number, one in enumerate(pairs)]
    heapify(most)
    chosen = []
    while left:
        _, number = most[0]
        again = (-len(pairs[number] & left), number)
        if again > most[0]:
            heapreplace(most, again)
            continue
        heappop(most)
        chosen.append(every[number])
        left -= pairs[number]
    return tuple(chosen)
