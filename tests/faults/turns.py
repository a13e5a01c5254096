"""Threads that take turns on a clock that is told: one runs until it waits, and no other meanwhile.

What loops in a thread of its own, and waits on the event that ends it, runs here as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

_HERE = threading.local()


class Task:
    """One such thread, and the event that it waits on: what threading.Event offers to it."""

    def __init__(self, target: Callable[[Task], None], clock: Callable[[], float]) -> None:
        self.due = clock()
        self.ended = False
        self._target = target
        self._clock = clock
        self._told = False
        self._error: BaseException | None = None
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def turn(self) -> None:
        """Let it run until it waits or ends. Raises what it raises."""
        self._go.release()
        self._back.acquire()
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Tell it to end, and let it."""
        self._told = True
        while not self.ended:
            self.turn()

    def _run(self) -> None:
        _HERE.task = self
        self._go.acquire()
        try:
            self._target(self)
        except BaseException as error:  # noqa: BLE001 - whoever gave it the turn raises it
            self._error = error
        self.ended = True
        self._back.release()

    # In its own thread

    @staticmethod
    def rest(seconds: float) -> bool:
        """Let so many seconds pass for the task in whose thread this is; False where none is."""
        task: Task | None = getattr(_HERE, "task", None)
        if task is None or task._told:
            return task is not None
        task.due = task._clock() + seconds
        task._back.release()
        task._go.acquire()
        return True

    def is_set(self) -> bool:
        """Whether it is told to end."""
        return self._told

    def wait(self, timeout: float) -> bool:
        """Give the turn back, until so many seconds have passed."""
        if not self._told:
            self.due = self._clock() + timeout
            self._back.release()
            self._go.acquire()
        return self._told
