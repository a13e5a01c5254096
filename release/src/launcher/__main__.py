"""Starts the agent as it is installed on a VM: our code, then the SDK's package, then the stdlib.

Python puts the folder of this file first on the path even when it is isolated (``-I``).
"""

from __future__ import annotations

import sys

SDK = "/var/vcap/packages/aliyun_python_sdk_slb/lib"

if __name__ == "__main__":
    sys.path.insert(1, SDK)

    from slb_registration.commands.cli import main

    sys.exit(main())
