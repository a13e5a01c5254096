"""Errors for want of something in this process, which say nothing of whom it was to ask."""

from __future__ import annotations

import errno

_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN})
"""Of socket(2), connect(2), pipe(2), fork(2) and accept(2): descriptors, memory, processes."""


def is_exhausted(error: OSError) -> bool:
    """Return whether the error is one of this side alone."""
    return error.errno in _ERRORS
