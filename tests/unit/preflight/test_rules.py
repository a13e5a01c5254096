"""The rules of the errand's warnings, played by the mocked cloud.

Each is shown by one setting that differs from a well-configured account, and by that alone.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.driver import PORT
from tests.unit.preflight.well_configured import CLB, DEFAULTS, GROUPS, KINDS, LISTENERS, Stage

from mock_slb.core.resources import HealthCheck


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_well_configured_is_not_warned_about(stage: Stage, kind: str):
    assert stage.warned(kind) == []
    assert stage.warned(kind, health_check={"type": "none"}) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_that_is_off(stage: Stage, kind: str):
    stage.set(kind, health_check=None)
    (warning,) = stage.warned(kind)
    assert warning["code"] == "check_off"
    assert warning["group"].startswith(kind[:3])
    assert warning["listener"] == LISTENERS.get(kind)
    assert "the health check is off" in warning["text"]
    assert "health check on" in warning["advice"]


@pytest.mark.parametrize("kind", KINDS)
def test_connection_draining_that_is_off(stage: Stage, kind: str):
    stage.set(kind, connection_drain_seconds=None)
    assert stage.codes(kind) == ["no_connection_drain"]


@pytest.mark.parametrize("kind", [*CLB, "alb"])
def test_session_persistence(stage: Stage, kind: str):
    stage.set(kind, sticky_seconds=1000)
    assert stage.codes(kind) == ["session_persistence"]


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_session_persistence_by_cookie_of_clb(stage: Stage, protocol: str):
    """These listeners have no connection draining: nothing is said of that."""
    stage.clb.listeners.clear()
    check = HealthCheck(type="http", path="/")
    stage.clb.add_listener(80, protocol, backend_port=PORT, health_check=check, sticky_seconds=60)
    (warning,) = stage.warned("clb default")
    assert (warning["code"], warning["listener"]) == ("session_persistence", f"{protocol}:80")


@pytest.mark.parametrize("kind", ["clb default", "clb vServer"])
def test_round_robin_hurts_where_weight_0_is_relied_on(stage: Stage, kind: str):
    stage.set(kind, scheduler="rr")
    assert stage.codes(kind) == ["round_robin"]
    assert stage.codes(kind, drain={"method": "remove"}) == ["round_robin"]
    assert stage.codes(kind, drain={"method": "remove"}, on_unhealthy="remove") == []


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_detection_that_takes_twice_as_long_as_ours(stage: Stage, kind: str):
    stage.checks(kind, interval_seconds=10, unhealthy_threshold=3)
    assert stage.codes(kind) == []
    stage.checks(kind, interval_seconds=10, unhealthy_threshold=4)
    (warning,) = stage.warned(kind)
    assert warning["code"] == "slow_detection"
    assert "takes 40 s (10 s, 4 times)" in warning["text"]
    assert "the local one 15 s" in warning["text"]
    assert stage.codes(kind, health_check={"interval": 10}) == []
    stage.checks(kind, unhealthy_threshold=3)  # of 30 s nobody is warned
    assert stage.codes(kind, health_check={"interval": 1, "timeout": 1}) == []


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_return_that_outlasts_post_start(stage: Stage, kind: str):
    stage.checks(kind, interval_seconds=5, healthy_threshold=9)
    assert stage.codes(kind) == []
    assert stage.codes(kind, post_start={"timeout": 40}) == ["slow_return"]


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_check_that_is_less_patient_than_ours(stage: Stage, kind: str):
    stage.checks(kind, interval_seconds=2, timeout_seconds=2)
    assert stage.codes(kind) == []
    slow = {"interval": 10, "timeout": 4}
    assert stage.codes(kind, health_check=slow) == ["shorter_timeout"]
    stage.checks(kind, timeout_seconds=4)
    assert stage.codes(kind, health_check=slow) == []


@pytest.mark.parametrize("kind", DEFAULTS)
def test_checks_of_two_ports(stage: Stage, kind: str):
    assert stage.codes(kind, health_check={"port": PORT}) == []
    (warning,) = stage.warned(kind, health_check={"port": 9000})
    assert warning["code"] == "other_check_port"
    assert f"port {PORT}" in warning["text"]
    assert "port 9000" in warning["text"]
    stage.checks(kind, port=9000)
    assert stage.codes(kind, health_check={"port": 9000}) == []
    assert stage.codes(kind) == ["other_check_port"]
    assert stage.codes(kind, health_check={"type": "script", "script": "/bin/true"}) == []


@pytest.mark.parametrize("kind", DEFAULTS)
def test_checks_of_two_paths(stage: Stage, kind: str):
    stage.checks(kind, type="http", path="/ping")
    assert stage.codes(kind) == []  # the local one asks for none
    ours = {"type": "http", "path": "/health"}
    assert stage.codes(kind, health_check=ours) == ["other_check_path"]
    stage.checks(kind, path="/health")
    assert stage.codes(kind, health_check=ours) == []


READINESS = {"readiness": {"port": 8099}}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_check_that_does_not_ask_the_agent_where_it_answers(stage: Stage, kind: str):
    (warning,) = stage.warned(kind, **READINESS)
    assert warning["code"] == "check_not_at_readiness_port"
    assert "readiness.port (8099)" in warning["text"]
    slow = {"interval_seconds": 5, "unhealthy_threshold": 4}
    stage.checks(kind, port=8099, type="http", path="/any", **slow)
    ours = {"type": "http", "path": "/health"}
    assert stage.codes(kind, **READINESS, health_check=ours) == []
    stage.checks(kind, type="tcp")
    assert stage.codes(kind, **READINESS) == ["readiness_check_not_http"]


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_check_of_the_agent_that_hears_too_late_or_gives_it_up_too_soon(stage: Stage, kind: str):
    quick = {"interval_seconds": 2, "unhealthy_threshold": 3}
    stage.checks(kind, port=8099, type="http", **quick)
    assert stage.codes(kind, **READINESS) == ["detection_shorter_than_restart"]
    stage.checks(kind, interval_seconds=10)
    assert stage.codes(kind, **READINESS) == []
    short = {"drain": {"timeout": 25}}
    assert stage.codes(kind, **READINESS, **short) == ["detection_longer_than_drain"]


def test_a_check_of_a_co_located_jobs_file_is_the_one_that_counts(stage: Stage):
    file = stage.folder / "slb_registration.json"
    asks = {"server_groups": [GROUPS["alb"]], "health_check": {"type": "tcp", "port": 9000}}
    file.write_text(json.dumps(asks))
    globs = {"dynamic_config_globs": [str(file)]}
    assert stage.codes(**globs) == ["other_check_port"]
    assert stage.codes("alb", **globs) == []  # named in the manifest: that says how


@pytest.mark.parametrize("kind", CLB)
def test_a_stopped_listener_of_clb(stage: Stage, kind: str):
    stage.set(kind, status="stopped")
    (warning,) = stage.warned(kind)
    assert (warning["code"], warning["listener"]) == ("listener_stopped", LISTENERS[kind])


@pytest.mark.parametrize(("kind", "name"), [("alb", "http:80"), ("nlb", "tcp:80")])
def test_a_stopped_listener_of_alb_and_nlb(stage: Stage, kind: str, name: str):
    listeners = getattr(stage.account, kind).balancer(f"{kind}-1").listeners
    ((id_, listener),) = listeners.items()
    listeners[id_] = replace(listener, status="Stopped")
    (warning,) = stage.warned(kind)
    assert (warning["code"], warning["listener"]) == ("listener_stopped", name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_to_which_no_listener_leads(stage: Stage, kind: str):
    if kind in CLB:
        del stage.clb.listeners[LISTENERS[kind]]
    else:
        getattr(stage.account, kind).balancer(f"{kind}-1").listeners.clear()
    assert "no_listener" in stage.codes(kind)


def test_a_group_to_which_only_forwarding_rules_lead(stage: Stage):
    alb = stage.account.alb
    alb.add_server_group("sgp-other")
    balancer = alb.balancer("alb-1")
    balancer.listeners.clear()
    listener = balancer.add_listener(80, server_group="sgp-other")
    balancer.add_rule(listener.id, server_group="sgp-alb")
    assert stage.codes("alb") == []


def test_a_listener_of_clb_whose_rules_may_lead_to_the_group_says_nothing_of_it(stage: Stage):
    del stage.clb.listeners[LISTENERS["clb vServer"]]
    stage.clb.add_listener(90, "http", backend_port=PORT, sticky_seconds=60, health_check=None)
    assert stage.codes("clb vServer") == []


@pytest.mark.parametrize("kind", ["clb default", "alb", "nlb"])
def test_a_group_of_another_vpc(stage: Stage, kind: str):
    place = stage.clb if kind in CLB else stage.of(kind)
    place.vpc_id = "vpc-other"
    (warning,) = stage.warned(kind)
    assert warning["code"] == "other_vpc"
    assert "vpc-other" in warning["text"]
    assert "vpc-mock" in warning["text"]
    place.vpc_id = ""  # a load balancer of the internet, or of the classic network
    assert stage.codes(kind) == []


def test_a_group_that_forwards_all_ports_and_connections_of_which_one_counts(stage: Stage):
    nlb = stage.account.nlb
    nlb.add_server_group("sgp-any", any_port=True, connection_drain_seconds=60).add_server("i-self")
    nlb.add_load_balancer("nlb-2").add_listener(80, server_group="sgp-any")
    entry = {"product": "nlb", "server_group_id": "sgp-any", "port": 0}
    given = {"server_groups": [entry], "health_check": {"port": PORT}}
    assert stage.codes(**given) == ["any_port_connections"]
    assert stage.codes(**given, drain={"connections_port": "1024-2048"}) == []


def test_a_group_of_a_file_that_forwards_all_ports_is_checked_on_the_files_port(stage: Stage):
    group = stage.account.nlb.add_server_group(
        "sgp-any", any_port=True, connection_drain_seconds=60, health_check=HealthCheck(port=9000)
    )
    group.add_server("i-self")
    stage.account.nlb.add_load_balancer("nlb-2").add_listener(80, server_group="sgp-any")
    file = stage.folder / "slb_registration.json"
    globs = {"dynamic_config_globs": [str(file)], "drain": {"connections_port": "1024-2048"}}
    entry = {"product": "nlb", "server_group_id": "sgp-any", "port": 0}
    for port, codes in ((9000, []), (9001, ["other_check_port"])):
        file.write_text(json.dumps({"server_groups": [entry], "port": port}))
        assert stage.codes(**globs) == codes
