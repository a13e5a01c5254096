from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from aliyunsdkcore.acs_exception.exceptions import ClientException

from mock_slb.account.account import Account
from mock_slb.core.resources import HealthCheck
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Delay, Rule
from mock_slb.http.wire import WireRequest
from mock_slb.server import MockServer, is_loopback, serve

if TYPE_CHECKING:
    from conftest import Sdk

SELF = json.dumps([{"ServerId": "i-self"}])
NewSdk = Callable[..., "Sdk"]


@pytest.fixture
def http(server: MockServer) -> Iterator[HTTPConnection]:
    with closing(_connect(server)) as connection:
        yield connection


def _connect(server: MockServer) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", server.port, timeout=5)


def ask(connection: HTTPConnection, method: str, path: str, **options: Any) -> tuple[int, bytes]:
    connection.request(method, path, **options)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_sdk_works_over_http(server: MockServer, new_sdk: NewSdk) -> None:
    sdk = new_sdk(server.url)
    sdk("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    answer = sdk("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    assert [b["ServerId"] for b in answer["BackendServers"]["BackendServer"]] == ["i-self"]


def test_threads_may_share_one_client(server: MockServer, new_sdk: NewSdk) -> None:
    sdk = new_sdk(server.url)

    def work() -> None:
        for _ in range(10):
            sdk("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [call.status for call in server.calls.all()] == [200] * 80


@pytest.mark.parametrize("method", ["GET", "POST query", "POST form"])
def test_parameters_come_in_the_query_or_in_a_form(
    server: MockServer,
    http: HTTPConnection,
    sign_call: Callable[..., WireRequest],
    method: str,
) -> None:
    from mock_slb.signing.signature import sign

    verb, _, place = method.partition(" ")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    request = sign_call("DescribeLoadBalancers", {}, AccessKeyId="sdk-key", Timestamp=stamp)
    params = {**request.params}
    params["Signature"] = sign(verb, params, "sdk-secret")
    text = urlencode(params)
    if place == "form":
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        status, body = ask(http, verb, "/", body=text, headers=form)
    else:
        status, body = ask(http, verb, f"/?{text}")
    assert (status, json.loads(body)["TotalCount"]) == (200, 1)


def test_a_connection_is_kept_for_many_requests_bodies_and_all(
    http: HTTPConnection,
) -> None:
    http.connect()
    first = http.sock
    for _ in range(3):
        # A body that nobody reads must not be taken for the next request.
        assert ask(http, "POST", "/nowhere", body=b"GET / HTTP/1.1\r\n\r\n")[0] == 404
        assert ask(http, "GET", "/latest/meta-data/instance-id") == (200, b"i-self")
        assert ask(http, "HEAD", "/latest/meta-data/instance-id")[0] == 405
    assert http.sock is first


def test_metadata_needs_no_signature_and_takes_tokens(http: HTTPConnection) -> None:
    ttl = {"X-aliyun-ecs-metadata-token-ttl-seconds": "60"}
    status, token = ask(http, "PUT", "/latest/api/token", headers=ttl)
    assert status == 200
    headers = {"X-aliyun-ecs-metadata-token": token.decode()}
    path = "/latest/meta-data/region-id"
    assert ask(http, "GET", path, headers=headers) == (200, b"cn-hangzhou")


def test_a_second_server_can_be_another_vms_metadata(
    server: MockServer, real_time_account: Account
) -> None:
    with (
        serve(gateway=server.gateway, self_id="i-other", probe=False) as other,
        closing(_connect(other)) as connection,
    ):
        assert ask(connection, "GET", "/latest/meta-data/instance-id") == (200, b"i-other")


def test_the_control_api_changes_and_shows_the_account(http: HTTPConnection) -> None:
    change = json.dumps({"group": "lb-1", "server_id": "i-other", "weight": 3})
    headers = {"Content-Type": "application/json"}
    assert ask(http, "POST", "/_mock/servers/add", body=change, headers=headers)[0] == 200
    _, body = ask(http, "GET", "/_mock/account")
    assert json.loads(body)["load_balancers"]["lb-1"]["servers"][0]["weight"] == 3
    assert ask(http, "GET", "/_mock/calls?since=0") == (200, b"[]\n")


def test_a_lost_answer_is_a_reset_connection(server: MockServer, new_sdk: NewSdk) -> None:
    server.faults.add(preset("lost_answer", times=1))
    sdk = new_sdk(server.url)
    with pytest.raises(ClientException, match=r"reset|aborted"):
        sdk("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    answer = sdk("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    assert len(answer["BackendServers"]["BackendServer"]) == 1


def test_a_slow_call_does_not_hold_up_others(server: MockServer, new_sdk: NewSdk) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def wait(_seconds: float) -> None:
        arrived.set()
        go_on.wait(5)

    server.gateway.wait = wait
    server.faults.add(Rule(Delay(60), action="AddBackendServers"))
    call = {"LoadBalancerId": "lb-1", "BackendServers": SELF}
    slow = threading.Thread(target=new_sdk(server.url), args=("AddBackendServers",), kwargs=call)
    slow.start()
    assert arrived.wait(5)
    sdk = new_sdk(server.url)
    sdk("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    actions = [each.action for each in server.calls.all()]
    go_on.set()
    slow.join()
    assert actions == ["DescribeLoadBalancerAttribute"]


def test_closing_ends_kept_connections_and_the_port_can_be_opened_again(
    real_time_account: Account, new_sdk: NewSdk
) -> None:
    first = serve(real_time_account, probe=False)
    sdk = new_sdk(first.url)
    sdk("DescribeLoadBalancers")
    first.close()
    first.close()
    with pytest.raises(ClientException, match="refused"):
        sdk("DescribeLoadBalancers")
    with serve(gateway=first.gateway, port=first.port, probe=False):
        sdk("DescribeLoadBalancers")
    assert len(first.calls.all()) == 2


def test_nothing_is_left_running_after_closing(real_time_account: Account) -> None:
    before = set(threading.enumerate())
    server = serve(real_time_account)
    with closing(_connect(server)) as connection:
        ask(connection, "GET", "/")
        server.close()
        for thread in set(threading.enumerate()) - before:
            thread.join(5)
    assert set(threading.enumerate()) <= before


def test_health_comes_from_real_probes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        account = Account()
        account.add_instance("i-self", ports={8080: service.getsockname()[1]})
        balancer = account.add_load_balancer("lb-1")
        check = HealthCheck(interval_seconds=0.01, healthy_threshold=2, unhealthy_threshold=2)
        listener = balancer.add_listener(80, backend_port=8080, health_check=check)
        backend = balancer.default_group.add_server("i-self")
        reported: dict[str, threading.Event] = {"normal": threading.Event()}
        reported["abnormal"] = threading.Event()
        report = balancer.report_health

        def note(*args: Any) -> None:
            report(*args)
            reported[args[2]].set()

        balancer.report_health = note  # type: ignore[method-assign]
        with serve(account):
            assert reported["normal"].wait(5)
            assert not reported["abnormal"].is_set()
            service.close()
            assert reported["abnormal"].wait(5)
            assert balancer.health(listener, backend) == "abnormal"


def test_a_port_that_is_taken_is_an_error_to_catch(server: MockServer) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(port=server.port)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: x\r\n", b"400"),
        (b"Content-Length: -1\r\n", b"400"),
        (b"Content-Length: 99999999\r\n", b"413"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", b"400"),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", b"400"),
        (b"Transfer-Encoding: gzip, chunked\r\n", b"501"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"400"),
        *(
            (b"Transfer-Encoding: chunked\r\n\r\n" + chunks, b"400")
            for chunks in (b"x\r\n", b"-1\r\n", b"\r\n", b"0x3\r\nabc\r\n", b"2\r\nabc\r\n")
        ),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 101, b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n", b"413"),
    ],
)
def test_a_body_that_cannot_be_read_to_its_end_is_refused(
    server: MockServer, head: bytes, status: bytes
) -> None:
    answer = exchange(server, head + b"\r\n")
    assert answer.split()[1] == status
    assert b"<html" not in answer.lower()


def exchange(server: MockServer, sent: bytes) -> bytes:
    """What a server answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + sent)
        answer = b""
        while chunk := raw.recv(4096):
            answer += chunk
    return answer


@pytest.mark.parametrize("cut", [1, 7, 4096])
def test_a_body_may_come_in_chunks(
    server: MockServer, http: HTTPConnection, sign_call: Callable[..., WireRequest], cut: int
) -> None:
    from mock_slb.signing.signature import sign

    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    params = dict(
        sign_call("DescribeLoadBalancers", {}, AccessKeyId="sdk-key", Timestamp=stamp).params
    )
    params["Signature"] = sign("POST", params, "sdk-secret")
    text = urlencode(params).encode()
    chunks = (text[start : start + cut] for start in range(0, len(text), cut))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    # The client of the standard library sends an iterable in chunks.
    http.request("POST", "/", body=chunks, headers=form, encode_chunked=True)
    answer = http.getresponse()
    assert (answer.status, json.loads(answer.read())["TotalCount"]) == (200, 1)
    assert ask(http, "GET", "/latest/meta-data/instance-id") == (200, b"i-self")  # kept


def test_extensions_and_trailers_of_chunks_are_read_over(server: MockServer) -> None:
    answer = exchange(
        server,
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Transfer-Encoding: Chunked\r\nConnection: close\r\n\r\n"
        b"b;a=b\r\nFormat=JSON\r\n0\r\nX-Sum: 1\r\n\r\n",
    )
    assert answer.split()[1] == b"400"
    assert b"MissingAction" in answer


def test_the_port_stays_taken_while_it_is_closed(server: MockServer, http: HTTPConnection) -> None:
    over = threading.Event()
    server._closing.wait = lambda _seconds: not over.wait(20)  # type: ignore[method-assign]
    headers = {"Content-Type": "application/json"}
    assert ask(http, "POST", "/_mock/port", body='{"seconds": 5}', headers=headers)[0] == 200
    while True:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.recv(1)  # until it is cut: many in a row would fill the backlog
        except ConnectionResetError:
            continue  # it was let in at the last moment
        except ConnectionRefusedError:
            break
    for reuse in (0, 1):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", server.port))
    over.set()
    outage = server._outage
    assert outage is not None
    outage.join(5)
    with closing(_connect(server)) as again:
        assert ask(again, "GET", "/latest/meta-data/instance-id") == (200, b"i-self")
    del server._closing.wait


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "mock.localhost"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "10.0.0.1"}, 200),
        ({"Host": "slb.example.org"}, 403),
        ({"Host": "127.0.0.1.example.org"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "127.0.0.1:5", "Origin": "http://127.0.0.1:5"}, 200),
        ({"Host": "127.0.0.1:5", "Origin": "http://127.0.0.1:6"}, 403),
        ({"Origin": "http://example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        # a page on another port of this machine is of the same site
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        (
            {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "iframe",
            },
            403,
        ),
    ],
)
def test_the_control_api_is_not_for_pages_of_others(
    http: HTTPConnection, headers: dict[str, str], status: int
) -> None:
    for method, path in (("GET", "/_mock/account"), ("DELETE", "/_mock/calls")):
        answered, body = ask(http, method, path, headers=headers)
        assert answered == status
        assert (b"refused" in body) == (status == 403)
    # The API is called by any name.
    if "Host" in headers and "Origin" not in headers and headers["Host"] != "[::1":
        assert ask(http, "GET", "/latest/meta-data/instance-id", headers=headers)[0] == 200


def test_a_link_elsewhere_may_lead_to_what_is_only_read(http: HTTPConnection) -> None:
    clicked = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert ask(http, "GET", "/_mock/account", headers=clicked)[0] == 200
    assert ask(http, "DELETE", "/_mock/calls", headers=clicked)[0] == 403
    form = {**clicked, "Content-Type": "application/json"}
    assert ask(http, "POST", "/_mock/heal", body="{}", headers=form)[0] == 403


def test_a_name_that_was_served_under_is_no_foreign_one(real_time_account: Account) -> None:
    with (
        serve(real_time_account, probe=False, names=["Mock.example.org"]) as server,
        closing(_connect(server)) as connection,
    ):
        host = {"Host": f"mock.example.org:{server.port}"}
        assert ask(connection, "GET", "/_mock/calls", headers=host)[0] == 200


MANY = "1" * 5000  # more digits than int() takes


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/_mock/calls?since={MANY}", 400),
        ("DELETE", f"/_mock/faults/{MANY}", 404),
        ("PUT", "/latest/api/token", 400),
    ],
)
def test_a_number_without_end_is_refused(
    http: HTTPConnection, method: str, path: str, status: int
) -> None:
    headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": MANY}
    assert ask(http, method, path, headers=headers)[0] == status


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.0.1", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_what_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
