#!/usr/bin/env python3
"""Builds, checks and renders the BOSH release: see `tools/release.py --help`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

try:
    import yaml  # noqa: F401  (looked for here, to go on with .venv where it is missing)
except ModuleNotFoundError:
    python = str(Path(__file__).resolve().parents[1] / ".venv/bin/python")
    if sys.executable == python or not Path(python).exists():
        sys.exit(f"{sys.executable} has no PyYAML: run `make setup` once.")
    os.execv(python, [python, *sys.argv])  # noqa: S606

from bosh_release.cli import main

if __name__ == "__main__":
    sys.exit(main())
