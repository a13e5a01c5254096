"""Listeners of the data plane: where they lead, the HAProxy processes behind them, their counts."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
from tests.data_plane.backends import (
    NEEDS_HAPROXY,
    TIMEOUT_SECONDS,
    Asking,
    Line,
    ask,
    backends,
    get,
)
from tests.data_plane.stage import PORT, Stage, lines
from tests.ports import free_port

from mock_slb.account.account import Account
from mock_slb.core.resources import HealthCheck
from mock_slb.data_plane.haproxy import DataPlaneError
from mock_slb.data_plane.plane import DataPlane
from mock_slb.data_plane.settings import Settings
from mock_slb.data_plane.traffic import ServerTraffic

pytestmark = NEEDS_HAPROXY


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
