"""A warning as JSON, for the errand and the status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slb_registration.preflight import SettingWarning


def warning_document(warning: SettingWarning, redact: Callable[[str], str] = str) -> dict[str, Any]:
    """`listener` is null where the whole group is meant."""
    return {
        "code": warning.code,
        "group": warning.group,
        "listener": warning.listener or None,
        "text": redact(warning.text),
        "advice": redact(warning.advice),
    }
