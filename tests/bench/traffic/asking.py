"""Runs the client beside a play, in a process of its own: neither holds the other up."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.traffic.client import Address
from tests.paths import ROOT


@contextmanager
def asking(
    targets: Mapping[str, Address], out: Path, *, rate: float, seed: int, path: str | None = None
) -> Iterator[None]:
    """A client at work; at the end, all that it has asked is answered or given up.

    It ends with this process, however that ends. `path`: see the client.
    """
    words = [
        word
        for name, (host, port) in targets.items()
        for word in ("--target", name, host, str(port))
    ]
    command = (sys.executable, "-m", "tests.bench.traffic.client", str(out), *words)
    process = subprocess.Popen(
        [
            *(*command, "--rate", str(rate), "--seed", str(seed)),
            *(() if path is None else ("--path", path)),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
        process.send_signal(signal.SIGTERM)
        process.wait()
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
