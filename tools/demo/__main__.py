"""`python -m demo` plays the demo, with DEMO_IN_PLACE=1 in the machine's own /var/vcap;
`python -m demo serve` is only the mocked cloud."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from subprocess import TimeoutExpired
from types import FrameType

from demo import handmade, story
from demo.in_place import VARIABLE
from demo.sandbox import SandboxError
from demo.screen import Screen
from demo.stage import set_up
from demo.watch import TooLate
from demo.workshop import ToolError
from terminal import HelpFormatter

_INTERRUPTED = 130


def main() -> int:
    """Return the exit code: 0, 1 with what went wrong, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description=__doc__, formatter_class=HelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=["play", "serve"], default="play")
    # so that what was started is ended and what was written is removed
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)
    try:
        if parser.parse_args().command == "serve":
            handmade.serve_until_stopped()
            return 0
        return _play()
    except KeyboardInterrupt:
        return _INTERRUPTED


def _play() -> int:
    screen = Screen(story.STEPS)
    began = time.monotonic()
    try:
        in_place = os.environ.get(VARIABLE) == "1"
        with set_up(screen, in_place=in_place, forwarding=True) as stage:
            summary = story.play(stage)
            client = stage.client
    except (story.DemoError, SandboxError, TooLate, ToolError, TimeoutExpired) as error:
        screen.fail(str(error))
        return 1
    screen.end(f"{summary} {time.monotonic() - began:.0f} s.")
    if client is None:
        return 0
    if client.failures:
        screen.fail(f"{client.total}; the first by {client.failures[0]}")
        return 1
    screen.end(client.total)
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
