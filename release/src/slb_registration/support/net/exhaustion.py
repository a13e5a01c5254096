"""What this process itself lacks to ask anyone: that says nothing of who was to be asked."""

from __future__ import annotations

import errno

_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN})
"""Of socket(2), connect(2), pipe(2), fork(2) and accept(2): descriptors, memory, processes."""


def is_exhausted(error: OSError) -> bool:
    """Whether the error is one of this side alone."""
    return error.errno in _ERRORS
