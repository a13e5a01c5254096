"""Programs at a terminal of so many columns."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TIMEOUT_SECONDS = 30


def at_terminal(argv: Sequence[object], environment: Mapping[str, str], columns: int = 80) -> str:
    """What a program writes to a terminal, which is its stdin, stdout and stderr."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [str(word) for word in argv],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**shown, "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(theirs)
        told = b""
        try:
            while piece := os.read(ours, 65536):
                told += piece
        except OSError:  # EIO: nobody has the other end any more
            pass
        finally:
            os.close(ours)
            process.wait(_TIMEOUT_SECONDS)
    return told.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """Without its colours."""
    return _COLOUR.sub("", text)
