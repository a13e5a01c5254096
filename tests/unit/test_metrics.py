"""The metrics page, read back as Prometheus reads it."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from slb_registration.metrics import CONTENT_TYPE, CallCounter, exposition

from .driver import QUIET

LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+]+|NaN|[+-]Inf)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
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
            assert kind in ("counter", "gauge")
            types[name] = kind
        else:
            match = LINE.fullmatch(line)
            assert match, line
            name, text, value = match.groups()
            assert name == list(types)[-1], "samples of a family stand together"
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
        "last_seen_in_service": True,
        "weight": 80,
        "health": [
            {"listener": "tcp:80", "port": 8080, "status": "normal"},
            {"listener": "tcp:443", "port": 8080, "status": "abnormal"},
            {"listener": "http:81", "port": 8080, "status": "not checked"},
        ],
        "drift_repaired": {"registration": 1, "weight": 2},
    }
    out = {"last_seen_in_service": False, "weight": None, "health": []}
    absent = {**group, "name": "clb/rsp-1:8080", **out}
    return {
        "groups": [group, absent],
        "drain": None,
        **QUIET,
        "local_checks": [{"check": "tcp 127.0.0.1:8080", "passed": 41, "failed": 2}],
        **changes,
    }


@pytest.fixture
def calls() -> CallCounter:
    counter = CallCounter(lambda: 1_763_913_600.125)
    counter.count("AddBackendServers", "ok")
    counter.count("AddBackendServers", "busy")
    counter.count("AddBackendServers", "busy")
    return counter


@pytest.fixture
def page(calls: CallCounter) -> str:
    return exposition(document(), calls)


def test_the_build_that_runs_is_named(page: str):
    assert value(page, "build_info", version="1.2", package="aliyun_py/f00d") == 1


def test_lines_that_the_log_lost_are_counted(calls: CallCounter):
    page = exposition(document(log_lines_dropped=3), calls)

    assert value(page, "log_lines_dropped_total") == 3


def test_the_page_says_what_the_status_says(page: str):
    assert value(page, "in_service", group="clb/lb-1") == 1
    assert value(page, "in_service", group="clb/rsp-1:8080") == 0
    assert value(page, "weight", group="clb/lb-1") == 80
    assert value(page, "weight", group="clb/rsp-1:8080") == -1
    assert value(page, "listener_normal", group="clb/lb-1", listener="tcp:80") == 1
    assert value(page, "listener_normal", group="clb/lb-1", listener="tcp:443") == 0
    assert value(page, "listener_normal", group="clb/lb-1", listener="http:81") == 1
    assert value(page, "drift_repaired_total", group="clb/lb-1", field="weight") == 2
    assert value(page, "api_calls_total", action="AddBackendServers", result="ok") == 1
    assert value(page, "api_calls_total", action="AddBackendServers", result="busy") == 2
    assert value(page, "last_successful_call_timestamp_seconds") == 1_763_913_600.125
    assert value(page, "local_checks_total", check="tcp 127.0.0.1:8080", result="passed") == 41
    assert value(page, "local_checks_total", check="tcp 127.0.0.1:8080", result="failed") == 2
    assert value(page, "draining_since_timestamp_seconds") == 0
    assert value(page, "held_since_timestamp_seconds") == 0


def test_a_drain_tells_since_when(calls: CallCounter):
    page = exposition(document(drain={"since_seconds": 1_763_913_500.5}), calls)
    assert value(page, "draining_since_timestamp_seconds") == 1_763_913_500.5


def test_a_hold_tells_since_when_so_that_none_is_forgotten(calls: CallCounter):
    page = exposition(document(held_since_seconds=1_763_913_500.5), calls)
    assert value(page, "held_since_timestamp_seconds") == 1_763_913_500.5


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


def test_before_anything_is_known_the_page_is_still_one():
    empty = CallCounter(lambda: 1.0)
    samples, types = parse(exposition(document(groups=[], local_checks=[]), empty))
    build = {("version", "1.2"), ("package", "aliyun_py/f00d")}
    assert list(samples) == [
        ("slb_registration_build_info", frozenset(build)),
        ("slb_registration_draining_since_timestamp_seconds", frozenset()),
        ("slb_registration_held_since_timestamp_seconds", frozenset()),
        ("slb_registration_log_lines_dropped_total", frozenset()),
        ("slb_registration_credentials_refreshable", frozenset({("source", "static")})),
    ]
    assert "slb_registration_in_service" in types
    assert empty.last_success is None


def test_counters_are_named_as_such(page: str):
    for name, kind in parse(page)[1].items():
        assert name.startswith("slb_registration_")
        assert (kind == "counter") is name.endswith("_total")


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
    counter.count("A", "ok")
    now[0] = 200.0
    counter.count("A", "throttled")
    assert counter.last_success == 100.0
    assert counter.counts == {("A", "ok"): 1, ("A", "throttled"): 1}


def test_calls_of_many_threads_are_all_counted():
    counter = CallCounter(lambda: 1.0)
    threads = [
        threading.Thread(target=lambda: [counter.count("A", "ok") for _ in range(500)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.counts == {("A", "ok"): 2000}


def test_the_content_type_names_the_version_of_the_form():
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
