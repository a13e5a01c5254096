from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.resources import HealthCheck
from mock_slb.health.probe import Prober, Tracker, attempt
from mock_slb.health.targets import Target, targets

FAST = HealthCheck(healthy_threshold=2, unhealthy_threshold=3, timeout_seconds=1)


class Service(http.server.BaseHTTPRequestHandler):
    status = 200
    seen: list[tuple[str, str, str | None]]

    def do_HEAD(self) -> None:
        self.seen.append((self.command, self.path, self.headers["Host"]))
        self.send_response(self.status)
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[tuple[int, type[Service]]]:
    handler = type("Handler", (Service,), {"seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1], handler
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def one_target(account: Account, port: int, check: HealthCheck, protocol: str = "tcp") -> Target:
    balancer = account.add_load_balancer("lb-probe")
    balancer.add_listener(80, protocol, backend_port=8080, health_check=check)
    account.add_instance("i-probe", ports={8080: port})
    balancer.default_group.add_server("i-probe")
    (target,) = targets(account)
    return target


def test_a_verdict_takes_so_many_in_a_row() -> None:
    tracker = Tracker(FAST)
    seen = [tracker.observe(ok) for ok in (True, False, True, True, False, False, True)]
    assert seen == [None, None, None, "normal", "normal", "normal", "normal"]
    assert [tracker.observe(False) for _ in range(3)] == ["normal", "normal", "abnormal"]
    assert [tracker.observe(True) for _ in range(2)] == ["abnormal", "normal"]


def test_a_tcp_check_is_met_by_a_port_that_listens(
    account: Account, service: tuple[int, type[Service]]
) -> None:
    assert attempt(one_target(account, service[0], FAST))


def test_a_tcp_check_fails_on_a_closed_port(account: Account, closed_port: int) -> None:
    assert not attempt(one_target(account, closed_port, FAST))


@pytest.mark.parametrize(("status", "ok"), [(200, True), (204, True), (302, False), (503, False)])
def test_an_http_check_judges_the_status(
    account: Account, service: tuple[int, type[Service]], status: int, ok: bool
) -> None:
    port, handler = service
    handler.status = status
    check = HealthCheck("http", path="/health", domain="example.org", timeout_seconds=1)
    assert attempt(one_target(account, port, check, "http")) is ok
    assert handler.seen == [("HEAD", "/health", "example.org")]


def test_an_http_check_may_use_get_and_accept_redirects(
    account: Account, service: tuple[int, type[Service]]
) -> None:
    port, handler = service
    handler.status = 301
    check = HealthCheck("http", method="get", http_codes=("http_2xx", "http_3xx"))
    assert attempt(one_target(account, port, check))
    assert handler.seen[0][0] == "GET"


def test_an_http_check_fails_on_what_is_not_http(account: Account) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_say_nonsense, args=(listening,))
        thread.start()
        check = HealthCheck("http", timeout_seconds=1)
        assert not attempt(one_target(account, listening.getsockname()[1], check))
        thread.join()


def _say_nonsense(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"what?\r\n\r\n")


def test_a_udp_check_fails_only_where_the_port_is_closed(
    account: Account, closed_port: int
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        check = HealthCheck(timeout_seconds=0.05)
        target = one_target(account, silent.getsockname()[1], check, "udp")
        assert attempt(target)
    assert not attempt(target)


def test_a_stopped_instance_fails_though_its_port_still_answers(
    account: Account, service: tuple[int, type[Service]]
) -> None:
    one_target(account, service[0], FAST)
    account.set_running("i-probe", False)
    (target,) = targets(account)
    assert target.address is None
    assert not attempt(target)


def test_probes_go_where_the_group_the_check_and_the_port_map_say(
    account: Account, balancer: LoadBalancer
) -> None:
    balancer.add_listener(81, vserver_group="rsp-1")
    balancer.add_listener(82, backend_port=8082, health_check=HealthCheck(port=9000))
    balancer.add_listener(83, health_check=None)
    balancer.add_listener(84, status="stopped")
    balancer.default_group.add_server("i-self")
    account.group("rsp-1").add_server("i-self", port=7000)
    found = {target.listener: target.address for target in targets(account)}
    assert found == {
        "tcp:80": ("127.0.0.1", 18080),  # 8080, mapped
        "tcp:81": ("127.0.0.1", 7000),
        "tcp:82": ("127.0.0.1", 9000),
    }


def test_health_goes_from_unavailable_to_normal_to_abnormal(
    account: Account, balancer: LoadBalancer
) -> None:
    balancer.listeners.clear()
    listener = balancer.add_listener(80, backend_port=8080, health_check=FAST)
    backend = balancer.default_group.add_server("i-self")
    results = iter([True, True, False, False, False])
    prober = Prober(account, try_once=lambda _: next(results))
    seen = []
    for _ in range(5):
        prober.round()
        seen.append(balancer.health(listener, backend))
    assert seen == ["unavailable", "normal", "normal", "normal", "abnormal"]


def test_a_server_at_weight_zero_is_still_probed(account: Account, balancer: LoadBalancer) -> None:
    balancer.default_group.add_server("i-self", weight=0)
    assert len(targets(account)) == 1


def test_a_server_that_is_added_again_starts_unavailable(
    account: Account, balancer: LoadBalancer
) -> None:
    balancer.default_group.add_server("i-self")
    prober = Prober(account, try_once=lambda _: True)
    for _ in range(3):
        prober.round()
    balancer.default_group.remove_server("i-self")
    again = balancer.default_group.add_server("i-self")
    prober.round()
    assert balancer.health(balancer.listeners["tcp:80"], again) == "unavailable"


def test_the_running_prober_keeps_to_intervals_and_notices_new_servers(
    account: Account, balancer: LoadBalancer
) -> None:
    balancer.listeners.clear()
    balancer.add_listener(80, health_check=HealthCheck(interval_seconds=10))
    probed: list[str] = []
    both = threading.Event()

    def note(target: Target) -> bool:
        probed.append(target.server_id)
        if target.server_id == "i-self":
            balancer.default_group.add_server("i-other")
        else:
            both.set()
        return True

    balancer.default_group.add_server("i-self")
    prober = Prober(account, try_once=note, clock=lambda: 0.0)
    prober.start()
    try:
        assert both.wait(5)
    finally:
        prober.stop()
    assert probed == ["i-self", "i-other"]  # each once: the clock stands still
