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
_LOOK_SECONDS = 0.02  # for programs that threads have just started


def map_in_threads(
    work: Callable[[T], R], items: Sequence[T], at_once: int | None = None
) -> list[R]:
    """Return `[work(item) for item in items]`; raises what one of them raised."""
    results: dict[int, R] = {}
    failures: list[BaseException] = []
    waiting = list(enumerate(items))[::-1]
    # Not Thread.join: where a signal interrupts one, the next returns at once, up to Python 3.12.
    ended = [threading.Event() for _ in range(at_once or os.cpu_count() or 1)]

    def run(ended: threading.Event) -> None:
        try:
            work_on()
        finally:
            ended.set()

    def work_on() -> None:
        while not failures:
            try:
                number, item = waiting.pop()
            except IndexError:
                return
            try:
                results[number] = work(item)
            except BaseException as error:  # noqa: BLE001 - the caller raises it
                failures.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in ended]
    try:
        for thread in threads:
            thread.start()
        for one in ended:
            one.wait()
    except BaseException as error:
        failures.append(error)
        _end([one for thread, one in zip(threads, ended, strict=True) if thread.ident is not None])
        raise
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(items))]


def _end(threads: Sequence[threading.Event]) -> None:
    """Wait until these have ended, if they do, and end what they run, and may just have started."""
    end = time.monotonic() + _PATIENCE_SECONDS
    children.end_all()
    for ended in threads:
        while not ended.wait(_LOOK_SECONDS) and time.monotonic() < end:
            children.end_all()
