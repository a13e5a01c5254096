#!/usr/bin/env python3
"""Builds, checks and renders the BOSH release: see `tools/release.py --help`."""

from __future__ import annotations

import sys

try:
    import yaml  # noqa: F401  (looked for here, to say what to do where it is missing)
except ModuleNotFoundError:
    sys.exit(
        f"{sys.executable} has no PyYAML: run `make setup` once, and then this with"
        " .venv/bin/python."
    )

from bosh_release.cli import main

if __name__ == "__main__":
    sys.exit(main())
