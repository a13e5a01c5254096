"""Marker files: draining and hold, as they outlive the agent's process.

`draining` is written before the first call of a drain, so that an agent that is restarted in
between goes on draining. `hold` keeps the VM at weight 0 until `resume`, or until its end.

Where the disk takes no marker, it is kept in the run folder: BOSH has that in memory, so that it
outlives processes, though no boot.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from slb_registration.support.files.small_files import open_regular, remove, write_whole
from slb_registration.support.logs.printable import printable

UNKNOWN_SINCE = 1.0
"""When a marker was set that does not say it."""

_LONGEST = 128
REASON_LONGEST = 200
"""Characters of the reason for a hold."""

END_OF_TIME = 253402300800.0
"""The year 10000, for which there is no date."""

_PRE_STOP = "pre-stop"
_USED, _PAUSED = "used=", "paused="
_KEEP, _KEPT = "keep", "kept"


class Marker:
    """One marker file. Times are wall-clock seconds since the epoch, as they outlive a boot."""

    longest = _LONGEST
    """Bytes of it that are read."""

    def __init__(self, path: Path, spare: Path | None = None) -> None:
        """`spare`: where it is kept while `path` cannot be written."""
        self.path = path
        # The spare one is written last, and goes when `path` is: where it is there, it counts.
        self._places = (path,) if spare is None else (spare, path)

    def _write(self, text: str) -> OSError | None:
        """Replace it; why only the spare one could be. Raises OSError where none can."""
        try:
            write_whole(self.path, text)
        except OSError as error:
            if self._places[0] == self.path:
                raise
            write_whole(self._places[0], text)
            return error
        for spare in self._places[:-1]:
            remove(spare)
        return None

    def since(self) -> float | None:
        """Return when it was set, None where it is not.

        A marker that cannot be read counts as set.
        """
        text = self._text()
        return None if text is None else _time_in(text) or UNKNOWN_SINCE

    def _text(self) -> str | None:
        """Return what is in it, as far as it can be ours: nothing where it cannot be read, None
        where it is not set."""
        try:
            return self._found()
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return ""

    def _found(self) -> str:
        # Each is opened, and none is looked for before: it moves from the spare place to `path`,
        # where it is before it goes. In this order it is found wherever it is meanwhile.
        for place in self._places[:-1]:
            with contextlib.suppress(FileNotFoundError):
                return _text_of(place, self.longest)
        return _text_of(self.path, self.longest)

    def clear(self) -> bool:
        """Remove it; whether it was there. Raises OSError."""
        were_there = [remove(place) for place in self._places]
        return any(were_there)


@dataclass(frozen=True)
class Stop:
    """The stop that the marker of a drain belongs to. Durations in seconds.

    `since`: when it began. `drain_follows`: its pre-stop has begun, and not yet its drain. `used`:
    of drain.timeout by the pre-stop, None where it has not ended. `paused`: what lay between the
    pre-stop's end and the drain, other jobs' pre-stops, and is of nobody's time. `keep`: this VM
    comes back, and stays registered with weight 0; `kept`: its drain has seen to that.
    """

    since: float
    drain_follows: bool = False
    used: float | None = None
    paused: float = 0.0
    keep: bool = False
    kept: bool = False

    def spent(self, now: float) -> float:
        """Return how much of drain.timeout is used up at that moment."""
        if self.used is not None:
            return self.used
        return max(0.0, now - self.since - self.paused)

    def drain_begins(self, now: float, *, returns: bool = False) -> Stop:
        """The same stop, whose drain begins now. `returns`: the job will be on this VM again."""
        used = self.used
        paused = self.paused if used is None else max(0.0, now - self.since - used)
        keep = self.keep and returns
        return replace(self, drain_follows=False, used=None, paused=paused, keep=keep, kept=False)


class DrainMarker(Marker):
    """The marker of a drain, which also tells whether it is of a pre-stop that awaits its drain.

    The two have one drain.timeout together. Only this tells a drain that comes after its pre-stop,
    however long other jobs took in between, from one that finds the marker of a failed deploy.
    """

    def begin(self, stop: Stop) -> OSError | None:
        """Write the marker in place of any other. Returns and raises what `_write` does."""
        words = [f"{stop.since:.3f}"]
        words += [_PRE_STOP] if stop.drain_follows else []
        words += [] if stop.used is None else [f"{_USED}{stop.used:.3f}"]
        words += [f"{_PAUSED}{stop.paused:.3f}"] if stop.paused else []
        words += [_KEEP] if stop.keep else []
        words += [_KEPT] if stop.kept else []
        return self._write(" ".join(words) + "\n")

    def read(self) -> Stop | None:
        """Return what it tells, None where it is not set.

        One that cannot be read is of a whole drain.
        """
        text = self._text()
        if text is None:
            return None
        since = _time_in(text)
        if since is None:
            return Stop(UNKNOWN_SINCE)
        words = text.split()[1:]
        return Stop(
            since,
            drain_follows=_PRE_STOP in words,
            used=_seconds_of(_USED, words),
            paused=_seconds_of(_PAUSED, words) or 0.0,
            keep=_KEEP in words,
            kept=_KEPT in words,
        )


def _seconds_of(key: str, words: Collection[str]) -> float | None:
    for word in words:
        if word.startswith(key):
            try:
                seconds = float(word.removeprefix(key))
            except ValueError:
                return None
            return seconds if 0 <= seconds < END_OF_TIME else None
    return None


@dataclass(frozen=True)
class Held:
    """The hold that its marker tells of: since when, until when (None: until `resume`), and why."""

    since: float
    until: float | None = None
    reason: str | None = None

    def is_past(self, now: float) -> bool:
        """Return whether its end has come."""
        return self.until is not None and self.until <= now


class HoldMarker(Marker):
    """The marker of an operator's hold: `SINCE [UNTIL]`, and in a second line the reason.

    Any text that begins with a time is one, as earlier versions wrote it. What is written and
    removed under the folder's lock is not removed in place of what another has just written.
    """

    longest = _LONGEST + 4 * REASON_LONGEST  # in UTF-8

    def begin(self, now: float, until: float | None, reason: str | None) -> OSError | None:
        """Write the marker in place of any other; a hold that goes on keeps its beginning.

        Returns and raises what `_write` does.
        """
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # without a folder there is nothing to wait for
                stack.enter_context(_locked(self.path.parent, fcntl.LOCK_EX))
            before = self.held()
            since = now
            if before is not None and before.since > UNKNOWN_SINCE and not before.is_past(now):
                since = min(before.since, now)
            end = "" if until is None else f" {until:.3f}"
            return self._write(f"{since:.3f}{end}\n" + (f"{reason}\n" if reason else ""))

    def held(self) -> Held | None:
        """Return what it tells, None where it is not set. One that cannot be read has no end."""
        text = self._text()
        if text is None:
            return None
        head, _, rest = text.partition("\n")
        since = _time_in(head)
        if since is None:
            return Held(UNKNOWN_SINCE)
        times = head.split()[1:]
        until = _time_in(times[0]) if len(times) == 1 else None
        reason = printable(rest.removesuffix("\n"))[:REASON_LONGEST]
        return Held(since, until if until is not None and until > since else None, reason or None)

    def end(self, held: Held) -> None:
        """Remove it if it still is this one. Raises OSError, also where another has the lock."""
        with _locked(self.path.parent, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if self.held() == held:
                self.clear()


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold the lock on the folder itself, so that no file is needed. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _text_of(place: Path, longest: int) -> str:
    with os.fdopen(open_regular(place), "rb") as file:
        return file.read(longest).decode()


def _time_in(text: str) -> float | None:
    try:
        since = float(text.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return None
    # Written so that NaN, which compares as false with everything, is none either.
    return since if 0 < since < END_OF_TIME else None


def draining(data_dir: Path, run_dir: Path | None = None) -> DrainMarker:
    """The marker of a drain."""
    return DrainMarker(data_dir / "draining", _spare(run_dir, "draining"))


def hold(data_dir: Path, run_dir: Path | None = None) -> HoldMarker:
    """The marker of an operator's hold."""
    return HoldMarker(data_dir / "hold", _spare(run_dir, "hold"))


def _spare(run_dir: Path | None, name: str) -> Path | None:
    return None if run_dir is None else run_dir / f"{name}-marker"
