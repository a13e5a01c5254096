"""The errand's findings as JSON, for programs. Without the errand's own imports.

The fields stay as they are within one SCHEMA; others may come.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slb_registration.preflight.document import warning_document
from slb_registration.reporting.health_document import health_document

if TYPE_CHECKING:
    from slb_registration.commands.errand import Checked, Finding

SCHEMA = 1


def found(checked: Checked, order: str | None, redact: Callable[[str], str]) -> str:
    """All findings and warnings; `order`: the hold or drain that explains problems, None where
    none does."""
    problems = any(finding.problem is not None for finding in checked.findings)
    findings = [_finding(one, redact) for one in checked.findings]
    warnings = [warning_document(one, redact) for one in checked.warnings]
    return _text(not problems, findings, warnings, order, None)


def failed(reason: str) -> str:
    """Nothing could be found out."""
    return _text(False, [], [], None, " ".join(reason.split()))


def _text(
    ok: bool,
    findings: list[dict[str, Any]],
    warnings: list[dict[str, Any]],
    order: str | None,
    error: str | None,
) -> str:
    document = {
        "schema": SCHEMA,
        "ok": ok,
        "findings": findings,
        "warnings": warnings,
        "order": order,
        "error": error,
    }
    return json.dumps(document, indent=1) + "\n"


def _finding(finding: Finding, redact: Callable[[str], str]) -> dict[str, Any]:
    return {
        "group": finding.group,
        "server_id": finding.server_id,
        "port": finding.port,
        "weight": finding.weight,
        "health": [health_document(item) for item in finding.health],
        "problem": None if finding.problem is None else redact(finding.problem),
    }
