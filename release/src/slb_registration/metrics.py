"""Counters of the API calls, and the Prometheus text form of what the agent knows.

The form: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4). It is small
enough to be written here; the client library would be one more blob to patch.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]


class CallCounter:
    """Counts API calls by action and result. Thread-safe."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self.last_success: float | None = None
        self._wall = wall
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, action: str, result: str) -> None:
        """Take note of one call."""
        with self._lock:
            self._counts[action, result] += 1
            if result == "ok":
                self.last_success = self._wall()

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """Calls so far by (action, result)."""
        with self._lock:
            return dict(self._counts)


def exposition(document: Mapping[str, Any], calls: CallCounter) -> str:
    """The metrics page."""
    groups = document["groups"]
    drain = document["drain"]
    checks = document["local_checks"]
    keys = document["credentials"]
    parts = [
        _family(
            "build_info", "gauge", "Which build of the agent runs: always 1.",
            [({"version": document["version"], "package": document["package"]}, 1.0)],
        ),
        _family(
            "in_service", "gauge",
            "Whether this VM is in service in the server group, or was when the API last answered.",
            _per_group(groups, lambda group: float(group["last_seen_in_service"])),
        ),
        _family(
            "weight", "gauge", "The weight last seen in the server group (-1: not registered).",
            _per_group(groups, lambda group: -1 if group["weight"] is None else group["weight"]),
        ),
        _family(
            "listener_normal", "gauge", "Whether SLB reports this VM as normal behind a listener.",
            [
                ({"group": group["name"], "listener": item["listener"]},
                 float(item["status"] in ("normal", "not checked")))
                for group in groups for item in group["health"]
            ],
        ),
        _family(
            "drift_repaired_total", "counter", "Changes of other writers that were undone.",
            [
                ({"group": group["name"], "field": name}, total)
                for group in groups for name, total in group["drift_repaired"].items()
            ],
        ),
        _family(
            "draining_since_timestamp_seconds", "gauge", "When the drain began (0: none).",
            [({}, drain["since_seconds"] if drain else 0.0)],
        ),
        _family(
            "held_since_timestamp_seconds", "gauge", "When an operator's hold began (0: none).",
            [({}, document["held_since_seconds"] or 0.0)],
        ),
        _family(
            "api_calls_total", "counter", "API calls by action and result.",
            [
                ({"action": action, "result": result}, number)
                for (action, result), number in sorted(calls.counts.items())
            ],
        ),
        _family(
            "last_successful_call_timestamp_seconds", "gauge", "When a call last succeeded.",
            [] if calls.last_success is None else [({}, calls.last_success)],
        ),
        _family(
            "local_checks_total", "counter", "Results of the check of the service on this VM.",
            _results(checks),
        ),
        _family(
            "dynamic_config_usable", "gauge", "Whether all of a co-located job's file counts.",
            [
                ({"file": file["file"]}, float(file["problem"] is None))
                for file in document["dynamic_configs"]
            ],
        ),
        _family(
            "log_lines_dropped_total", "counter", "Lines that could not be written to the log.",
            [({}, document["log_lines_dropped"])],
        ),
        _family(
            "credentials_refreshable", "gauge", "Whether new keys could be had when last needed.",
            [({"source": keys["source"]}, float(keys["error"] is None))],
        ),
        _family(
            "credentials_good_until_timestamp_seconds", "gauge", "When the keys in use expire.",
            [] if keys["good_until_seconds"] is None else [({}, keys["good_until_seconds"])],
        ),
    ]  # fmt: skip
    return "".join(parts)


def _per_group(
    groups: Iterable[Mapping[str, Any]], value: Callable[[Mapping[str, Any]], float]
) -> list[Sample]:
    return [({"group": group["name"]}, value(group)) for group in groups]


def _results(checks: Iterable[Mapping[str, Any]]) -> list[Sample]:
    """The same check at two paces is one series."""
    totals: Counter[tuple[str, str]] = Counter()
    for check in checks:
        for result in ("passed", "failed"):
            totals[check["check"], result] += check[result]
    return [({"check": name, "result": result}, total) for (name, result), total in totals.items()]


def _family(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> str:
    full = f"slb_registration_{name}"
    lines = [f"# HELP {full} {help_text}", f"# TYPE {full} {kind}"]
    for labels, value in samples:
        text = ",".join(f'{key}="{_escape(item)}"' for key, item in labels.items())
        lines.append(f"{full}{{{text}}} {value:.15g}" if text else f"{full} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
