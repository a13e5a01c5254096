"""Where the health checks of load balancers are answered."""

from __future__ import annotations

import pytest

from slb_registration.model.configuration import Readiness


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (None, None),
        ("10.0.0.5", "10.0.0.5"),
        ("[FD00::0005]", "fd00::5"),
        (":1", "::1"),  # as the director hands ::1 over
        ("0.0.0.0", "0.0.0.0"),
    ],
)
def test_health_checks_of_load_balancers_may_be_answered(load, given, address):
    given = {} if given is None else {"address": given}
    assert load({"readiness": {"port": 8079, **given}}).readiness == Readiness(8079, address)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": 80}, "readiness.port: must be a whole number from 1024 to 65535, not 80"),
        ({"port": "8079"}, "readiness.port: must be a whole number from 1024 to 65535; '8079' is"),
        ({"address": "10.0.0.5"}, "readiness.address: has no effect without readiness.port"),
        ({"port": 8079, "address": "web.example.com"}, "readiness.address: must be an IP address"),
        ({"port": 8079, "address": "10.0.0.5:80"}, "readiness.address: must be an IP address"),
        ({"port": 8080}, "readiness.port: is port, too: the agent needs a port of its own"),
        ({"port": 8081}, "readiness.port: is health_check.port, too"),
        ({"port": 9115}, "readiness.port: is metrics.port, too"),
        ({"port": 8082}, "readiness.port: is the port of a server group, too"),
    ],
)
def test_where_health_checks_of_load_balancers_cannot_be_answered_is_refused(problems, given, said):
    around = {
        "port": 8080,
        "health_check": {"port": 8081},
        "metrics": {"port": 9115},
        "server_groups": [{"vserver_group_id": "rsp-1", "port": 8082}],
    }
    (problem,) = problems({**around, "readiness": given})
    assert problem.startswith(said)
