"""Servers of the data plane: where a client is sent, and how long it keeps what it has there."""

from __future__ import annotations

import contextlib
from http.client import HTTPConnection, IncompleteRead
from typing import Any

import pytest
from tests.data_plane.backends import NEEDS_HAPROXY, TIMEOUT_SECONDS, Asking, ask
from tests.data_plane.stage import PORT, PRODUCTS, Stage, lines, port_of, staged

from mock_slb.core.resources import HealthCheck

pytestmark = NEEDS_HAPROXY


def test_new_connections_follow_the_weights(any_product: tuple[Stage, str]) -> None:
    stage, product = any_product
    group = stage.group(product)
    group.set_weight("a", 50, **port_of(product))
    stage.play()
    assert stage.who(25) == {"a": 5, "b": 10, "c": 10}
    group.set_weight("a", 100, **port_of(product))
    group.set_weight("b", 0, **port_of(product))
    stage.look()
    assert stage.who(20) == {"a": 10, "c": 10}


def test_at_layer_4_weight_0_keeps_the_connections_there_are_and_their_next_requests(
    tcp: Stage,
) -> None:
    group = tcp.group("nlb")
    tcp.play()
    with lines(tcp) as open_ones:
        group.set_weight("a", 0, port=PORT)
        tcp.look()
        assert tcp.who(10) == {"b": 5, "c": 5}
        assert open_ones["a"].ask() == "a"


def test_at_layer_7_weight_0_lets_the_requests_of_a_kept_connection_go_elsewhere(
    http: Stage,
) -> None:
    group = http.group("alb")
    http.play()
    with contextlib.closing(HTTPConnection(*http.address, timeout=TIMEOUT_SECONDS)) as kept:
        assert {ask(kept)[1] for _ in range(6)} == {"a", "b", "c"}
        group.set_weight("a", 0, port=PORT)
        http.look()
        assert {ask(kept) for _ in range(6)} == {(200, "b"), (200, "c")}


def test_a_request_under_way_ends_well_though_its_server_is_at_weight_0(http: Stage) -> None:
    group = http.group("alb")
    group.remove_server("b", port=PORT)
    group.remove_server("c", port=PORT)
    http.play()
    under_way = Asking(http.address, "/wait")
    http.servers["a"].reached.wait(TIMEOUT_SECONDS)
    group.set_weight("a", 0, port=PORT)
    http.look()
    assert http.who(1) == {None: 1}
    http.servers["a"].go_on.set()
    assert under_way.result() == (200, "a")


def test_with_all_weights_at_0_nobody_answers(any_product: tuple[Stage, str]) -> None:
    stage, product = any_product
    group = stage.group(product)
    for name in "abc":
        group.set_weight(name, 0, **port_of(product))
    stage.play()
    assert stage.who(2) == {None: 2}


def test_an_abnormal_server_gets_no_new_connections_and_keeps_those_there_are(
    tcp: Stage,
) -> None:
    tcp.group("nlb", check=True)
    for name in "abc":
        tcp.account.force_health(name, "normal")
    tcp.play()
    with lines(tcp) as open_ones:
        tcp.account.force_health("a", "abnormal")
        tcp.look()
        assert tcp.who(10) == {"b": 5, "c": 5}
        assert open_ones["a"].ask() == "a"
        tcp.account.force_health("a", "normal")
        tcp.look()
        assert tcp.who(9) == {"a": 3, "b": 3, "c": 3}


@pytest.mark.parametrize(("product", "answers"), [("clb", 0), ("alb", 6), ("nlb", 6)])
def test_alb_and_nlb_send_to_all_where_all_fail_and_clb_to_none(product: str, answers: int) -> None:
    with staged(product == "alb") as stage:
        stage.group(product, check=True)
        for name in "abc":
            stage.account.force_health(name, "abnormal")
        stage.play()
        assert sum(n for name, n in stage.who(6).items() if name) == answers
        stage.account.force_health("b", "normal")
        stage.look()
        assert stage.who(3) == {"b": 3}


@pytest.mark.parametrize("product", ["clb", "nlb"])
def test_without_connection_draining_a_removed_server_is_cut_off(product: str, tcp: Stage) -> None:
    group = tcp.group(product)
    tcp.play()
    with lines(tcp) as open_ones:
        group.remove_server("a", **port_of(product))
        tcp.look()
        assert open_ones["a"].ends()
        assert open_ones["b"].ask() == "b"
        assert tcp.who(4) == {"b": 2, "c": 2}


