"""Lets processes that build from one folder wait for one another."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let no other process into such a block with the same file, which is not changed.

    A process that ends in the block, however it ends, lets the next one in. Raises OSError.
    """
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
