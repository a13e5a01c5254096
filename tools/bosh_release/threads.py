"""The same work on several things at once.

concurrent.futures would do, but its import is a twelfth of the time that a small release's build
takes: it brings logging and traceback along.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_in_threads(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return `[work(item) for item in items]`; raises what one of them raised."""
    results: dict[int, R] = {}
    failures: list[BaseException] = []
    waiting = list(enumerate(items))[::-1]

    def run() -> None:
        while not failures:
            try:
                number, item = waiting.pop()
            except IndexError:
                return
            try:
                results[number] = work(item)
            except BaseException as error:  # noqa: BLE001 - the caller raises it
                failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(os.cpu_count() or 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(items))]
