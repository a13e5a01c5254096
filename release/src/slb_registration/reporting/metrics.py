"""The metrics page: what the agent knows, made from its status document.

What an alert is made of is always there, whatever is wrong; of a server group that was left there
is nothing any more. Every label has a bounded number of values: none of them is what an API says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from slb_registration.cloud.call_counter import BUCKETS_SECONDS, CallCounter
from slb_registration.reporting.exposition import Sample, counter, gauge, histogram
from slb_registration.reporting.overall import STATES, observes

Document = Mapping[str, Any]


def exposition(document: Document, calls: CallCounter) -> str:
    """The page."""
    parts = (*_vm(document), *_groups(document["groups"]), *_calls(calls), *_around(document))
    return "".join(parts)


def _vm(document: Document) -> Iterable[str]:
    """Return what is there from the first moment on."""
    wanted = [group for group in document["groups"] if group["wanted"]]
    drain = document["drain"]
    return (
        gauge(
            "build_info", "Which build of the agent runs: always 1.",
            [({"version": document["version"], "package": document["package"]}, 1.0)],
        ),
        gauge(
            "state", "The state of this VM as status heads with it: 1 for the one that it is in.",
            [({"state": state}, float(state == document["state"])) for state in STATES],
        ),
        gauge(
            "groups_wanted", "Server groups that this VM should be in, as far as is known.",
            [({}, len(wanted))],
        ),
        gauge(
            "groups_in_service",
            "Of those, in how many it is in service, or was when the API last answered.",
            [({}, sum(bool(group["last_seen_in_service"]) for group in wanted))],
        ),
        gauge(
            "groups_known", "Whether all server groups are known that this VM should be in.",
            [({}, float(document["complete"]))],
        ),
        gauge(
            "needs_repair", "Whether this VM is kept out by what only a person can mend.",
            [({}, float(_needs_repair(document)))],
        ),
        gauge(
            "observes", "Whether what would be changed is only told (mode: observe).",
            [({}, float(observes(document)))],
        ),
        gauge(
            "draining_since_timestamp_seconds", "When the drain began (0: none).",
            [({}, drain["since_seconds"] if drain else 0.0)],
        ),
        gauge(
            "held_since_timestamp_seconds", "When an operator's hold began (0: none).",
            [({}, document["held_since_seconds"] or 0.0)],
        ),
        gauge(
            "held_until_timestamp_seconds",
            "When an operator's hold ends by itself (0: there is none, or it has no end).",
            [({}, document["held_until_seconds"] or 0.0)],
        ),
        *_readiness(document.get("readiness")),
    )  # fmt: skip


def _readiness(answers: Document | None) -> Iterable[str]:
    """Nothing where no health check is answered."""

    def of(value: Callable[[Document], float]) -> list[Sample]:
        return [] if answers is None else [({}, value(answers))]

    return (
        gauge(
            "readiness_ready",
            "Whether health checks of load balancers are answered with 200, not 503.",
            of(lambda known: float(known["answer"] == 200)),
        ),
        gauge(
            "readiness_listening", "Whether they are answered at all.",
            of(lambda known: float(known["error"] is None)),
        ),
    )  # fmt: skip


def _needs_repair(document: Document) -> bool:
    groups = any(group["needs_repair"] for group in document["groups"] if group["wanted"])
    return groups or bool(document["needs_repair"])


def _groups(groups: Iterable[Document]) -> Iterable[str]:
    """Return what is told of each server group."""

    def each(value: Callable[[Document], float]) -> list[Sample]:
        return [(_names(group), value(group)) for group in groups]

    return (
        gauge(
            "in_service",
            "Whether this VM is in service in the server group, or was when the API last answered.",
            each(lambda group: float(group["last_seen_in_service"])),
        ),
        gauge(
            "weight", "The weight last seen in the server group (-1: not registered).",
            each(lambda group: _weight(group["weight"])),
        ),
        gauge(
            "wanted_weight", "The weight that it should have by now (-1: not registered).",
            each(lambda group: _weight(group["wanted_weight"])),
        ),
        gauge(
            "conflict", "Whether another writer keeps changing it and is left alone for a while.",
            each(lambda group: float(group["conflict"])),
        ),
        gauge(
            "held", "Whether it is to be at weight 0 because of an operator's hold.",
            each(lambda group: float(group["phase"] == "hold")),
        ),
        gauge(
            "draining", "Whether it is to leave, or has left, in a drain.",
            each(lambda group: float(group["phase"] in ("lower", "remove"))),
        ),
        gauge(
            "setting_warnings",
            "How many settings of the load balancer are known that would hurt.",
            each(lambda group: len(group["warnings"])),
        ),
        gauge(
            "last_read_timestamp_seconds",
            "When the server group was last asked for, whatever came of it (0: never).",
            each(lambda group: group["last_asked_seconds"] or 0.0),
        ),
        gauge(
            "last_successful_read_timestamp_seconds", "When that last succeeded (0: never).",
            each(lambda group: group["last_read_seconds"] or 0.0),
        ),
        gauge(
            "listener_normal", "Whether SLB reports this VM as normal behind a listener.",
            [
                ({**_names(group), "listener": item["listener"]},
                 float(item["status"] in ("normal", "not checked")))
                for group in groups for item in group["health"]
            ],
        ),
        counter(
            "drift_repaired_total", "Changes of other writers that were undone.",
            [
                ({**_names(group), "field": name}, total)
                for group in groups for name, total in group["drift_repaired"].items()
            ],
        ),
        _would_writes(groups),
    )  # fmt: skip


def _would_writes(groups: Iterable[Document]) -> str:
    """Only of a VM that observes is there any."""
    samples = [
        ({**_names(group), "action": action}, total)
        for group in groups
        for action, total in group["would_writes"].items()
    ]
    return counter(
        "would_be_writes_total", "Changes decided on and not made, since mode is observe.", samples
    )


def _names(group: Document) -> dict[str, str]:
    return {"group": group["name"], "product": group["product"]}


def _weight(weight: int | None) -> float:
    return -1 if weight is None else weight


def _calls(calls: CallCounter) -> Iterable[str]:
    return (
        counter(
            "api_calls_total", "API calls by action and result.",
            [
                ({"action": action, "result": result}, number)
                for (action, result), number in sorted(calls.counts.items())
            ],
        ),
        histogram(
            "api_call_duration_seconds", "How long API calls took, by what came of them.",
            BUCKETS_SECONDS,
            [
                ({"product": _ours(product), "action": action, "result": result}, timed)
                for (product, action, result), timed in sorted(calls.timed.items())
            ],
        ),
        gauge(
            "last_successful_call_timestamp_seconds", "When a call last succeeded (0: never).",
            [({}, calls.last_success or 0.0)],
        ),
    )  # fmt: skip


def _ours(product: str) -> str:
    """The API's name of a product as a server group has it."""
    return "clb" if product == "slb" else product


