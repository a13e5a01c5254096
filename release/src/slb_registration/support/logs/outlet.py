"""Text that leaves this process without holding up who writes it.

What is at the other end of stdout, of stderr or of a log file may take nothing for any time: a pipe
that nobody reads, a disk that hangs, a terminal that was stopped. Only a thread of the outlet's own
waits for it.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from slb_registration.support.threads import NoThreadError, spawn

ROOM_BYTES = 1 << 18
"""What may wait for a stream: about 2,000 lines of the log, four times what a pipe holds."""

STUCK_SECONDS = 1.0
"""A line that is written for longer is stuck, and those after it."""

FINISH_SECONDS = 0.5
"""How long the end of the process waits, in all, for a stream to take what is left."""


class Outlet(io.TextIOBase):
    """Writes whole lines to a stream in the order in which they came; from any thread.

    A line that finds no room, or that the stream refuses (a full disk, a pipe without a reader), is
    dropped and counted; `tell_dropped` makes the line that says how many were, which stands in
    their place once lines get through again. One that the stream has taken a part of is completed
    before the next. A stream in memory is written to at once.
    """

    def __init__(self, stream: TextIO, *, room_bytes: int = ROOM_BYTES) -> None:
        self.dropped = 0  # lines, since the start
        self.tell_dropped: Callable[[int], str] = _told
        self._stream = stream
        self._in_memory = _is_in_memory(stream)
        self._room_bytes = room_bytes
        self._patience_seconds = FINISH_SECONDS
        # Re-entrant, as what is written in memory may itself write here.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._lines: deque[tuple[int, bytes]] = deque()  # with the number of those lost before it
        self._waiting_bytes = 0
        self._lost = 0  # after the last of them
        self._writing = False
        self._writing_since = 0.0
        self._works = True
        self._unfinished = ""  # by who writes
        self._rest = b""  # of the line that the stream has taken a part of
        self._cut_at = 0  # the size of the file then

    def put(self, line: str) -> None:
        """Write a line, which ends with its newline. Never waits, never raises OSError."""
        data = line.encode(errors="backslashreplace")
        with self._changed:
            if self._waiting_bytes >= self._room_bytes:
                self.dropped += 1
                self._lost += 1
                return
            self._lines.append((self._lost, data))
            self._lost = 0
            self._waiting_bytes += len(data)
            self._changed.notify_all()
            if self._in_memory:
                self._write_at_once()
            elif self._thread is None or not self._thread.is_alive():
                self._start()

    @property
    def stuck(self) -> int:
        """Return how many lines wait for a stream that takes nothing."""
        with self._changed:
            since = time.monotonic() - self._writing_since
            return len(self._lines) + 1 if self._writing and since > STUCK_SECONDS else 0

    # As a text stream, so that it can be sys.stderr

    def write(self, text: str) -> int:
        """Write what has whole lines; the rest once its line is finished."""
        with self._changed:
            *lines, self._unfinished = (self._unfinished + text).split("\n")
            for line in lines:
                self.put(line + "\n")
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """That of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Return whether a person reads it."""
        return self._stream.isatty()

    def finish(self) -> None:
        """Wait until all is written, for FINISH_SECONDS in all, however often it is called."""
        began = time.monotonic()
        with self._changed:
            if self._unfinished:
                self.write("\n")
            if self._thread is None:
                self._write_what_there_is_room_for()
            self._changed.wait_for(self._is_idle, self._patience_seconds)
        self._patience_seconds = max(0.0, self._patience_seconds + began - time.monotonic())

    # The thread that waits for the stream

    def _start(self) -> None:
        # Not supervised: who supervises logs. The next line sees whether it is there.
        with contextlib.suppress(NoThreadError):
            self._thread = spawn("log", self._run)

    def _run(self) -> None:
        while True:
            with self._changed:
                while (entry := self._next()) is None:
                    self._changed.wait()
                self._writing, self._writing_since = True, time.monotonic()
            self._carry_out(*entry)

    def _write_at_once(self) -> None:
        while not self._writing and (entry := self._next()) is not None:
            self._writing = True
            self._carry_out(*entry)

    def _write_what_there_is_room_for(self) -> None:
        """No thread was to be had."""
        with contextlib.suppress(ValueError):  # it is closed
            while wait_for_room(self.fileno(), 0) and (entry := self._next()) is not None:
                self._carry_out(*entry)

    def _next(self) -> tuple[int, bytes] | None:
        if self._lines:
            lost, line = self._lines.popleft()
            self._waiting_bytes -= len(line)
            return lost, line
        if self._lost and self._works:
            lost, self._lost = self._lost, 0
            return lost, b""
        return None

    def _is_idle(self) -> bool:
        return not (self._lines or self._writing or (self._lost and self._works))

    def _carry_out(self, lost: int, line: bytes) -> None:
        """Write the line, and before it what tells of those lost; what fails is lost, too."""
        fails = 0
        works = True
        try:
            if self._is_cut_for_good():
                fails = 1
            if lost + fails:
                self._write(self.tell_dropped(lost + fails).encode(errors="backslashreplace"))
                self.dropped += fails
                lost = fails = 0
            self._write(line)
        except (OSError, ValueError):  # ValueError: the stream was closed
            works = False
            fails += 1 if line else 0
        with self._changed:
            self.dropped += fails
            self._works = works
            self._writing = False
            self._come_before_the_next(lost + fails)
            self._changed.notify_all()

    def _come_before_the_next(self, lost: int) -> None:
        if self._lines:
            before, line = self._lines[0]
            self._lines[0] = (lost + before, line)
        else:
            self._lost += lost

    def _write(self, line: bytes) -> None:
        """Raises OSError and ValueError where nothing of the line was taken."""
        self._complete()
        self._rest = line
        try:
            self._complete()
        except (OSError, ValueError):
            if len(self._rest) == len(line):
                self._rest = b""
                raise
            self._cut_at = os.fstat(self.fileno()).st_size

    def _complete(self) -> None:
        # Not through the stream's buffer: what a full disk refuses would stay in there, come out
        # torn later, and turn the exit code into 120 when Python cannot flush it at the end.
        while self._rest:
            if self._in_memory:
                self._stream.write(self._rest.decode())
                self._stream.flush()
                self._rest = b""
                continue
            try:
                taken = os.write(self.fileno(), self._rest)
            except BlockingIOError:  # whoever shares it has made it so
                wait_for_room(self.fileno())
            else:
                self._rest = self._rest[taken:]

    def _is_cut_for_good(self) -> bool:
        """Return whether the file was truncated after it had taken a part of a line: the rest
        goes."""
        cut = bool(self._rest) and os.fstat(self.fileno()).st_size < self._cut_at
        if cut:
            self._rest = b""
        return cut


def outlet_of(stream: TextIO | Outlet) -> Outlet:
    """The outlet of a stream that may be one already."""
    return stream if isinstance(stream, Outlet) else Outlet(stream)


def wait_for_room(descriptor: int, seconds: float | None = None) -> bool:
    """Wait until it takes something, or refuses it, for so long or without end; whether it does."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def dropped_text(lines: int) -> str:
    """Return what is said where lines are missing."""
    return f"{lines} line{'' if lines == 1 else 's'} dropped"


def _told(lines: int) -> str:
    return f"slb-registration: {dropped_text(lines)}\n"


def _is_in_memory(stream: TextIO) -> bool:
    try:
        stream.fileno()
    except io.UnsupportedOperation:
        return True
    except ValueError:  # it is closed
        return False
    return False
