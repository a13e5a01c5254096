"""Finds the licence of a work by what stands in its own files. Names are SPDX identifiers."""

from __future__ import annotations

import re
from collections.abc import Iterable

# The first that a file has counts: texts of one licence may name another, never those above it.
_SIGNS = tuple(
    (licence, re.compile(pattern))
    for licence, pattern in (
        ("LGPL-2.1-or-later", r"GNU Lesser General Public License .{,99}version 2\.1 .{,20}or"),
        ("MPL-2.0", r"Mozilla Public License,? ([Vv]ersion |v\. ?)?2\.0"),
        ("BSD-3-Clause", r"Redistributions in binary form must .{,999}Neither the name of"),
        ("MIT", r"Permission is hereby granted, free of charge"),
        ("MIT", r"\bunder the MIT [Ll]icense|__license__ = ['\"]MIT['\"]"),
        ("Apache-2.0", r"Apache(-| License,? )?(Version )? ?2\.0"),
        ("PSF-2.0", r"under the PSF license"),
    )
)
_BETWEEN_WORDS = re.compile(r"[\s#*]+")


def licence_in(texts: Iterable[bytes]) -> str | None:
    """Return the licence that the first of the texts to name one is under."""
    for content in texts:
        text = _BETWEEN_WORDS.sub(" ", content.decode(errors="replace"))
        for licence, sign in _SIGNS:
            if sign.search(text):
                return licence
    return None
