"""`python -m slb_registration`, and the package's entry on a VM."""

from __future__ import annotations

import sys

from slb_registration.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
