"""The agent's status as a person reads it; made from the document alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slb_registration.commands.colours import Colour
from slb_registration.reporting.overall import observes
from slb_registration.reporting.received import read

COLUMNS = 80
_LABEL = 11
Document = Mapping[str, Any]
Line = tuple[str, str]
"""What is told, and the text of it."""

_SHARED = (
    "another server group of this load balancer may have this VM with the same port, and a "
    "listener of its own"
)
_STEPS = {
    "find": "read the server group",
    "add": "register with weight {weight}",
    "set_weight": "set the weight to {weight}",
    "remove": "remove this VM",
}
_WAITS: Mapping[str, str | None] = {
    "nothing": None,
    "answer": "SLB is being asked",
    "poll": None,
    "quota": "throttled, it waits for its turn at the account's quota",
    "retry": "the last try has failed",
    "repair": "only a person can mend what makes it fail",
    "other writer": "another writer keeps changing it, and is left alone",
    "slb": "what SLB has accepted is to be seen first",
}
"""In the words of outlook.WaitsFor."""
_STATES = {
    "in service": Colour.GOOD,
    **dict.fromkeys(
        (
            *("failing", "not in service", "partly in service", "conflict"),
            *("unhealthy", "kept although unhealthy"),
        ),
        Colour.BAD,
    ),
}
_LABELS = {
    **dict.fromkeys(("error", "part", "log"), Colour.BAD),
    **dict.fromkeys(("because", "remark", "warning", "unclear", "kept", "would"), Colour.WATCH),
}


def render(document: Document, *, coloured: bool = False) -> str:
    """The status, in lines of COLUMNS at most unless a single word is longer."""
    known = read(document)
    lines = list(_lines(_whole(known), "", coloured))
    for group in known["groups"]:
        told = _group(group, known["time_seconds"])
        lines += ["", group["name"], *_lines(told, "  ", coloured)]
    others = list(_others(known))
    if others:
        lines += ["", *(line for name, text in others for line in _fill(f"{name}: ", text))]
    return "\n".join(lines) + "\n"


def health_text(items: Iterable[tuple[str, str]]) -> str:
    """`tcp:80 normal, tcp:443 abnormal`, or `-`."""
    return ", ".join(f"{listener} {status}" for listener, status in items) or "-"


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Columns as wide as they need to be, two spaces between them."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


# What stands where


def _whole(document: Document) -> Iterator[Line]:
    yield from _head(document)
    if document["instance_id"]:
        yield "instance", f"{document['instance_id']} in {document['region']}"
    package = f" ({document['package']})" if document["package"] else ""  # not in an earlier one
    yield "version", f"{document['version']}{package}"
    if document["remark"]:
        yield "remark", document["remark"]
    keys = _keys(document["credentials"])
    if keys:
        yield "keys", keys
    yield from _backend(document["backend"])
    for check in document["local_checks"]:
        yield "check", f"{check['check']}: {check['health']} ({check['detail']})"
    if document["drain"] is not None:
        yield "drain", _drain(document["drain"])
    if document["held_since"] is not None:
        yield "held", _held(document)
    if document["readiness"] is not None:
        yield "readiness", _readiness(document["readiness"])
    yield from (("log", text) for text in _log(document))
    yield from (("part", text) for text in map(_part, document["parts"]) if text)
    if document["error"]:
        yield "error", document["error"]
    elif document["under_way"]:
        yield "under way", document["under_way"]


def _head(document: Document) -> Iterator[Line]:
    although = document["although"]
    yield "state", f"{document['state']}, but {although}" if although else document["state"]
    if observes(document):
        yield "mode", "observe: the agent observes, and changes nothing"


def _log(document: Document) -> Iterator[str]:
    if document["log_lines_dropped"]:
        yield f"{document['log_lines_dropped']} lines could not be written: is its disk full?"
    if document["log_lines_stuck"]:
        stuck = document["log_lines_stuck"]
        yield f"{stuck} lines wait to be written: does nobody read it, or its disk hang?"


def _keys(credentials: Document) -> str:
    """Nothing of keys that stay what they are."""
    parts = []
    if credentials["good_until"] is not None:
        parts.append(f"of {credentials['source']}, good until {credentials['good_until']}")
    if credentials["error"] is not None:
        parts.append(f"no others can be had: {credentials['error']}")
    return "; ".join(parts)


def _backend(backend: Document | None) -> Iterator[Line]:
    """Return where port and path come from; an agent of an earlier version does not say it."""
    if backend is None:
        return
    port = "each server group's own" if backend["port"] is None else backend["port"]
    yield "port", f"{port} ({backend['port_from']})"
    if backend["path"] is not None:
        yield "path", f"{backend['path']} ({backend['path_from']})"
    if backend["ignored"] is not None:
        yield "link", backend["ignored"]


def _drain(drain: Document) -> str:
    text = f"{drain['stage']} since {drain['since']}"
    if drain["connections"] is not None:
        text += f", {drain['connections']} connections"
    if drain["stage"] == "done":
        return f"{text}; a new start or resume puts it back"
    left = drain["seconds_left"]
    return text if left is None else f"{text}, {_span(max(left, 0))} left"


def _held(document: Document) -> str:
    until, reason = document["held_until"], document["held_reason"]
    text = f"since {document['held_since']}"
    text += "; resume puts it back" if until is None else f" until {until}, or resume"
    return f"{text}; reason: {reason}" if reason else text


def _readiness(answers: Document) -> str:
    if answers["error"]:
        return f"no health check is answered: {answers['error']}"
    place = f"port {answers['port']} of {answers['address']}"
    return f"{answers['answer']} ({answers['because']}) on {place}"


def _part(part: Document) -> str | None:
    """Of a part of the agent that works, nothing."""
    silent, usual = part["silent_seconds"], part["may_be_silent_seconds"]
    if part["stuck"] and silent is not None and usual is not None:
        return f"{part['name']}: silent for {_span(silent)}, {usual:.0f} s at most are usual"
    return f"{part['name']}: {part['error']}" if part["error"] else None


def _group(group: Document, now: float | None) -> Iterator[Line]:
    because = "" if group["wanted"] else ", to be left"
    yield "state", f"{group['state']}{because}"
    yield "weight", _weight(group)
    if group["health"]:
        yield "health", health_text((one["listener"], one["status"]) for one in group["health"])
    unclear = [one["listener"] for one in group["health"] if not one["told_apart"]]
    if unclear:
        yield (
            "unclear",
            f"SLB does not tell whose health that of {', '.join(unclear)} is: {_SHARED}",
        )
    yield "changed", _moment(group["last_change"], group["last_change_seconds"], now)
    yield "read", _reading(group, now)
    if group["next"] is not None:
        yield "next", next_text(group["next"], now)
    reason, read_only = group["reason"] or group["last_error"], group["read_only"]
    if group["would"] is not None:
        yield "would", group["would"]["text"]
        reason = group["last_error"]  # apart from that
    if reason and group["wanted"]:
        yield "because", reason
    if group["kept"]:
        yield "kept", group["kept"]
    if read_only and read_only not in (reason or ""):
        yield "only read", read_only
    yield "calls", str(group["calls"])
    yield from (("warning", _warning(one)) for one in group["warnings"])


def _warning(warning: Document) -> str:
    place = f"{warning['listener']}: " if warning["listener"] else ""
    return f"{place}{warning['text']}; {warning['advice']} ({warning['code']})"


def _weight(group: Document) -> str:
    seen, wanted = group["weight"], group["wanted_weight"]
    text = "not registered" if seen is None else f"{seen} of {group['configured_weight']}"
    return text if wanted in (seen, None) else f"{text}, should be {wanted}"


def _reading(group: Document, now: float | None) -> str:
    """Return when the group was read, and when it was asked for in vain since then."""
    read_at, asked_at = group["last_read_seconds"], group["last_asked_seconds"]
    text = _moment(group["last_read"], read_at, now)
    if asked_at is None or (read_at is not None and asked_at <= read_at):
        return text
    if group["next"] is not None and _is_asking(group["next"]):
        return text
    return f"{text}; asked in vain {_moment(group['last_asked'], asked_at, now)}"


def _is_asking(outlook: Document) -> bool:
    """Return whether the group is being asked for: not in vain, as far as is known."""
    return (outlook["step"], outlook["waits_for"]) == ("find", "answer")


def next_text(outlook: Document, now: float | None) -> str:
    """Return what comes next in a server group, when, and what it waits for.

    `now`: of the agent.
    """
    step = _STEPS.get(outlook["step"])
    what = outlook["step"] if step is None else step.format(weight=outlook["weight"])
    if outlook["of_predecessor"]:
        what = "remove the VM that this one replaces"
    waits_for, at = outlook["waits_for"], outlook["at_seconds"]
    why = _WAITS.get(waits_for, f"waits for {waits_for}")
    left = 0.0 if at is None or now is None else at - now
    when = "now" if left < 1 else f"in {_span(left)}"
    return f"{what} {when}: {why}" if why else f"{what} {when}"


def _others(document: Document) -> Iterator[Line]:
    """Return what was found by tags, and files of co-located jobs that cannot be used."""
    for one in document["discovered"]:
        joined = "joined" if one["joined"] else "not joined"
        yield f"{one['product']}/{one['id']}", f"{joined}: {one['because_of']}"
    for one in document["dynamic_configs"]:
        if one["problem"]:
            yield one["file"], one["problem"]


# How it is written


def _moment(stamp: str | None, seconds: float | None, now: float | None) -> str:
    if stamp is None:
        return "never"
    past = None if seconds is None or now is None else max(0.0, now - seconds)
    return stamp if past is None else f"{stamp}, {_span(past)} ago"


def _span(seconds: float) -> str:
    """A length of time in the one unit that fits it."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _lines(told: Iterable[Line], indent: str, coloured: bool) -> Iterator[str]:
    for name, text in told:
        label = f"{indent}{name}".ljust(_LABEL)
        colour = _colour(name, text) if coloured else None
        for line in _fill(label, text):
            yield line if colour is None else _painted(line, label, colour)


def _colour(name: str, text: str) -> Colour | None:
    """Return how bad it is; None where it is neither good nor bad."""
    if name != "state":
        return _LABELS.get(name)
    return Colour.BAD if ", but " in text else _STATES.get(text, Colour.WATCH)


def _painted(line: str, label: str, colour: Colour) -> str:
    """The line with its text coloured, and neither the label nor the space before it."""
    before = len(label) if line.startswith(label) else len(line) - len(line.lstrip())
    return line[:before] + colour.paint(line[before:]) if line[before:] else line


def _fill(label: str, text: str) -> list[str]:
    """The label, and the text beside it; further to the left where a word has no room there."""
    room = COLUMNS - len(label)
    lengths = [len(word) for word in text.split()] or [0]
    beneath = lengths[0] > room
    wide = max(lengths) > room
    lines = textwrap.wrap(
        text,
        COLUMNS,
        initial_indent="  " if beneath else label,
        subsequent_indent="  " if wide else " " * min(len(label), _LABEL),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.rstrip() for line in ([label, *lines] if beneath or not lines else lines)]
