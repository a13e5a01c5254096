"""Findings and removals as JSON, for programs. Without the SDK.

The fields stay as they are within one SCHEMA; others may come.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from slb_registration.commands.orphans import Done, Finding, Outcome, Refused, Survey

SCHEMA = 1


def found(survey: Survey, done: Sequence[Done], *, ok: bool) -> str:
    """Everything; `ok`: whether nothing is left to be done."""
    outcomes = {id(one.finding): one for one in done if isinstance(one, Outcome)}
    refused = [one for one in done if isinstance(one, Refused)]
    return _text(
        ok=ok,
        complete=not survey.problems,
        region=survey.region,
        instance_id=survey.me,
        ecs=survey.ecs,
        groups=survey.groups,
        unmarked=survey.unmarked,
        own=survey.own,
        alive=survey.alive,
        entries=[_entry(one, outcomes.get(id(one))) for one in survey.findings],
        refused=[{"server_id": one.server_id, "because": one.because} for one in refused],
        problems=[{"server_group": one.group, "problem": one.text} for one in survey.problems],
    )


def failed(reason: str) -> str:
    """Nothing could be found out."""
    return _text(error=" ".join(reason.split()))


_NOTHING: Mapping[str, Any] = {
    "schema": SCHEMA,
    "ok": False,
    "complete": False,
    "error": None,
    "region": None,
    "instance_id": None,
    "ecs": None,
    "groups": 0,
    "unmarked": 0,
    "own": 0,
    "alive": 0,
    "entries": (),
    "refused": (),
    "problems": (),
}


def _text(**fields: Any) -> str:
    return json.dumps({**_NOTHING, **fields}, indent=1) + "\n"


def _entry(finding: Finding, outcome: Outcome | None) -> dict[str, Any]:
    entry, server = finding.entry, finding.entry.server
    return {
        "server_group": entry.group,
        "server_id": server.server_id,
        "server_type": server.server_type,
        "server_ip": server.address or server.server_ip,
        "port": server.port,
        "weight": server.weight,
        "description": server.description,
        "spec_id": entry.spec_id,
        "health": [{"listener": one.listener, "status": one.status} for one in entry.health],
        "verdict": finding.verdict.value,
        "because": finding.because,
        "removed": None if outcome is None else outcome.problem is None,
        "problem": None if outcome is None else outcome.problem,
    }
