"""Where metrics are told, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.agent_json import PEM

from slb_registration.model.configuration import Metrics, MetricsTls


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (None, "127.0.0.1"),
        ("127.0.0.53", "127.0.0.53"),
        (":1", "::1"),  # as the director hands ::1 over
        ("[::1]", "::1"),
    ],
)
def test_metrics_are_told_in_clear_on_loopback_addresses(load, given, address):
    told = load({"metrics": {"port": 9115, **({} if given is None else {"address": given})}})
    assert told.metrics == Metrics(9115, address)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "10.0.0.5", "::", ":", "fd00::5", "::ffff:10.0.0.5"]
)
def test_metrics_are_told_to_other_machines_by_tls_alone(load, problems, address):
    metrics = {"port": 9115, "address": address}

    (problem,) = problems({"metrics": metrics})
    assert problem.startswith("metrics.address: ")
    assert "can be asked from other machines: give metrics.tls.certificate" in problem

    told = load({"metrics": {**metrics, "tls": {"server_name": "slb"}}}, metrics_tls=PEM).metrics
    assert told.tls == MetricsTls(*map(Path, PEM.values()))


@pytest.mark.parametrize(
    ("metrics", "files", "said"),
    [
        ({"port": 9115, "address": "web"}, {}, "metrics.address: must be an IP address"),
        ({"port": 9115, "address": "10.0.0.5:9115"}, {}, "metrics.address: must be an IP address"),
        ({"address": "10.0.0.5"}, {}, "metrics.address: has no effect without metrics.port"),
        ({}, PEM, "metrics.tls.certificate: has no effect without metrics.port"),
        (
            {"port": 9115, "tls": {"server_name": "slb"}},
            {},
            "metrics.tls.server_name: has no effect",
        ),
        (
            {"port": 9115, "tls": {"server_name": "s b"}},
            PEM,
            "metrics.tls.server_name: must be a name",
        ),
        (
            {"port": 9115, "tls": {"certificate": "x"}},
            {},
            "metrics.tls.certificate: there is no such",
        ),
        *(
            (
                {"port": 9115, "address": "10.0.0.5"},
                {other: path for other, path in PEM.items() if other != name},
                f"metrics.tls.{name}: is missing: it is needed together with",
            )
            for name in PEM
        ),
    ],
)
def test_where_metrics_cannot_be_told_is_refused(problems, metrics, files, said):
    (problem,) = problems({"metrics": metrics}, metrics_tls=files)
    assert problem.startswith(said)
