"""How long the searches here may take: seconds in `make test`, as told in `make soak`."""

from __future__ import annotations

import os

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
"""How long walks with new seeds go on; 0: only the short one, which is the same every time."""
