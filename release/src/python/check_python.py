"""Prints the real path of the interpreter that runs this, or says why it will not do and exits 1.

Even an old Python 3 must be able to read this file, so there is no newer syntax in it.
"""

import os
import sys

OLDEST = (3, 10)
# python3-minimal lacks some of these
NEEDED = ("compileall", "hashlib", "json", "ssl", "zipfile", "zlib")

if sys.version_info < OLDEST:
    sys.exit("{} is Python {}.{}".format(sys.executable, *sys.version_info[:2]))
try:
    for module in NEEDED:
        __import__(module)
except ImportError as error:
    sys.exit("{} is not complete ({})".format(sys.executable, error))  # noqa: UP032

# Resolved, so that neither a virtual environment nor a version switcher stands between.
print(os.path.realpath(sys.executable))
