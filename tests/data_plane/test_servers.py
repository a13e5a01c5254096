"""The data plane of the mocked load balancers, by what a client gets through it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import Any

import pytest
from tests.data_plane.backends import (
    NEEDS_HAPROXY,
    TIMEOUT_SECONDS,
    Asking,
    Backend,
    Line,
    ask,
    backends,
    get,
)
from tests.ports import free_port

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.resources import HealthCheck
from mock_slb.data_plane.haproxy import DataPlaneError
from mock_slb.data_plane.plane import DataPlane
from mock_slb.data_plane.settings import Settings
from mock_slb.data_plane.traffic import ServerTraffic

pytestmark = NEEDS_HAPROXY

PORT = 8080
PRODUCTS = ("clb", "alb", "nlb")


class Stage:
    """Three servers a, b and c, and an account in which they are instances of these names."""

    def __init__(self, servers: dict[str, Backend], http: bool) -> None:
        self.servers = servers
        self.http = http
        self.account = Account()
        self.account.change_seconds = 0
        self.now = 0.0
        self.told: list[str] = []
        self.plane: DataPlane | None = None
        for name, server in servers.items():
            self.account.add_instance(name, ports={PORT: server.port})

    def clb(self, **options) -> LoadBalancer:
        balancer = self.account.add_load_balancer("lb")
        for name in self.servers:
            balancer.default_group.add_server(name)
        protocol = "http" if self.http else "tcp"
        options = {"health_check": None, **options}
        balancer.add_listener(80, protocol, backend_port=PORT, **options)
        return balancer

    def group(self, product: str, *, drain: int | None = None, check: bool = False):
        """A group of the product behind one listener, with all three servers."""
        if product == "clb":
            options = {"health_check": HealthCheck()} if check else {}
            return self.clb(connection_drain_seconds=drain, **options).default_group
        fleet = self.account.alb if product == "alb" else self.account.nlb
        options = {} if check else {"health_check": None}
        group = fleet.add_server_group("sgp", connection_drain_seconds=drain, **options)
        for name in self.servers:
            group.add_server(name, port=PORT)
        fleet.add_load_balancer("lb").add_listener(80, server_group="sgp", id="lsn")
        return group

    def play(self, **settings) -> None:
        self.plane = DataPlane(
            self.account, Settings(**settings), clock=lambda: self.now, tell=self.told.append
        )
        self.plane.look()

    def look(self) -> None:
        assert self.plane is not None
        self.plane.look()

    @property
    def address(self) -> tuple[str, int]:
        assert self.plane is not None
        (name,) = self.plane.traffic()
        return self.plane.address(name)

    def who(self, times: int) -> Counter:
        """Who answers so many new connections; None where nobody does."""
        if self.http:
            found = [get(self.address) for _ in range(times)]
            return Counter(body if status == 200 else None for status, body in found)
        return Counter(self._line_once() for _ in range(times))

    def _line_once(self) -> str | None:
        with contextlib.closing(Line(self.address)) as line:
            return line.ask()


@contextlib.contextmanager
def staged(http: bool) -> Iterator[Stage]:
    with backends("a", "b", "c", http=http) as servers:
        stage = Stage(servers, http)
        yield stage
        if stage.plane is not None:
            stage.plane.close()
        assert stage.told == []


@pytest.fixture
def tcp() -> Iterator[Stage]:
    with staged(False) as stage:
        yield stage


@pytest.fixture
def http() -> Iterator[Stage]:
    with staged(True) as stage:
        yield stage


@pytest.fixture(params=PRODUCTS)
def any_product(request: pytest.FixtureRequest) -> Iterator[tuple[Stage, str]]:
    with staged(request.param == "alb") as stage:
        yield stage, request.param


def port_of(product: str) -> dict[str, int]:
    return {} if product == "clb" else {"port": PORT}


@contextlib.contextmanager
def lines(stage: Stage) -> Iterator[dict[str, Line]]:
    """An open connection to each server."""
    made: dict[str, Line] = {}
    while len(made) < len(stage.servers):
        line = Line(stage.address)
        made[str(line.ask())] = line
    try:
        yield made
    finally:
        for line in made.values():
            line.close()


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


def test_a_group_that_forwards_every_port_gets_the_one_of_its_listener(tcp: Stage) -> None:
    tcp.account.nlb.add_server_group("sgp", any_port=True, health_check=None).add_server("a")
    balancer = tcp.account.nlb.add_load_balancer("lb")
    balancer.add_listener(PORT, server_group="sgp")
    tcp.play()
    assert tcp.who(1) == {"a": 1}


def test_a_group_may_be_behind_several_listeners_and_health_is_each_ones_own(tcp: Stage) -> None:
    balancer = tcp.clb()
    other = balancer.add_listener(81, backend_port=PORT, health_check=HealthCheck())
    balancer.report_health(other, balancer.default_group.server("a"), "abnormal")
    balancer.report_health(other, balancer.default_group.server("b"), "normal")
    tcp.play()
    assert tcp.plane is not None
    for listener, expected in (("tcp:80", ["a", "b", "c"]), ("tcp:81", ["b"])):
        found = set()
        for _ in range(3):
            with contextlib.closing(Line(tcp.plane.address(f"lb/{listener}"))) as line:
                found.add(line.ask())
        assert sorted(found) == expected


def alb_with_groups(stage: Stage) -> None:
    """An ALB with a group of each server, all of them behind it, by default a."""
    alb = stage.account.alb
    for name in stage.servers:
        alb.add_server_group(name, health_check=None).add_server(name, port=PORT)
    alb.add_load_balancer("lb").add_listener(80, server_group="a", id="lsn")


def test_a_rule_diverts_paths_and_the_first_that_fits_counts(http: Stage) -> None:
    alb_with_groups(http)
    balancer = http.account.alb.balancer("lb")
    balancer.add_rule("lsn", server_group="b", path="/x/?.'$(2)")
    balancer.add_rule("lsn", server_group="a", path='/y/ "#*')
    balancer.add_rule("lsn", server_group="c", path="/x/*")
    http.play()
    answers = {
        "/": "a",
        "/x": "a",
        "/x/1": "c",
        "/y/x/1": "a",
        "/x/1.'$(2)": "b",
        "/x/1_'$(2)": "c",
    }
    assert {path: get(http.address, path)[1] for path in answers} == answers


def test_a_rule_that_comes_disturbs_nothing_that_is_under_way(http: Stage) -> None:
    alb_with_groups(http)
    http.play()
    under_way = Asking(http.address, "/wait")
    http.servers["a"].reached.wait(TIMEOUT_SECONDS)
    address = http.address
    http.account.alb.balancer("lb").add_rule("lsn", server_group="b", path="/b")
    http.look()
    assert http.address == address
    assert get(address, "/b") == (200, "b")
    http.servers["a"].go_on.set()
    assert under_way.result() == (200, "a")
    assert http.plane is not None
    while len(http.plane.pids()) > 1:  # until HAProxy has seen that the client is gone
        http.look()


def test_what_is_under_way_in_a_process_that_was_replaced_is_cut_as_well(http: Stage) -> None:
    alb_with_groups(http)
    http.play()
    under_way = Asking(http.address, "/wait")
    http.servers["a"].reached.wait(TIMEOUT_SECONDS)
    http.account.alb.balancer("lb").add_rule("lsn", server_group="b", path="/b")
    http.look()
    http.account.alb.group("a").remove_server("a", port=PORT)
    http.look()
    assert under_way.result()[0] == 500


def test_listeners_come_and_go_while_connections_of_others_stay(tcp: Stage) -> None:
    balancer = tcp.clb()
    tcp.play()
    assert tcp.plane is not None
    with lines(tcp) as open_ones:
        balancer.add_listener(81, backend_port=PORT, health_check=None)
        tcp.look()
        second = tcp.plane.address("lb/tcp:81")
        with contextlib.closing(Line(second)) as line:
            assert line.ask() is not None
            del balancer.listeners["tcp:81"]
            tcp.look()
            assert line.ends()
        with pytest.raises(ConnectionRefusedError):
            Line(second)
        assert [line.ask() for line in open_ones.values()] == list(open_ones)


def test_haproxy_that_was_killed_is_told_of_and_replaced_with_its_counts(tcp: Stage) -> None:
    tcp.group("nlb")
    tcp.play()
    assert tcp.plane is not None
    address = tcp.address
    assert tcp.who(3) == {"a": 1, "b": 1, "c": 1}
    servers(tcp)
    (pid,) = tcp.plane.pids()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    tcp.look()
    assert tcp.told == ["HAProxy of lb/lsn ended by itself; another one is started"]
    tcp.told.clear()
    assert tcp.address == address
    assert tcp.who(3) == {"a": 1, "b": 1, "c": 1}
    assert [one.requests for one in servers(tcp)] == [2, 2, 2]


def servers(stage: Stage) -> list[ServerTraffic]:
    assert stage.plane is not None
    (listener,) = stage.plane.traffic().values()
    return listener.servers


def test_connections_and_requests_are_counted_by_server_also_when_it_is_gone(http: Stage) -> None:
    group = http.group("alb")
    http.play()
    with contextlib.closing(HTTPConnection(*http.address, timeout=TIMEOUT_SECONDS)) as kept:
        for _ in range(6):
            ask(kept)
    http.servers["b"].close()
    assert http.who(3) == {"a": 1, None: 1, "c": 1}
    group.remove_server("a", port=PORT)
    group.remove_server("c", port=PORT)
    http.look()
    group.add_server("a", port=PORT)
    group.set_weight("b", 0, port=PORT)
    http.look()
    assert http.who(2) == {"a": 2}
    found = {
        one.server_id: (one.requests, one.failed, one.health, one.share) for one in servers(http)
    }
    assert found == {
        "a": (5, 0, "up", 100),
        "b": (3, 1, "up", 0),
        "c": (3, 0, "gone", 0),
    }


def test_open_connections_are_counted(tcp: Stage) -> None:
    tcp.group("nlb")
    tcp.play()
    with lines(tcp):
        assert [one.open for one in servers(tcp)] == [1, 1, 1]


def test_what_cannot_be_played_is_said(tcp: Stage) -> None:
    balancer = tcp.clb()
    balancer.add_listener(53, "udp", backend_port=PORT)
    tcp.play()
    assert tcp.plane is not None
    assert tcp.plane.view()["not_played"] == {"lb/udp:53": "HAProxy forwards no UDP"}


def trusting(stage: Stage) -> ssl.SSLContext:
    """What trusts the authority that the data plane tells of."""
    assert stage.plane is not None
    return ssl.create_default_context(cadata=str(stage.plane.view()["ca"]))


@pytest.mark.parametrize("product", ["clb", "alb"])
def test_https_ends_at_the_listener_and_requests_are_balanced(product: str, http: Stage) -> None:
    if product == "clb":
        http.account.add_load_balancer("lb").default_group.add_server("a")
        http.account.load_balancer("lb").add_listener(
            443, "https", backend_port=PORT, health_check=None
        )
    else:
        http.account.alb.add_server_group("sgp", health_check=None).add_server("a", port=PORT)
        http.account.alb.add_load_balancer("lb").add_listener(443, "HTTPS", server_group="sgp")
    http.play()
    context = trusting(http)
    with contextlib.closing(HTTPSConnection("localhost", http.address[1], context=context)) as line:
        assert [ask(line) for _ in range(2)] == [(200, "a")] * 2


def test_tcpssl_ends_at_the_listener_and_connections_are_balanced(tcp: Stage) -> None:
    tcp.account.nlb.add_server_group("sgp", health_check=None).add_server("a", port=PORT)
    tcp.account.nlb.add_load_balancer("lb").add_listener(443, "TCPSSL", server_group="sgp")
    tcp.play()
    with (
        socket.create_connection(tcp.address, timeout=TIMEOUT_SECONDS) as plain,
        trusting(tcp).wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        secured.sendall(b"who?\n")
        assert secured.recv(10) == b"a\n"


def test_ports_can_be_given_and_one_that_is_taken_is_said(tcp: Stage) -> None:
    balancer = tcp.clb()
    tcp.play(ports={"lb/tcp:80": free_port()})
    assert tcp.plane is not None
    port = tcp.plane.settings.ports["lb/tcp:80"]
    assert tcp.address == ("127.0.0.1", port)
    assert sum(tcp.who(3).values()) == 3
    second = DataPlane(tcp.account, Settings(ports={"lb/tcp:80": port}), tell=tcp.told.append)
    with contextlib.closing(second), pytest.raises(DataPlaneError) as error:
        second.start()
    assert f"lb/tcp:80 cannot listen on 127.0.0.1:{port}: " in str(error.value)
    assert balancer.default_group.servers() != []


def test_layer_7_connects_from_an_address_of_its_own(http: Stage) -> None:
    http.group("alb")
    http.play(layer_7_source="127.100.64.1")
    http.who(3)
    assert [one.clients for one in http.servers.values()] == [{"127.100.64.1"}] * 3


def test_haproxy_is_started_with_what_is_chosen(tcp: Stage) -> None:
    tcp.group("nlb")
    tcp.play(command=("env", "CHOSEN=yes"))
    assert tcp.plane is not None
    (pid,) = tcp.plane.pids()
    assert b"CHOSEN=yes" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def test_any_id_is_a_name_for_haproxy() -> None:
    with backends("a", http=False) as servers:
        account = Account()
        account.add_instance("i /é#\"'$", ports={PORT: servers["a"].port})
        balancer = account.add_load_balancer("lb ü#")
        balancer.default_group.add_server("i /é#\"'$")
        balancer.add_listener(80, backend_port=PORT, health_check=None)
        with contextlib.closing(DataPlane(account)) as plane:
            plane.look()
            with contextlib.closing(Line(plane.address("lb ü#/tcp:80"))) as line:
                assert line.ask() == "a"


@pytest.mark.parametrize("host", ["localhost", "::1"])
def test_an_instance_may_be_reached_by_a_name_or_an_ipv6_address(host: str) -> None:
    with backends("a", http=False, host="::1" if ":" in host else "127.0.0.1") as servers:
        account = Account()
        account.add_instance("a", host=host, ports={PORT: servers["a"].port})
        balancer = account.add_load_balancer("lb")
        balancer.add_listener(80, backend_port=PORT, health_check=None)
        with contextlib.closing(DataPlane(account)) as plane:
            plane.look()
            balancer.default_group.add_server("a")
            plane.look()
            plane.look()
            account.set_running("a", False)
            plane.look()
            account.set_running("a", True)
            plane.look()
            with contextlib.closing(Line(plane.address("lb/tcp:80"))) as line:
                assert line.ask() == "a"


def test_an_instance_whose_name_has_no_address_is_said_and_hinders_no_other(tcp: Stage) -> None:
    tcp.account.add_instance("d", host="no such host")
    other = tcp.account.add_load_balancer("first")
    other.default_group.add_server("d")
    other.add_listener(80, backend_port=PORT, health_check=None)
    tcp.clb()
    with pytest.raises(DataPlaneError, match=r"no such host has no address"):
        tcp.play()
    assert tcp.plane is not None
    with contextlib.closing(Line(tcp.plane.address("lb/tcp:80"))) as line:
        assert line.ask() is not None


def test_where_haproxy_is_missing_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(DataPlaneError, match="apt-get install --no-install-recommends haproxy"):
        DataPlane(Account())
