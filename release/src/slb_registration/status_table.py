"""The agent's status as a person reads it; made from the document alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def render(document: Mapping[str, Any]) -> str:
    """The status as a person reads it."""
    lines = [f"state      {document['state']}"]
    if document["instance_id"]:
        lines.append(f"instance   {document['instance_id']} in {document['region']}")
    package = f" ({document['package']})" if "package" in document else ""  # not in an earlier one
    lines.append(f"version    {document['version']}{package}")
    if document.get("remark"):
        lines.append(f"remark     {document['remark']}")
    keys = _keys(document["credentials"])
    if keys:
        lines.append(f"keys       {keys}")
    lines.extend(_backend(document.get("backend")))
    lines.extend(f"check      {_check(check)}" for check in document["local_checks"])
    if document["drain"] is not None:
        lines.append(f"drain      {_drain(document['drain'])}")
    if document["held_since"] is not None:
        lines.append(f"held       since {document['held_since']}; resume puts it back")
    if document["log_lines_dropped"]:
        lost = document["log_lines_dropped"]
        lines.append(f"log        {lost} lines could not be written: is its disk full?")
    if document["error"]:
        lines.append(f"error      {document['error']}")
    elif document.get("under_way"):
        lines.append(f"under way  {document['under_way']}")
    if document["groups"]:
        lines.append("")
        lines.extend(table(_HEADINGS, [_row(group) for group in document["groups"]]))
    lines += [f"{name}: {text}" for name, text in _remarks(document)]
    return "\n".join(lines) + "\n"


_HEADINGS = ("SERVER GROUP", "STATE", "WEIGHT", "HEALTH", "LAST CHANGE", "CALLS")


def _remarks(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What stands below the table: what is remarked, and of what."""
    for one in document["discovered"]:
        joined = "joined" if one["joined"] else "not joined"
        yield f"{one['product']}/{one['id']}", f"{joined}: {one['because_of']}"
    for one in document["dynamic_configs"]:
        if one["problem"]:
            yield one["file"], one["problem"]
    for group in document["groups"]:
        reason, read_only = group.get("reason", group["last_error"]), group["read_only"]
        if reason and group["wanted"]:
            yield group["name"], reason
        if read_only and read_only not in (reason or ""):
            yield group["name"], read_only


def _row(group: Mapping[str, Any]) -> tuple[str, ...]:
    weight = "-" if group["weight"] is None else f"{group['weight']}/{group['configured_weight']}"
    return (
        str(group["name"]),
        str(group["state"]),
        weight,
        health_text((item["listener"], item["status"]) for item in group["health"]),
        str(group["last_change"] or "-"),
        str(group["calls"]),
    )


def health_text(items: Iterable[tuple[str, str]]) -> str:
    """`tcp:80 normal, tcp:443 abnormal`, or `-`."""
    return ", ".join(f"{listener} {status}" for listener, status in items) or "-"


def _keys(credentials: Mapping[str, Any]) -> str:
    """Nothing of keys that stay what they are."""
    parts = []
    if credentials["good_until"] is not None:
        parts.append(f"of {credentials['source']}, good until {credentials['good_until']}")
    if credentials["error"] is not None:
        parts.append(f"no others can be had: {credentials['error']}")
    return "; ".join(parts)


def _backend(backend: Mapping[str, Any] | None) -> Iterator[str]:
    """Where port and path come from; an agent of an earlier version does not say it."""
    if backend is None:
        return
    port = "each server group's own" if backend["port"] is None else backend["port"]
    yield f"port       {port} ({backend['port_from']})"
    if backend["path"] is not None:
        yield f"path       {backend['path']} ({backend['path_from']})"
    if backend["ignored"] is not None:
        yield f"link       {backend['ignored']}"


def _check(check: Mapping[str, Any]) -> str:
    return f"{check['check']}: {check['health']} ({check['detail']})"


def _drain(drain: Mapping[str, Any]) -> str:
    connections = drain["connections"]
    text = f"{drain['stage']} since {drain['since']}"
    if connections is not None:
        text += f", {connections} connections"
    return f"{text}; a new start or resume puts it back" if drain["stage"] == "done" else text


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Columns as wide as they need to be, two spaces between them."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
