"""Lets two folders change places at once, so that nobody ever finds neither."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_NOT_SUPPORTED = frozenset((errno.ENOSYS, errno.EINVAL, errno.ENOTSUP))


def exchange(one: Path, other: Path) -> bool:
    """Let two paths change places at once; False if this system cannot. Raises OSError."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    arguments = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if renameat2(*arguments) == 0:
        return True
    if (number := ctypes.get_errno()) in _NOT_SUPPORTED:
        return False
    raise OSError(number, os.strerror(number), os.fspath(other))
