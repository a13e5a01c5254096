"""Release versions as BOSH counts them: RELEASE[-PRE][+POST], and which one comes next."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from bosh_release.source.git_state import Commit
from bosh_release.support.errors import ReleaseError

Segment: TypeAlias = tuple["int | str", ...]

_VERSION = re.compile(
    r"(?P<release>[0-9A-Za-z_.]+)(-(?P<pre>[0-9A-Za-z_\-.]+))?(\+(?P<post>[0-9A-Za-z_\-.]+))?"
)
_LONGEST = 255  # what a director can store
_HASH_DIGITS = 12  # the same in every checkout, unlike what git finds to be unique in this one


class Version(NamedTuple):
    """A version; an empty segment is one that is not there."""

    release: Segment
    pre: Segment = ()
    post: Segment = ()

    def __str__(self) -> str:
        pre = f"-{_join(self.pre)}" if self.pre else ""
        post = f"+{_join(self.post)}" if self.post else ""
        return _join(self.release) + pre + post

    def sort_key(self) -> tuple[object, ...]:
        """Order as BOSH does: a pre-release before its release, a post-release after it."""
        return (
            _segment_key(self.release),
            (not self.pre, _segment_key(self.pre)),
            (bool(self.post), _segment_key(self.post)),
        )


FIRST_DEV = Version((0,), (), ("dev", 0))


def parse_version(text: str) -> Version:
    """Parse a version; raises ReleaseError for text that is none."""
    if len(text) > _LONGEST:
        raise ReleaseError(f"Expected version '{text[:20]}…' to have at most {_LONGEST} characters")
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ReleaseError(
            f"Expected version '{text}' to match version format (like 1.2.3, 1.0-rc.1 or 1+dev.7)"
        )
    parts = (match["release"], match["pre"], match["post"])
    return Version(*(_parse_segment(part, text) for part in parts))


def next_dev(last: Version | None, timestamp: int | None = None) -> Version:
    """Return the dev version that follows `last`, or with `timestamp` (Unix seconds) its own."""
    base = last or FIRST_DEV
    following = base._replace(post=_increment(base.post) if base.post else ("dev", 1))
    return following if timestamp is None else following._replace(post=("dev", timestamp))


def commit_version(
    last_final: Version | None, commit: Commit | None, *, changed: bool, now: float, token: str
) -> Version:
    """Return the dev version of a commit, or of what was `changed` in it by `now` (Unix seconds).

    The first depends on the commit alone: its time, by which later ones sort later, and its hash.
    The others begin with it and are told apart by `now` and `token`, which is random: hex digits.
    No part of hex digits stands alone: a director reads 0012 as the number 12.
    """
    milliseconds = int(now * 1000)
    if commit is None:
        post: Segment = (milliseconds // 1000, "nocommit", milliseconds, f"r{token}")
    else:
        post = (commit.seconds, f"g{commit.digest[:_HASH_DIGITS]}")
        if changed:
            post = (*post, "dirty", milliseconds, f"r{token}")
    base = last_final or Version((0,))
    return base._replace(post=(*base.post, "dev", *post))


def _join(segment: Segment) -> str:
    return ".".join(str(component) for component in segment)


def _parse_segment(text: str | None, version: str) -> Segment:
    if text is None:
        return ()
    components = text.split(".")
    if "" in components:
        raise ReleaseError(
            f"Expected component '' from version segment '{text}' of version '{version}'"
            " to be either an integer or a formatted string"
        )
    return tuple(_parse_component(component) for component in components)


def _parse_component(text: str) -> int | str:
    # 007 is text: as a number it would lose its zeros
    is_number = text.isascii() and text.isdigit() and not (text[0] == "0" and len(text) > 1)
    return int(text) if is_number else text


def _increment(segment: Segment) -> Segment:
    last = segment[-1]
    if isinstance(last, str):
        raise ReleaseError(
            "Incrementing last dev version:\n"
            f"  Expected version segment '{_join(segment)}' to have last component '{last}'"
            " to be an integer"
        )
    return (*segment[:-1], last + 1)


def _segment_key(segment: Segment) -> tuple[tuple[bool, int, str], ...]:
    """Numbers before text, zeros at the end do not count."""
    key = [(isinstance(c, str), 0 if isinstance(c, str) else c, str(c)) for c in segment]
    while key and key[-1] == (False, 0, "0"):
        key.pop()
    return tuple(key)
