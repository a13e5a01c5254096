"""Which python3 stands for the stemcell's inside the private root folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SYSTEM = Path("/usr/bin/python3")
_USABLE = "import sys, json, ssl, zipfile; sys.exit(sys.version_info < (3, 10))"


@dataclass(frozen=True)
class Interpreter:
    """A Python installation: its folder of programs, and what must be visible for them to run."""

    programs: Path
    prefix: Path

    @classmethod
    def at(cls, prefix: Path) -> Interpreter:
        """Return the installation whose ``bin/python3`` lies under prefix."""
        return cls(programs=prefix / "bin", prefix=prefix)


def find() -> Interpreter:
    """Return the system's python3 if the release runs on it, else the one that runs this."""
    if SYSTEM.exists() and _runs(SYSTEM):
        return Interpreter.at(SYSTEM.parents[1])
    return Interpreter.at(Path(sys.base_prefix))


def _runs(python: Path) -> bool:
    trial = subprocess.run([python, "-I", "-c", _USABLE], check=False, capture_output=True)
    return trial.returncode == 0
