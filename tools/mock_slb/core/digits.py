"""Numbers in what a client sends as text."""

from __future__ import annotations

import re


def whole_number(text: str) -> int | None:
    """The number that up to nine decimal digits are; None for any other text.

    No parameter is longer, and `int` itself raises ValueError from 4,301 digits on.
    """
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
