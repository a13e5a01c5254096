"""Marker files: draining and hold, as they outlive the agent's process.

`draining` is written before the first call of a drain, so that an agent that is restarted in
between goes on draining. `hold` keeps the VM at weight 0 until `resume`.

Where the disk takes no marker, it is kept in the run folder: BOSH has that in memory, so that it
outlives processes, though no boot.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from slb_registration.files import open_regular, remove, write_whole

UNKNOWN_SINCE = 1.0
"""When a marker was set that does not say it."""

_LONGEST = 128
END_OF_TIME = 253402300800.0
"""The year 10000, for which there is no date."""

_PRE_STOP = "pre-stop"
_USED, _PAUSED = "used=", "paused="


class Marker:
    """One marker file. Times are wall-clock seconds since the epoch, as they outlive a boot."""

    def __init__(self, path: Path, spare: Path | None = None) -> None:
        """`spare`: where it is kept while `path` cannot be written."""
        self.path = path
        # The spare one is written last, and goes when `path` is: where it is there, it counts.
        self._places = (path,) if spare is None else (spare, path)

    def set(self, now: float) -> OSError | None:
        """Write the marker unless it is there. Returns and raises what `_write` does."""
        if any(place.exists() for place in self._places):
            return None
        return self._write(f"{now:.3f}\n")

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
        """When it was set, None where it is not. A marker that cannot be read counts as set."""
        try:
            text = self._text()
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return UNKNOWN_SINCE
        return _time_in(text) or UNKNOWN_SINCE

    def _text(self) -> str:
        """What is in it, as far as it can be ours. Raises OSError and ValueError."""
        # Each is opened, and none is looked for before: it moves from the spare place to `path`,
        # where it is before it goes. In this order it is found wherever it is meanwhile.
        for place in self._places[:-1]:
            with contextlib.suppress(FileNotFoundError):
                return _text_of(place)
        return _text_of(self.path)

    def clear(self) -> bool:
        """Remove it; whether it was there. Raises OSError."""
        were_there = [remove(place) for place in self._places]
        return any(were_there)


@dataclass(frozen=True)
class Stop:
    """What the marker of a drain tells of the stop that it belongs to. Durations in seconds.

    `since`: when it began. `drain_follows`: its pre-stop has begun, and not yet its drain. `used`:
    of drain.timeout by the pre-stop, None where it has not ended. `paused`: what lay between the
    pre-stop's end and the drain, other jobs' pre-stops, and is of nobody's time.
    """

    since: float
    drain_follows: bool = False
    used: float | None = None
    paused: float = 0.0

    def spent(self, now: float) -> float:
        """How much of drain.timeout is used up at that moment."""
        if self.used is not None:
            return self.used
        return max(0.0, now - self.since - self.paused)

    def drain_begins(self, now: float) -> Stop:
        """The same stop, whose drain begins now."""
        paused = 0.0 if self.used is None else max(0.0, now - self.since - self.used)
        return replace(self, drain_follows=False, used=None, paused=paused)


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
        return self._write(" ".join(words) + "\n")

    def read(self) -> Stop | None:
        """What it tells, None where it is not set. One that cannot be read is of a whole drain."""
        try:
            text = self._text()
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return Stop(UNKNOWN_SINCE)
        since = _time_in(text)
        if since is None:
            return Stop(UNKNOWN_SINCE)
        words = text.split()[1:]
        return Stop(
            since,
            drain_follows=_PRE_STOP in words,
            used=_seconds_of(_USED, words),
            paused=_seconds_of(_PAUSED, words) or 0.0,
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


def _text_of(place: Path) -> str:
    with os.fdopen(open_regular(place), "rb") as file:
        return file.read(_LONGEST).decode()


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


def hold(data_dir: Path, run_dir: Path | None = None) -> Marker:
    """The marker of an operator's hold."""
    return Marker(data_dir / "hold", _spare(run_dir, "hold"))


def _spare(run_dir: Path | None, name: str) -> Path | None:
    return None if run_dir is None else run_dir / f"{name}-marker"