@pytest.mark.parametrize("product", ["clb", "nlb"])
def test_with_connection_draining_a_removed_server_keeps_its_connections_until_the_time_is_up(
    product: str, tcp: Stage
) -> None:
    group = tcp.group(product, drain=60)
    tcp.play()
    with lines(tcp) as open_ones:
        group.remove_server("a", **port_of(product))
        tcp.look()
        assert tcp.who(4) == {"b": 2, "c": 2}
        tcp.now = 59.9
        tcp.look()
        assert open_ones["a"].ask() == "a"
        tcp.now = 60.0
        tcp.look()
        assert open_ones["a"].ends()
        assert open_ones["b"].ask() == "b"


def test_with_connection_draining_a_failing_server_loses_its_connections_in_time(
    tcp: Stage,
) -> None:
    tcp.group("nlb", drain=60, check=True)
    for name in "abc":
        tcp.account.force_health(name, "normal")
    tcp.play()
    with lines(tcp) as open_ones:
        tcp.account.force_health("a", "abnormal")
        tcp.look()
        tcp.now = 50.0
        tcp.account.force_health("a", "normal")  # in time: it begins anew
        tcp.look()
        tcp.account.force_health("a", "abnormal")
        tcp.look()
        tcp.now = 100.0
        tcp.look()
        assert open_ones["a"].ask() == "a"
        tcp.now = 110.0
        tcp.look()
        assert open_ones["a"].ends()


def removed_while_asked(stage: Stage) -> Asking:
    """A request that a has begun with, where there is nobody else, and a is removed then."""
    group = stage.account.alb.group("sgp")
    for name in "bc":
        group.remove_server(name, port=PORT)
    stage.look()
    asking = Asking(stage.address, "/wait")
    stage.servers["a"].reached.wait(TIMEOUT_SECONDS)
    group.remove_server("a", port=PORT)
    stage.look()
    return asking


def test_what_is_under_way_at_the_removal_from_an_alb_may_end_in_the_drain_time(
    http: Stage,
) -> None:
    http.group("alb", drain=60)
    http.play()
    under_way = removed_while_asked(http)
    http.servers["a"].go_on.set()
    assert under_way.result() == (200, "a")


def test_what_is_under_way_longer_than_the_drain_time_of_an_alb_ends_with_a_500(
    http: Stage,
) -> None:
    http.group("alb", drain=60)
    http.play()
    under_way = removed_while_asked(http)
    http.now = 60.0
    http.look()
    assert under_way.result()[0] == 500


def test_an_answer_that_has_begun_is_cut_short(http: Stage) -> None:
    group = http.group("alb")
    for name in "bc":
        group.remove_server(name, port=PORT)
    http.play()
    with contextlib.closing(HTTPConnection(*http.address, timeout=TIMEOUT_SECONDS)) as client:
        client.request("GET", "/half")
        answer = client.getresponse()
        assert answer.read(1) == b"a"
        group.remove_server("a", port=PORT)
        http.look()
        with pytest.raises(IncompleteRead):
            answer.read()


def test_without_connection_draining_what_is_under_way_may_be_let_finish(http: Stage) -> None:
    http.group("alb")
    http.play(without_draining="finish")
    under_way = removed_while_asked(http)
    http.now = 1e6
    http.look()
    http.servers["a"].go_on.set()
    assert under_way.result() == (200, "a")


def test_a_server_that_comes_back_is_another_and_gets_connections_at_once(tcp: Stage) -> None:
    group = tcp.group("nlb", drain=60)
    tcp.play()
    with lines(tcp) as open_ones:
        group.remove_server("a", port=PORT)
        tcp.look()
        group.add_server("a", port=PORT)
        tcp.look()
        assert tcp.who(6) == {"a": 2, "b": 2, "c": 2}
        tcp.now = 60.0
        tcp.look()
        assert open_ones["a"].ends()
        assert tcp.who(6) == {"a": 2, "b": 2, "c": 2}


