"""Marker files: draining and hold, as they outlive the agent's process.

`draining` is written before the first call of a drain, so that an agent that is restarted in
between goes on draining. `hold` keeps the VM at weight 0 until `resume`.
"""

from __future__ import annotations

from pathlib import Path

from slb_registration.files import write_whole

UNKNOWN_SINCE = 1.0
"""When a marker was set that does not say it."""

_LONGEST = 64
END_OF_TIME = 253402300800.0
"""The year 10000, for which there is no date."""

_PRE_STOP = "pre-stop"


class Marker:
    """One marker file. Times are wall-clock seconds since the epoch, as they outlive a boot."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, now: float) -> None:
        """Write the marker unless it is there. Raises OSError."""
        if not self.path.exists():
            write_whole(self.path, f"{now:.3f}\n")

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
        with self.path.open("rb") as file:
            return file.read(_LONGEST).decode()

    def clear(self) -> bool:
        """Remove it; whether it was there. Raises OSError."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        return True


class DrainMarker(Marker):
    """The marker of a drain, which also tells whether it is of a pre-stop that awaits its drain.

    The two have one drain.timeout together. Only this tells a drain that comes after its pre-stop,
    however long other jobs took in between, from one that finds the marker of a failed deploy.
    """

    def begin(self, since: float, *, drain_follows: bool) -> None:
        """Write the marker in place of any other. Raises OSError."""
        note = f" {_PRE_STOP}" if drain_follows else ""
        write_whole(self.path, f"{since:.3f}{note}\n")

    def pre_stop_since(self) -> float | None:
        """When the pre-stop began that no drain has followed yet; None where there is none."""
        try:
            text = self._text()
        except (OSError, ValueError):
            return None
        return _time_in(text) if text.split()[1:] == [_PRE_STOP] else None


def _time_in(text: str) -> float | None:
    try:
        since = float(text.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return None
    # Written so that NaN, which compares as false with everything, is none either.
    return since if 0 < since < END_OF_TIME else None


def draining(data_dir: Path) -> DrainMarker:
    """The marker of a drain."""
    return DrainMarker(data_dir / "draining")


def hold(data_dir: Path) -> Marker:
    """The marker of an operator's hold."""
    return Marker(data_dir / "hold")
