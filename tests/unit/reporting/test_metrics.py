"""The metrics page, read back as Prometheus reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from typing import Any

import pytest
from tests.paths import ROOT
from tests.unit.driver import QUIET

from slb_registration.cloud.call_counter import BUCKETS_SECONDS, CallCounter, CallMade
from slb_registration.reporting.exposition import CONTENT_TYPE
from slb_registration.reporting.metrics import exposition
from slb_registration.reporting.overall import STATES

LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+]+|NaN|[+-]Inf)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
LB = {"group": "clb/lb-1", "product": "clb"}
RSP = {"group": "clb/rsp-1:8080", "product": "clb"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(page: str) -> tuple[Samples, dict[str, str]]:
    """Samples and types; a page that Prometheus would refuse fails.

    https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details
    """
    assert page.endswith("\n")
    samples: Samples = {}
    types: dict[str, str] = {}
    helped: set[str] = set()
    for line in page.splitlines():
        if line.startswith("# HELP "):
            name, text = line[7:].split(" ", 1)
            assert name not in helped
            assert text
            helped.add(name)
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name in helped
            assert name not in types
            assert kind in ("counter", "gauge", "histogram")
            types[name] = kind
        else:
            match = LINE.fullmatch(line)
            assert match, line
            name, text, value = match.groups()
            family = list(types)[-1]
            endings = ("_bucket", "_sum", "_count") if types[family] == "histogram" else ("",)
            assert name in [family + ending for ending in endings], "a family stands together"
            key = name, frozenset(_labels(text or ""))
            assert key not in samples, "no sample twice"
            samples[key] = float(value)
    return samples, types


def _labels(text: str) -> list[tuple[str, str]]:
    found = LABEL.findall(text)
    assert sum(len(name) + len(value) + 4 for name, value in found) - 1 <= len(text)
    return [(name, re.sub(r"\\.", lambda match: ESCAPES[match[0]], value)) for name, value in found]


def value(page: str, name: str, **labels: str) -> float:
    return parse(page)[0]["slb_registration_" + name, frozenset(labels.items())]


def document(**changes: Any) -> dict[str, Any]:
    group = {
        "name": "clb/lb-1",
        "product": "clb",
        "wanted": True,
        "needs_repair": False,
        "last_seen_in_service": True,
        "weight": 80,
        "wanted_weight": 80,
        "conflict": False,
        "phase": "serve",
        "last_asked_seconds": 1_763_913_590.0,
        "last_read_seconds": 1_763_913_590.5,
        "health": [
            {"listener": "tcp:80", "port": 8080, "status": "normal"},
            {"listener": "tcp:443", "port": 8080, "status": "abnormal"},
            {"listener": "http:81", "port": 8080, "status": "not checked"},
        ],
        "drift_repaired": {"registration": 1, "weight": 2},
        "would_writes": {},
        "warnings": [{"code": "check_off"}, {"code": "round_robin"}],
    }
    never = {"last_asked_seconds": None, "last_read_seconds": None}
    out = {"last_seen_in_service": False, "weight": None, "health": [], "warnings": [], **never}
    absent = {**group, "name": "clb/rsp-1:8080", **out}
    return {
        "groups": [group, absent],
        "state": "partly in service",
        "complete": True,
        "drain": None,
        **QUIET,
        "local_checks": [{"check": "tcp 127.0.0.1:8080", "passed": 41, "failed": 2}],
        **changes,
    }


@pytest.fixture
def calls() -> CallCounter:
    counter = CallCounter(lambda: 1_763_913_600.125)
    counter.count(made("AddBackendServers", "ok", 0.02))
    counter.count(made("AddBackendServers", "busy", 0.3))
    counter.count(made("AddBackendServers", "busy", 60.0))
    return counter


def made(action: str, result: str, seconds: float | None = None) -> CallMade:
    return CallMade("slb", action, result, seconds)


@pytest.fixture
def page(calls: CallCounter) -> str:
    return exposition(document(), calls)


def test_the_build_that_runs_is_named(page: str):
    assert value(page, "build_info", version="1.2", package="aliyun_py/f00d") == 1


def test_lines_that_the_log_lost_are_counted(calls: CallCounter):
    page = exposition(document(log_lines_dropped=3, log_lines_stuck=2), calls)

    assert value(page, "log_lines_dropped_total") == 3
    assert value(page, "log_lines_stuck") == 2


def test_the_page_says_what_the_status_says(page: str):
    assert value(page, "in_service", **LB) == 1
    assert value(page, "in_service", **RSP) == 0
    assert value(page, "weight", **LB) == 80
    assert value(page, "weight", **RSP) == -1
    assert value(page, "listener_normal", **LB, listener="tcp:80") == 1
    assert value(page, "listener_normal", **LB, listener="tcp:443") == 0
    assert value(page, "listener_normal", **LB, listener="http:81") == 1
    assert value(page, "drift_repaired_total", **LB, field="weight") == 2
    assert value(page, "api_calls_total", action="AddBackendServers", result="ok") == 1
    assert value(page, "api_calls_total", action="AddBackendServers", result="busy") == 2
    assert value(page, "last_successful_call_timestamp_seconds") == 1_763_913_600.125
    assert value(page, "local_checks_total", check="tcp 127.0.0.1:8080", result="passed") == 41
    assert value(page, "local_checks_total", check="tcp 127.0.0.1:8080", result="failed") == 2
    assert value(page, "draining_since_timestamp_seconds") == 0
    assert value(page, "held_since_timestamp_seconds") == 0


def test_parts_of_the_agent_give_signs_of_life(calls: CallCounter):
    works = {"silent_seconds": 1.0, "stuck": False, "failures": 0, "error": None}
    parts = [
        {"name": "main", **works},
        {"name": "check tcp", **works, "silent_seconds": 131.0, "stuck": True},
        {"name": "check tcp", **works, "failures": 2},
        {"name": "files", **works, "failures": 3, "error": "no more threads"},
    ]
    page = exposition(document(parts=parts), calls)
    told = {
        name: [value(page, f"part_{name}", part=part) for part in ("main", "check tcp", "files")]
        for name in ("silent_seconds", "works", "failures")
    }
    assert told == {
        "silent_seconds": [1, 131, 1], "works": [1, 0, 0], "failures": [0, 2, 3],
    }  # fmt: skip


def test_a_drain_tells_since_when(calls: CallCounter):
    page = exposition(document(drain={"since_seconds": 1_763_913_500.5}), calls)
    assert value(page, "draining_since_timestamp_seconds") == 1_763_913_500.5


def test_a_hold_tells_since_when_so_that_none_is_forgotten(calls: CallCounter):
    page = exposition(document(held_since_seconds=1_763_913_500.5), calls)
    assert value(page, "held_since_timestamp_seconds") == 1_763_913_500.5
    assert value(page, "held_until_timestamp_seconds") == 0


def test_a_hold_with_an_end_tells_when_that_is(calls: CallCounter):
    page = exposition(document(held_since_seconds=5.0, held_until_seconds=1_763_913_600.5), calls)
    assert value(page, "held_until_timestamp_seconds") == 1_763_913_600.5


@pytest.mark.parametrize(
    ("answer", "error", "told"), [(200, None, (1, 1)), (503, None, (0, 1)), (200, "taken", (1, 0))]
)
def test_the_readiness_port_tells_its_answer_and_whether_it_listens(
    calls: CallCounter, answer: int, error: str | None, told: tuple[int, int]
):
    page = exposition(document(readiness={"answer": answer, "error": error}), calls)
    assert (value(page, "readiness_ready"), value(page, "readiness_listening")) == told


def test_without_a_readiness_port_there_is_no_series_of_it(calls: CallCounter):
    samples, _ = parse(exposition(document(), calls))
    assert not [name for name, _ in samples if "readiness" in name]


def test_a_vm_that_observes_counts_what_it_would_do(calls: CallCounter):
    page = exposition(document(), calls)
    assert value(page, "observes") == 0
    assert "would_be_writes_total{" not in page

    shown = document(mode="observe")
    shown["groups"][0]["would_writes"] = {"add": 0, "set_weight": 3, "remove": 1}
    page = exposition(shown, calls)
    assert value(page, "observes") == 1
    counts = {
        action: value(page, "would_be_writes_total", **LB, action=action)
        for action in ("add", "set_weight", "remove")
    }
    assert counts == {"add": 0, "set_weight": 3, "remove": 1}
    assert value(exposition(document(mode="observe", register=False), calls), "observes") == 0


def test_keys_that_expire_tell_when_and_whether_others_can_be_had(calls: CallCounter):
    keys = {"source": "ecs_ram_role", "good_until_seconds": 1_763_913_600.0, "error": "HTTP 404"}
    page = exposition(document(credentials=keys), calls)
    assert value(page, "credentials_good_until_timestamp_seconds") == 1_763_913_600
    assert value(page, "credentials_refreshable", source="ecs_ram_role") == 0


def test_files_of_co_located_jobs_are_usable_or_not(calls: CallCounter):
    files = [{"file": "/a", "problem": None}, {"file": "/b", "problem": "is not JSON"}]
    page = exposition(document(dynamic_configs=files), calls)
    assert value(page, "dynamic_config_usable", file="/a") == 1
    assert value(page, "dynamic_config_usable", file="/b") == 0


def test_the_same_check_at_two_paces_is_one_series(calls: CallCounter):
    check = {"check": "tcp 127.0.0.1:8080", "passed": 1, "failed": 2}
    page = exposition(document(local_checks=[check, check]), calls)
    assert value(page, "local_checks_total", check="tcp 127.0.0.1:8080", result="failed") == 4


ALWAYS = {
    "api_calls_total": 0, "build_info": 1, "credentials_refreshable": 1,
    "draining_since_timestamp_seconds": 1, "groups_in_service": 1, "groups_known": 1,
    "groups_wanted": 1, "held_since_timestamp_seconds": 1, "held_until_timestamp_seconds": 1,
    "last_successful_call_timestamp_seconds": 1, "log_lines_dropped_total": 1,
    "log_lines_stuck": 1, "needs_repair": 1, "observes": 1, "state": len(STATES),
}  # fmt: skip
"""How many samples there are of each, whatever is wrong."""


def test_before_anything_is_known_what_an_alert_is_made_of_is_there():
    page = exposition(
        document(groups=[], local_checks=[], complete=False, state="failing", needs_repair=True),
        CallCounter(lambda: 1.0),
    )
    samples, types = parse(page)
    for name, number in ALWAYS.items():
        full = f"slb_registration_{name}"
        assert len([sample for sample, _ in samples if sample == full]) == number
        assert full in types
    assert value(page, "state", state="failing") == 1
    assert value(page, "groups_wanted") == value(page, "groups_in_service") == 0
    assert value(page, "groups_known") == 0
    assert value(page, "needs_repair") == 1
    assert value(page, "last_successful_call_timestamp_seconds") == 0


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_a_series_and_one_of_them_is_1(calls: CallCounter, state: str):
    samples, _ = parse(exposition(document(state=state), calls))
    told = {dict(labels)["state"]: one for (name, labels), one in samples.items()
            if name == "slb_registration_state"}  # fmt: skip
    assert told == {one: float(one == state) for one in STATES}


def test_groups_are_counted_without_those_that_are_to_be_left(calls: CallCounter):
    groups = document()["groups"]
    left = {**groups[0], "name": "clb/lb-2", "wanted": False, "needs_repair": True}
    page = exposition(document(groups=[*groups, left]), calls)
    assert (value(page, "groups_wanted"), value(page, "groups_in_service")) == (2, 1)
    assert value(page, "needs_repair") == 0


def test_of_each_group_is_told_what_is_wanted_and_what_was_seen(calls: CallCounter):
    groups = document()["groups"]
    odd = {**groups[0], "weight": 7, "conflict": True, "phase": "hold"}
    gone = {**groups[1], "wanted_weight": None, "phase": "remove"}
    page = exposition(document(groups=[odd, gone]), calls)
    assert (value(page, "wanted_weight", **LB), value(page, "weight", **LB)) == (80, 7)
    assert (value(page, "wanted_weight", **RSP), value(page, "weight", **RSP)) == (-1, -1)
    assert [value(page, name, **LB) for name in ("conflict", "held", "draining")] == [1, 1, 0]
    assert [value(page, name, **RSP) for name in ("conflict", "held", "draining")] == [0, 0, 1]
    assert value(page, "last_read_timestamp_seconds", **LB) == 1_763_913_590
    assert value(page, "last_successful_read_timestamp_seconds", **LB) == 1_763_913_590.5
    assert value(page, "last_read_timestamp_seconds", **RSP) == 0
    assert [value(page, "setting_warnings", **one) for one in (LB, RSP)] == [2, 0]


def test_of_a_group_that_was_left_there_is_nothing(calls: CallCounter):
    page = exposition(document(groups=document()["groups"][:1]), calls)
    assert "rsp-1" not in page


def test_how_long_calls_took_is_a_histogram_by_product_action_and_result(page: str):
    def taken(result: str) -> list[float]:
        labels = {"product": "clb", "action": "AddBackendServers", "result": result}
        bounds = [f"{one:g}" for one in BUCKETS_SECONDS] + ["+Inf"]
        name = "api_call_duration_seconds"
        assert value(page, f"{name}_count", **labels) == (1 if result == "ok" else 2)
        assert value(page, f"{name}_sum", **labels) == (0.02 if result == "ok" else 60.3)
        return [value(page, f"{name}_bucket", **labels, le=bound) for bound in bounds]

    assert taken("ok") == [1] * 11
    assert taken("busy") == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2]


def test_a_call_that_was_not_sent_took_no_time():
    counter = CallCounter(lambda: 1.0)
    counter.count(made("AddBackendServers", "credentials"))
    assert counter.counts == {("AddBackendServers", "credentials"): 1}
    assert counter.timed == {}


def test_a_time_on_the_bound_of_a_bucket_is_in_it():
    counter = CallCounter(lambda: 1.0)
    counter.count(made("A", "ok", BUCKETS_SECONDS[3]))
    (timed,) = counter.timed.values()
    assert timed.cumulative == (0, 0, 0, 1, 1, 1, 1, 1, 1, 1)


def test_what_is_kept_of_calls_does_not_grow_with_their_number():
    counter = CallCounter(lambda: 1.0)
    for number in range(10_000):
        counter.count(made("A", "ok", number / 100))
    assert len(counter.timed) == len(counter.counts) == 1
    assert len(exposition(document(), counter).splitlines()) < 150


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) is not installed")
@pytest.mark.parametrize("groups", [(), None])
def test_promtool_finds_nothing_to_object_to(calls: CallCounter, groups: object):
    """What is read back above was written by the same hand."""
    keys = {"source": "ecs_ram_role", "good_until_seconds": 1_763_913_600.0, "error": None}
    files = [{"file": 'odd "name"\\ \n', "problem": None}]
    changes = {} if groups is None else {"groups": groups}
    page = exposition(document(credentials=keys, dynamic_configs=files, **changes), calls)
    done = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_documents_list_every_series(page: str):
    """And none that there is not."""
    text = (ROOT / "docs/metrics.md").read_text()
    told = set(re.findall(r"^\| `(slb_registration_\w+)`", text, re.M))
    assert told == set(parse(page)[1])


def test_counters_are_named_as_such(page: str):
    for name, kind in parse(page)[1].items():
        assert name.startswith("slb_registration_")
        assert (kind == "counter") is name.endswith("_total")
        assert name.endswith("_seconds") or kind != "histogram"


def test_odd_names_are_escaped(calls: CallCounter):
    odd = 'script /x"y\\z\nw, {}'
    checks = [{"check": odd, "passed": 1, "failed": 0}]
    page = exposition(document(local_checks=checks), calls)
    assert value(page, "local_checks_total", check=odd, result="passed") == 1


def test_large_counts_are_exact(calls: CallCounter):
    checks = [{"check": "c", "passed": 123_456_789_012, "failed": 0}]
    page = exposition(document(local_checks=checks), calls)
    assert value(page, "local_checks_total", check="c", result="passed") == 123_456_789_012


def test_only_a_success_moves_the_time_of_the_last():
    now = [100.0]
    counter = CallCounter(lambda: now[0])
    counter.count(made("A", "ok"))
    now[0] = 200.0
    counter.count(made("A", "throttled"))
    assert counter.last_success == 100.0
    assert counter.counts == {("A", "ok"): 1, ("A", "throttled"): 1}


def test_calls_of_many_threads_are_all_counted():
    counter = CallCounter(lambda: 1.0)
    threads = [
        threading.Thread(target=lambda: [counter.count(made("A", "ok")) for _ in range(500)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.counts == {("A", "ok"): 2000}


def test_the_content_type_names_the_version_of_the_form():
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
