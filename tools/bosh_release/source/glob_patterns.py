"""Compares one file name with one component of a pattern, as doublestar v1 does.

`*`, `?`, `[a-z]`, `[^a]`, `{a,b}` and backslash escapes. Braces may contain slashes, so what is
left to match further down can be several patterns.
"""

from __future__ import annotations

from collections.abc import Iterator


class BadPatternError(Exception):
    """The part of a pattern that was to be compared is malformed."""


def literal_folders(pattern: str) -> tuple[str, str]:
    """Split off the leading folders that contain nothing special."""
    special = next(_unescaped(pattern, "*?[{\\"), -1)
    head = pattern if special == -1 else pattern[:special]
    slash = _last_unescaped_slash(head) if special else -1
    return (pattern[:slash], pattern[slash + 1 :]) if slash > 0 else ("", pattern)


def cut(pattern: str) -> tuple[str, str, str]:
    """Split at the first slash that is not escaped, like str.partition."""
    end = next(_unescaped(pattern, "/"), -1)
    return (pattern, "", "") if end == -1 else (pattern[:end], "/", pattern[end + 1 :])


def match(pattern: str, name: str) -> list[str] | None:
    """Compare one file name with the first component of `pattern`.

    Returns None if they differ, [] if the pattern ends here, else what must match further down.
    Raises BadPatternError.
    """
    while pattern and name:
        special = _SPECIAL.get(pattern[0])
        if special is not None:
            return special(pattern[1:], name)
        if pattern[0] == "/":
            return None
        pattern, same = _after_one(pattern, _rune(name[0]))
        if not same:
            return None
        name = name[1:]
    return None if name else _at_end_of_name(pattern)


def _after_one(pattern: str, character: str) -> tuple[str, bool]:
    """Compare one character; return the pattern after it, and whether they are the same."""
    first = pattern[0]
    if first == "[":
        end = _class_end(pattern)
        return pattern[end + 1 :], _in_class(pattern[1:end], character)
    if first == "\\":
        if pattern[1:2] in ("", "\ufffd"):
            raise BadPatternError
        return pattern[2:], pattern[1] == character
    return pattern[1:], first in ("?", character)


def _match_star(pattern: str, name: str) -> list[str] | None:
    if not pattern:
        return []
    if pattern[0] == "/":
        return [pattern[1:]]
    for start in range(len(name)):
        remainders = match(pattern, name[start:])
        if remainders is not None:
            return remainders
    return None


def _match_braces(pattern: str, name: str) -> list[str] | None:
    options, rest = _alternatives(pattern)
    matches = [match(option + rest, name) for option in options]
    hits = [hit for hit in matches if hit is not None]
    return [remainder for hit in hits for remainder in hit] if hits else None


_SPECIAL = {"*": _match_star, "{": _match_braces}


def _at_end_of_name(pattern: str) -> list[str] | None:
    """Judge what is left of a pattern when the name is used up."""
    if not pattern:
        return []
    component, slash, rest = cut(pattern)
    if not _matches_nothing(component):
        return None
    return [rest] if slash else []


def _matches_nothing(component: str) -> bool:
    """Tell whether a component also matches the empty text."""
    if component in ("", "*", "**"):
        return True
    if component[0] != "{":
        return False
    options, rest = _alternatives(component[1:])
    return _matches_nothing(rest) and any(_matches_nothing(option) for option in options)


def _alternatives(text: str) -> tuple[list[str], str]:
    """Split `a,b}rest` into its options and the rest; braces nest."""
    options: list[str] = []
    start, depth, escaped = 0, 1, False
    for index, character in enumerate(text):
        if escaped or character == "\\":
            escaped = not escaped
            continue
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return [*options, text[start:index]], text[index + 1 :]
        if character == "," and depth == 1:
            options.append(text[start:index])
            start = index + 1
    raise BadPatternError


def _class_end(pattern: str) -> int:
    end = next(_unescaped(pattern[1:], "]"), -1)
    if end <= 0:  # never closed, or empty
        raise BadPatternError
    return end + 1


def _in_class(text: str, character: str) -> bool:
    negated = text[0] == "^"
    at, inside = int(negated), False
    while at < len(text):
        low, at = _class_member(text, at)
        high = low
        if text[at : at + 1] == "-":
            high, at = _class_member(text, at + 1)
        inside = inside or low <= character <= high
    return inside != negated


def _class_member(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] == "\\":
        at += 1
    elif text[at : at + 1] == "-":
        raise BadPatternError
    if at >= len(text):
        raise BadPatternError
    return text[at], at + 1


def _unescaped(text: str, characters: str) -> Iterator[int]:
    """Yield where one of `characters` stands without a backslash right before it."""
    for index, character in enumerate(text):
        if character in characters and (index == 0 or text[index - 1] != "\\"):
            yield index


def _last_unescaped_slash(text: str) -> int:
    end = text.rfind("/")
    while end > 0 and text[end - 1] == "\\":
        end = text.rfind("/", 0, end - 1)
    return end


def _rune(character: str) -> str:
    """Go sees every byte that is not UTF-8 as U+FFFD."""
    return "\ufffd" if "\udc80" <= character <= "\udcff" else character