def test_a_refused_connection_shows(any_product: tuple[Stage, str]) -> None:
    stage, product = any_product
    stage.group(product)
    stage.play()
    stage.servers["a"].close()
    assert stage.who(6) == {None: 2, "b": 2, "c": 2}


def test_a_stopped_instance_refuses_until_it_is_started_again(tcp: Stage) -> None:
    tcp.group("nlb")
    tcp.play()
    tcp.account.set_running("a", False)
    tcp.look()
    assert tcp.who(3) == {None: 1, "b": 1, "c": 1}
    tcp.account.set_running("a", True)
    tcp.look()
    assert tcp.who(3) == {"a": 1, "b": 1, "c": 1}


def test_changes_arrive_after_the_lag_and_health_at_once(tcp: Stage) -> None:
    group = tcp.group("nlb", check=True)
    for name in "abc":
        tcp.account.force_health(name, "normal")
    tcp.play(lag_seconds=20)
    group.set_weight("a", 0, port=PORT)
    group.remove_server("b", port=PORT)
    tcp.look()
    tcp.now = 19.9
    tcp.account.force_health("c", "abnormal")
    tcp.look()
    assert tcp.who(4) == {"a": 2, "b": 2}
    tcp.account.force_health("c", "normal")
    tcp.now = 20.0
    tcp.look()
    assert tcp.who(2) == {"c": 2}


@pytest.mark.parametrize("product", PRODUCTS)
def test_weight_0_arrives_after_the_lag_though_nobody_checks_the_server_any_more(
    product: str,
) -> None:
    with staged(product == "alb") as stage:
        group = stage.group(product, check=True)
        balancer: Any = stage.account.load_balancers.get("lb")
        if balancer is None:
            balancer = getattr(stage.account, product).balancer("lb")
        routes = balancer.listeners.values() if product == "clb" else balancer.routes()
        for route in routes:
            for server in group.servers():
                balancer.report_health(route, server, "normal")
        stage.play(lag_seconds=5)
        group.set_weight("a", 0, **port_of(product))
        stage.look()
        assert stage.who(3) == {"a": 1, "b": 1, "c": 1}
        stage.now = 5.0
        stage.look()
        assert stage.who(4) == {"b": 2, "c": 2}


def test_a_server_without_a_result_of_its_check_waits_or_serves() -> None:
    for unchecked, expected in (("waits", {None: 3}), ("serves", {"a": 1, "b": 1, "c": 1})):
        with staged(False) as stage:
            stage.group("clb", check=True)
            stage.play(unchecked=unchecked)
            assert stage.who(3) == expected


def test_under_round_robin_weights_have_no_effect_and_0_as_is_chosen() -> None:
    for zero, expected in (("stops", {"b": 3, "c": 3}), ("ignored", {"a": 2, "b": 2, "c": 2})):
        with staged(False) as stage:
            group = stage.clb(scheduler="rr").default_group
            group.set_weight("a", 0)
            group.set_weight("b", 1)
            stage.play(round_robin_zero=zero)
            assert stage.who(6) == expected


@pytest.mark.parametrize("scheduler", ["wlc", "sch", "tch", "qch"])
def test_every_scheduler_of_clb_lets_weights_change(scheduler: str, tcp: Stage) -> None:
    group = tcp.clb(scheduler=scheduler).default_group
    group.set_weight("a", 0)
    group.set_weight("b", 0)
    tcp.play()
    assert tcp.who(3) == {"c": 3}
    group.remove_server("a")
    group.add_server("a")
    group.set_weight("c", 0)
    tcp.look()
    assert tcp.who(3) == {"a": 3}


def test_the_standby_server_serves_while_the_active_one_fails(tcp: Stage) -> None:
    balancer = tcp.account.add_load_balancer("lb")
    balancer.add_master_slave_group("rsp", master=("a", PORT), slave=("b", PORT))
    balancer.add_listener(80, master_slave_group="rsp", health_check=HealthCheck())
    tcp.account.force_health("a", "normal")
    tcp.account.force_health("b", "normal")
    tcp.play()
    assert tcp.who(2) == {"a": 2}
    tcp.account.force_health("a", "abnormal")
    tcp.look()
    assert tcp.who(2) == {"b": 2}
    tcp.account.force_health("b", "abnormal")
    tcp.look()
    assert tcp.who(2) == {None: 2}
