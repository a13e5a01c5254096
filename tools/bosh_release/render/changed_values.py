"""Tells which values of the rendered jobs are not the same any more where templates see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bosh_release.render.interpolate.interpolation import Interpolated
from bosh_release.render.interpolate.unresolved import Place, path_text
from bosh_release.render.jobs.jobs_in_groups import GroupMember, places_of_properties
from bosh_release.render.manifest.arrival import Change, changes, in_ruby
from bosh_release.render.manifest.received import Received
from bosh_release.render.output.redaction import secret_properties
from bosh_release.render.ruby.erb import DIRECTOR
from bosh_release.yaml.values import kind_of, scalar_of

_LONGEST_SHOWN = 60  # characters


def changes_of(
    received: Sequence[Received], members: Sequence[GroupMember], context: str
) -> tuple[str, ...]:
    """Return a sentence for each value of the jobs' properties that changes on its way."""
    reader = "a director" if context == DIRECTOR else "create-env"
    sentences = [
        f"{change.place or each.file}: {_shown_path(change.path, each.sent)}: "
        f"{_what(change, each.sent)}; that is how the BOSH CLI writes it and {reader} reads it"
        for each in received
        for change in changes(each.sent.document, each.arrived.document)
        if any((*each.path, *change.path)[: len(used)] == used for used in _used(members))
    ]
    return tuple(dict.fromkeys(sentences))


def _used(members: Sequence[GroupMember]) -> Iterator[Place]:
    for member in members:
        yield (*member.job.path, "properties")
        yield (*member.job.path, "consumes")
        yield from places_of_properties(member)


def _what(change: Change, sent: Interpolated) -> str:
    before, after = scalar_of(change.before), scalar_of(change.after)
    if _is_secret(change.path, sent):
        return f"{kind_of(before)} becomes {kind_of(after)} (values are not shown)"
    texts = (in_ruby(before), in_ruby(after))
    shown = [text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…" for text in texts]
    return f"{shown[0]} becomes {shown[1]} ({kind_of(after)})"


def _shown_path(path: Place, sent: Interpolated) -> str:
    """Name a place without what a variable's value may have brought."""
    filled = (path[:end] for end in range(len(path)) if path[:end] in sent.filled)
    return path_text(next(filled, path))


def _is_secret(path: Place, sent: Interpolated) -> bool:
    if any(path[:end] in sent.filled for end in range(len(path) + 1)):
        return True
    return any(list(secret_properties({part: "x"})) for part in path if isinstance(part, str))