def _around(document: Document) -> Iterable[str]:
    """The local checks, files, keys and the log."""
    keys = document["credentials"]
    good_until = keys["good_until_seconds"]
    return (
        counter(
            "local_checks_total", "Results of the check of the service on this VM.",
            _results(document["local_checks"]),
        ),
        *_parts(document["parts"]),
        gauge(
            "dynamic_config_usable", "Whether all of a co-located job's file counts.",
            [
                ({"file": file["file"]}, float(file["problem"] is None))
                for file in document["dynamic_configs"]
            ],
        ),
        counter(
            "log_lines_dropped_total", "Lines that could not be written to the log.",
            [({}, document["log_lines_dropped"])],
        ),
        gauge(
            "log_lines_stuck", "Lines that wait for a log which takes nothing.",
            [({}, document["log_lines_stuck"])],
        ),
        gauge(
            "credentials_refreshable", "Whether new keys could be had when last needed.",
            [({"source": keys["source"]}, float(keys["error"] is None))],
        ),
        gauge(
            "credentials_good_until_timestamp_seconds",
            "When the keys in use expire; not there for keys that do not.",
            [] if good_until is None else [({}, good_until)],
        ),
    )  # fmt: skip


def _parts(parts: Iterable[Document]) -> Iterable[str]:
    """The heartbeats. Two parts of one name, such as a check at two paces, are one series."""
    names: dict[str, list[Document]] = {}
    for part in parts:
        names.setdefault(part["name"], []).append(part)

    def each(value: Callable[[list[Document]], float]) -> list[Sample]:
        return [({"part": name}, value(found)) for name, found in names.items()]

    return (
        gauge(
            "part_silent_seconds", "For how long a part of the agent has given no sign of life.",
            each(lambda found: max(part["silent_seconds"] for part in found)),
        ),
        gauge(
            "part_works", "Whether a part of the agent gives signs of life in time.",
            each(lambda found: float(not any(part["stuck"] or part["error"] for part in found))),
        ),
        gauge(
            "part_failures", "How often in a row a part of the agent broke and was begun again.",
            each(lambda found: sum(part["failures"] for part in found)),
        ),
    )  # fmt: skip


def _results(checks: Iterable[Document]) -> list[Sample]:
    """The same check at two paces is one series."""
    totals: Counter[tuple[str, str]] = Counter()
    for check in checks:
        for result in ("passed", "failed"):
            totals[check["check"], result] += check[result]
    return [({"check": name, "result": result}, total) for (name, result), total in totals.items()]
