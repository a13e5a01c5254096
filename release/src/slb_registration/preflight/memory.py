"""The warnings as the agent last had them, on disk: pre-start tells them and asks nobody.

A fleet restarts at once and shares the account's quotas, and a deploy waits for pre-start.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from slb_registration.preflight import SettingWarning
from slb_registration.support.files.small_files import write_whole
from slb_registration.support.files.trust import read_trusted
from slb_registration.support.json_objects import JsonError, parse_object

FILE_NAME = "warnings.json"
SIZE_LIMIT = 1 << 20
_FIELDS = ("code", "group", "listener", "text", "advice")


def remember(folder: Path, warnings: Iterable[SettingWarning], time: str) -> None:
    """Replace what was remembered; `time`: as of when. Raises OSError."""
    told = [{name: getattr(one, name) for name in _FIELDS} for one in warnings]
    write_whole(folder / FILE_NAME, json.dumps({"time": time, "warnings": told}, indent=1) + "\n")


def recall(folder: Path) -> tuple[str, tuple[SettingWarning, ...]]:
    """As of when, and what; nothing where there is no such file, or one that cannot be used."""
    try:
        document = parse_object(read_trusted(folder / FILE_NAME, SIZE_LIMIT))
    except (OSError, JsonError):
        return "", ()
    time, told = document.get("time"), document.get("warnings")
    items = told if isinstance(told, list) else []
    found = [_warning(one) for one in items if isinstance(one, dict)]
    warnings = tuple(one for one in found if one is not None)
    return (time if isinstance(time, str) else ""), warnings


def _warning(item: Mapping[str, object]) -> SettingWarning | None:
    texts = [text for name in _FIELDS if isinstance(text := item.get(name), str)]
    return SettingWarning(*texts) if len(texts) == len(_FIELDS) else None
