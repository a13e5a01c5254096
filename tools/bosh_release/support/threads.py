"""The same work on several things at once.

concurrent.futures would do, but its import is a twelfth of the time that a small release's build
takes: it brings logging and traceback along. Its pools also go on after an interrupt.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from bosh_release.support import children

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE_SECONDS = 0.7  # with threads after an interrupt: one may be stuck in the system


def map_in_threads(
    work: Callable[[T], R], items: Sequence[T], at_once: int | None = None
) -> list[R]:
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

    threads = [threading.Thread(target=run) for _ in range(at_once or os.cpu_count() or 1)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException as error:
        failures.append(error)
        children.end_all()
        _wait_for([thread for thread in threads if thread.ident is not None])
        raise
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(items))]


def _wait_for(threads: Sequence[threading.Thread]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
