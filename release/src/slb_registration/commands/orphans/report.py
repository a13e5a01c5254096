"""Findings and removals for a person: in 80 columns, and nothing that changes a terminal."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from slb_registration.commands.orphans import (
    ORPHANS,
    Done,
    Finding,
    Outcome,
    Refused,
    Survey,
    Verdict,
)
from slb_registration.commands.status_table import COLUMNS, health_text
from slb_registration.support.logs.printable import printable

_HELP = (
    "What follows bosh/ is the id of a BOSH instance, as `bosh instances` shows it behind the "
    "group's name; of which deployment, the marker does not tell."
)


def render(survey: Survey, done: Sequence[Done]) -> str:
    """The text."""
    lines = list(_lines(survey, done))
    texts = (part for text, indent in lines for part in wrapped(printable(text), indent))
    return "\n".join(texts) + "\n"


_Line = tuple[str, int]
"""A text, and by how many columns it is indented."""


def _lines(survey: Survey, done: Sequence[Done]) -> Iterator[_Line]:
    outcomes = {id(one.finding): one for one in done if isinstance(one, Outcome)}
    yield _summary(survey), 0
    for (server_id, description, because), findings in _alike(survey.findings):
        yield "", 0
        yield f"{server_id} ({description})", 0
        yield because, 2
        for one in findings:
            yield from _about(one, outcomes.get(id(one)))
    remarks = [*_remarks(survey, done)]
    yield from [("", 0), *remarks] if remarks else ()
    yield from _what_to_do(survey, outcomes.values())


_WORDS = {
    Verdict.GONE: "whose VM is gone",
    Verdict.GUESS: "whose VM may be gone (a guess)",
    Verdict.DISPUTED: "of which ECS and SLB do not tell the same",
    Verdict.UNKNOWN: "of which nothing can be told",
}


def _summary(survey: Survey) -> str:
    found = Counter(one.verdict for one in survey.findings)
    parts = [f"{_number(found[one])} {words}" for one, words in _WORDS.items() if found[one]]
    groups = "1 server group" if survey.groups == 1 else f"{survey.groups} server groups"
    text = "; ".join(parts) or "no entry of a VM that is gone"
    counts = f"{survey.alive} of VMs that there are, {survey.own} of this VM"
    return f"{text}; in {groups} ({counts}, {survey.unmarked} without our marker)"


def _about(finding: Finding, outcome: Outcome | None) -> Iterator[_Line]:
    server = finding.entry.server
    parts = [finding.entry.group]
    if server.port is not None:
        parts.append(f"port {server.port}")
    if server.address:
        parts.append(f"at {server.address}")
    health = health_text((one.listener, one.status) for one in finding.entry.health)
    yield f"{' '.join(parts)}, weight {server.weight}, health {health}", 2
    if outcome is not None:
        yield "removed" if outcome.problem is None else f"NOT REMOVED: {outcome.problem}", 4


def _remarks(survey: Survey, done: Sequence[Done]) -> Iterator[_Line]:
    for one in done:
        if isinstance(one, Refused):
            yield f"not removed: {one.server_id or repr('')}: {one.because}", 0
    for problem in survey.problems:
        yield f"{problem.group}: {problem.text}", 0
    if survey.ecs and survey.ecs not in {problem.text for problem in survey.problems}:
        yield f"ECS: {survey.ecs}", 0


def _what_to_do(survey: Survey, outcomes: Iterable[Outcome]) -> Iterator[_Line]:
    named = {one.finding.entry.server.server_id for one in outcomes}
    left = dict.fromkeys(
        one.entry.server.server_id for one in survey.findings if one.verdict in ORPHANS
    )
    options = [f"--remove {one}" for one in left if one not in named]
    if options:
        yield "", 0
        yield _HELP, 0
        yield "To remove one, and nothing else: slb-registration orphans", 0
        for one in options:
            yield one, 2


def _alike(
    findings: Iterable[Finding],
) -> Iterator[tuple[tuple[str, str, str], list[Finding]]]:
    """By server, description and reason, in the order in which they were found."""
    found: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        server = one.entry.server
        found.setdefault((server.server_id, server.description, one.because), []).append(one)
    yield from found.items()


def _number(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def wrapped(text: str, indent: int) -> list[str]:
    """A text in lines of at most COLUMNS; a word that is longer is cut."""
    lines: list[str] = []
    line, begin = "", " " * indent
    for word in text.split(" "):
        for number, piece in enumerate(_pieces(word, COLUMNS - indent - 2)):
            longer = f"{line} {piece}" if line else begin + piece
            if line and (number > 0 or _columns(longer) > COLUMNS):
                lines.append(line)
                longer = f"{begin}  {piece}"
            line = longer
    return [*lines, line]


def _pieces(word: str, most: int) -> Iterator[str]:
    piece = ""
    for character in word:
        if _columns(piece + character) > most:
            yield piece
            piece = ""
        piece += character
    yield piece


def _columns(text: str) -> int:
    """Return how wide a terminal shows it: two columns for a Chinese letter."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
