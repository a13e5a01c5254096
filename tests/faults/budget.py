"""How long the searches here may take: seconds in `make test`, as told in `make soak`."""

from __future__ import annotations

import os

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
"""How long each kind of walk goes on with new seeds; 0: only short ones, the same every time."""
