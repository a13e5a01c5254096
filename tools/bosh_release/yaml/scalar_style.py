"""The style of a text in YAML: without quotes where it can be, else in the quotes it needs.

The rules are those of go-yaml v2, with which the BOSH CLI writes manifests: they decide what the
director's Ruby, which has rules of its own, takes a text for.
"""

from __future__ import annotations

import re

from bosh_release.yaml.scalars import needs_quotes

PLAIN, SINGLE, DOUBLE, LITERAL = "plain", "single", "double", "literal"

_INDICATORS = frozenset("#,[]{}&*!|>'\"%@`")
_BLANKS = frozenset(" \t")
BREAKS = frozenset("\n\r\x85\u2028\u2029")
_UNPRINTABLE = re.compile("[^\n -~\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_SPACE_AND_BREAK = re.compile(" [\n\u2028\u2029]")
_BREAK_AND_SPACE = re.compile("[\n\u2028\u2029] ")
_COLON = re.compile(":(?=[ \t]|$)")  # ends a key
_HASH = re.compile("[ \t\n\u2028\u2029]#")  # begins a comment


def is_printable(character: str) -> bool:
    """Tell whether a character may stand in YAML as it is."""
    return _UNPRINTABLE.match(character) is None


def style_of(text: str, *, is_key: bool, is_binary: bool = False) -> str:
    """Return the style in which a text is written; a key is on one line always."""
    if "\n" in text:
        return LITERAL if not is_key and _may_be_literal(text) else DOUBLE
    if not is_binary and needs_quotes(text):
        return DOUBLE
    if text and _may_be_plain(text):
        return PLAIN
    return SINGLE if _may_be_single(text) and not (is_key and has_breaks(text)) else DOUBLE


def _may_be_literal(text: str) -> bool:
    return not (text.endswith(" ") or _SPACE_AND_BREAK.search(text) or _UNPRINTABLE.search(text))


def _may_be_single(text: str) -> bool:
    faults = (_SPACE_AND_BREAK, _BREAK_AND_SPACE, _UNPRINTABLE)
    return not any(fault.search(text) for fault in faults)


def _may_be_plain(text: str) -> bool:
    if has_breaks(text) or _UNPRINTABLE.search(text) or text[0] == " " or text[-1] == " ":
        return False
    if text.startswith(("---", "...")) or text[0] in _INDICATORS:
        return False
    if text[0] in "?:-" and (len(text) == 1 or text[1] in _BLANKS):
        return False
    return not (_COLON.search(text) or _HASH.search(text))


def has_breaks(text: str) -> bool:
    """Tell whether a text has line ends, be they Unicode's."""
    return not BREAKS.isdisjoint(text)
