"""The failure that ends a command with one sentence for the operator, and without a traceback."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818 - what it is, for the operator, is no error of the program
    """Something only a person can put right; `str()` says what."""
