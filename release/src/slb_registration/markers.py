"""Marker files: draining and hold, as they outlive the agent's process.

`draining` is written before the first call of a drain, so that an agent that is restarted in
between goes on draining. `hold` keeps the VM at weight 0 until `resume`.
"""

from __future__ import annotations

from pathlib import Path

from slb_registration.files import write_whole

UNKNOWN_SINCE = 1.0
"""When a marker was set that does not say it."""

END_OF_TIME = 253402300800.0
"""The year 10000, for which there is no date."""


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
            since = float(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return UNKNOWN_SINCE
        # Written so that NaN, which compares as false with everything, is none either.
        return since if 0 < since < END_OF_TIME else UNKNOWN_SINCE

    def clear(self) -> bool:
        """Remove it; whether it was there. Raises OSError."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        return True


def draining(data_dir: Path) -> Marker:
    """The marker of a drain."""
    return Marker(data_dir / "draining")


def hold(data_dir: Path) -> Marker:
    """The marker of an operator's hold."""
    return Marker(data_dir / "hold")
