"""Finding out whether the service is serving, when it does its worst."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.descriptors import no_descriptor_left

from slb_registration.model.configuration import HealthCheck
from slb_registration.model.health import Health
from slb_registration.probes.checker import Cancelled, Checker, Result, Verdict, always, never
from slb_registration.probes.probing import HttpCheck, ScriptCheck, TcpCheck, checks_for
from slb_registration.support.net import bounded_http

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SOON = 0.1
# How much longer than its timeout a probe may take on a machine that is busy.
SLACK = 1.0


class Service:
    """A service on loopback that does with each connection what the test says."""

    def __init__(self, listening: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        self.host, self.port = listening.getsockname()[:2]
        self.requests: list[bytes] = []
        self._listening = listening
        self._serve = serve
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.settimeout(5)
            with connection, contextlib.suppress(OSError):
                self._serve(connection)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(timeout=5)
        assert not self._thread.is_alive()


@pytest.fixture
def service() -> Iterator[Callable[..., Service]]:
    started = []

    def start(serve: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Service:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        started.append(Service(socket.create_server((host, 0), family=family), serve))
        return started[-1]

    yield start
    for one in started:
        one.close()


def answering(data: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)

    return serve


def trickling(data: bytes, then: bytes) -> Callable[[socket.socket], None]:
    """Sends the data at once and then a byte now and then, until the client gives up."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        pause = threading.Event()
        while not pause.wait(0.01):
            connection.sendall(then)

    return serve


def hanging(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def http(port: int, host: str = "127.0.0.1", **options: object) -> HttpCheck:
    given = {
        "path": "/healthz",
        "tls": False,
        "expected_status": frozenset({200}),
        "timeout_seconds": SOON,
        **options,
    }
    return HttpCheck(host=host, port=port, **given)  # type: ignore[arg-type]


def timed(check: TcpCheck | HttpCheck | ScriptCheck) -> tuple[Result, float]:
    started = time.monotonic()
    return check.probe(), time.monotonic() - started


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that nobody listens on, bound so that nobody else gets it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed, for another name, and expired long ago."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "www.example.com")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2001, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(datetime(2001, 1, 2, tzinfo=timezone.utc))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return file


def with_tls(certificate: Path, serve: Callable[[socket.socket], None]):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            serve(wrapped)

    return serve_tls


# TCP


def test_a_port_that_accepts_is_fine(service):
    running = service(hanging)

    assert TcpCheck("127.0.0.1", running.port, False, SOON).probe() == Result(
        True, f"127.0.0.1:{running.port}: connected"
    )


def test_a_port_that_nobody_listens_on_is_refused(unused_port):
    result = TcpCheck("127.0.0.1", unused_port, False, SOON).probe()

    assert result == Result(False, f"127.0.0.1:{unused_port}: connection refused")


def test_a_full_backlog_is_no_answer_in_time():
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        result, seconds = timed(TcpCheck("127.0.0.1", full.getsockname()[1], False, SOON))

    assert result == Result(False, f"127.0.0.1:{full_port(result)}: no answer within 0.1 s")
    assert seconds < SOON + SLACK


def full_port(result: Result) -> str:
    return result.detail.split(":")[1]


def test_a_connection_to_ourselves_does_not_count(monkeypatch, unused_port):
    # Linux connects a socket to itself when it happens to pick the port it connects to.
    class Same(socket.socket):
        def connect(self, address):
            self.bind(address)
            super().connect(address)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(bounded_http.socket, "socket", Same)

    result = TcpCheck("127.0.0.1", port, False, SOON).probe()

    assert result == Result(False, f"127.0.0.1:{port}: connection refused")


def test_ipv6_is_checked_as_well(service):
    try:
        running = service(answering(OK), "::1")
    except OSError as error:
        pytest.skip(f"::1: {error}")

    assert TcpCheck("::1", running.port, False, SOON).probe().detail == (
        f"[::1]:{running.port}: connected"
    )
    assert http(running.port, "::1").probe().ok


def test_every_address_of_a_name_is_tried(service, monkeypatch, unused_port):
    running = service(hanging)
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unused_port)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", running.port)),
    ]
    monkeypatch.setattr(bounded_http.socket, "getaddrinfo", lambda *_, **__: addresses)

    assert TcpCheck("two.example.com", running.port, False, SOON).probe().ok


def test_a_name_that_does_not_exist_fails(monkeypatch):
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(bounded_http.socket, "getaddrinfo", getaddrinfo)

    result = TcpCheck("nowhere.invalid", 80, False, SOON).probe()

    assert result == Result(False, "nowhere.invalid:80: Name or service not known")


def test_a_name_that_cannot_be_one_fails():
    assert TcpCheck("a" * 64 + ".b", 80, False, SOON).probe().ok is False


def test_a_name_server_that_hangs_does_not_hold_the_probe(monkeypatch):
    answered = threading.Event()

    def getaddrinfo(*_: object, flags: int, **__: object) -> list[object]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        answered.wait(5)
        return []

    monkeypatch.setattr(bounded_http.socket, "getaddrinfo", getaddrinfo)
    result, seconds = timed(TcpCheck("slow.example.com", 80, False, SOON))
    answered.set()

    assert result == Result(False, "slow.example.com:80: no answer within 0.1 s")
    assert seconds < SOON + SLACK


def test_tls_takes_any_certificate_of_our_own_service(service, certificate):
    running = service(with_tls(certificate, answering(OK)))

    assert TcpCheck("127.0.0.1", running.port, True, 2).probe().ok
    assert http(running.port, tls=True, timeout_seconds=2).probe() == Result(
        True, f"127.0.0.1:{running.port}: answered 200"
    )


def test_a_service_without_tls_fails_a_check_with_tls(service):
    running = service(answering(b"220 smtp.example.com ESMTP\r\n"))

    for check in (TcpCheck("127.0.0.1", running.port, True, SOON), http(running.port, tls=True)):
        result = check.probe()
        assert not result.ok
        assert "TLS failed" in result.detail


def test_a_tls_handshake_that_hangs_or_trickles_is_over_in_time(service):
    record = b"\x16\x03\x03\x40\x00"  # of 16 KiB, which never come as a whole
    for serve in (hanging, trickling(record, b"\x02")):
        running = service(serve)
        result, seconds = timed(TcpCheck("127.0.0.1", running.port, True, SOON))
        assert not result.ok
        assert seconds < SOON + SLACK


# HTTP


def test_the_expected_status_is_fine(service):
    running = service(answering(OK))

    assert http(running.port).probe() == Result(True, f"127.0.0.1:{running.port}: answered 200")


def test_the_request_names_path_and_host_and_asks_to_close(service):
    requests = []

    def serve(connection: socket.socket) -> None:
        requests.append(connection.recv(65536))
        connection.sendall(OK)

    running = service(serve)
    http(running.port, path="/a?b=c").probe()

    assert requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % running.port in requests[0]
    assert b"\r\nConnection: close\r\n" in requests[0]


def test_another_status_is_not(service):
    running = service(answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))

    result = http(running.port, expected_status=frozenset({204, 200})).probe()

    assert result == Result(False, f"127.0.0.1:{running.port}: answered 503, expected 200, 204")
    assert http(running.port, expected_status=frozenset({503})).probe().ok


def test_a_redirect_is_not_followed(service):
    other = service(answering(OK))
    location = b"Location: http://127.0.0.1:%d/\r\n" % other.port
    running = service(
        answering(b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n")
    )

    assert http(running.port).probe().detail.endswith("answered 302, expected 200")
    assert http(running.port, expected_status=frozenset({302})).probe().ok


def test_proxies_of_the_environment_are_not_used(service, monkeypatch, unused_port):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    running = service(answering(OK))

    assert http(running.port).probe().ok


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\xff\xfe\x00garbage\r\n\r\n",
        b"HTTP/1.1 two-hundred OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/9.9.9 200 OK\r\n\r\n",
        b"<html>200 OK</html>\r\n\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=["ssh", "binary", "word", "20", "version", "html", "long", "headers", "header"],
)
def test_an_answer_that_is_not_http_fails(service, answer):
    running = service(answering(answer))

    result = http(running.port).probe()

    assert result == Result(False, f"127.0.0.1:{running.port}: the answer is not HTTP")


def test_a_connection_that_is_closed_without_an_answer_fails(service):
    def close(connection: socket.socket) -> None:
        connection.recv(65536)

    def reset(connection: socket.socket) -> None:
        linger_zero = b"\x01\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)

    assert (
        http(service(close).port).probe().detail.endswith("closed the connection without an answer")
    )
    assert http(service(reset).port).probe().ok is False


@pytest.mark.parametrize(
    ("data", "then"),
    [
        (b"", b""),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "status", "headers missing", "header", "continue"],
)
def test_a_service_that_hangs_or_trickles_before_its_body_fails_in_time(service, data, then):
    running = service(trickling(data, then) if then else trickling_nothing(data))

    result, seconds = timed(http(running.port))

    assert result == Result(False, f"127.0.0.1:{running.port}: no answer within 0.1 s")
    assert seconds < SOON + SLACK


def trickling_nothing(data: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        hanging(connection)

    return serve


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
    ],
    ids=["until the end", "length", "chunked"],
)
def test_a_body_without_end_counts_for_nothing_and_is_not_waited_for(service, head):
    endless = b"x" * 65536
    for then in (b"x", endless):
        running = service(trickling(head, then))
        result, seconds = timed(http(running.port))
        assert result.ok
        assert seconds < SOON + SLACK


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5\r\n\r\nx",
        b"Content-Length: -5\r\n\r\nx",
        b"Content-Length: five\r\n\r\nx",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nxxxxxxxxxx",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nx",
    ],
)
def test_a_body_that_is_malformed_counts_for_nothing(service, body):
    running = service(answering(b"HTTP/1.1 200 OK\r\n" + body))

    assert http(running.port).probe().ok


# Scripts


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., ScriptCheck]:
    def write(text: str, timeout_seconds: float = 5.0, mode: int = 0o755) -> ScriptCheck:
        file = tmp_path / "check"
        file.write_text(text)
        file.chmod(mode)
        return ScriptCheck(str(file), timeout_seconds)

    return write


def test_a_script_that_exits_with_0_is_fine(script):
    check = script("#!/bin/sh\necho starting\necho all fine\n")

    assert check.probe() == Result(True, f"{check.path}: exit status 0: all fine")


def test_a_script_that_exits_otherwise_is_not_and_its_last_words_are_told(script):
    check = script("#!/bin/sh\necho a\necho 'queue is full' >&2\necho\nexit 3\n")

    assert check.probe() == Result(False, f"{check.path}: exit status 3: queue is full")


def test_a_script_that_dies_of_a_signal_is_not(script):
    check = script("#!/bin/sh\nkill -TERM $$\n")

    assert check.probe() == Result(False, f"{check.path}: killed by signal 15")


def test_a_script_may_print_anything(script):
    check = script("#!/bin/sh\nprintf '\\377\\033[2J\\000ok'\n")

    result = check.probe()

    assert result.ok
    assert result.detail.isprintable()


def test_a_script_may_print_much_more_than_a_pipe_holds(script):
    result = script("#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\necho done\n").probe()

    assert result.ok
    assert result.detail.endswith("done")
    assert len(result.detail) < 400


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("#!/bin/sh\n", 0o644, "Permission denied"),
        ("#!/no/such/interpreter\n", 0o755, "No such file or directory"),
        ("garbage\n", 0o755, "Exec format error"),
    ],
)
def test_a_script_that_cannot_be_run_fails(script, text, mode, said):
    check = script(text, mode=mode)

    assert check.probe() == Result(False, f"{check.path}: cannot be run: {said}")


@pytest.mark.parametrize("check", ["tcp", "http", "script"])
@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN])
def test_where_this_vm_has_no_room_to_ask_the_service_has_not_failed(
    monkeypatch, script, check, code
):
    def refused(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(subprocess, "Popen", refused)
    made = {
        "tcp": TcpCheck("127.0.0.1", 80, False, SOON),
        "http": HttpCheck("127.0.0.1", 80, "/", False, frozenset({200}), SOON),
        "script": script("#!/bin/sh\n"),
    }[check]

    with pytest.raises(OSError, match=os.strerror(code)):
        made.probe()


def test_without_a_thread_for_a_look_up_the_service_has_not_failed(monkeypatch):
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)

    with pytest.raises(OSError, match="no thread can be started"):
        TcpCheck("no-number.example.com", 80, False, SOON).probe()


def test_with_no_descriptor_left_the_service_has_not_failed(service, script):
    running = service(answering(OK))
    made = [TcpCheck("127.0.0.1", running.port, False, 2), script("#!/bin/sh\n")]

    with no_descriptor_left():
        for check in made:
            with pytest.raises(OSError, match="Too many open files"):
                check.probe()

    assert [check.probe().ok for check in made] == [True, True]


def test_a_check_that_does_not_work_leaves_health_unknown_until_it_has_decided_anew():
    made, _, changes = checker("++---")
    for _ in range(2):
        made.turn()
    assert made.health is Health.HEALTHY

    made.working = lambda: False
    made.trouble = lambda: "silent for 20 s"
    assert made.health is Health.UNKNOWN
    assert made.detail == "the check does not run: silent for 20 s"

    made.turn()  # the one that took so long
    made.working, made.trouble = always, lambda: None
    assert (made.health, made.detail) == (Health.UNKNOWN, "was -")
    for _ in range(2):
        made.turn()
    assert [health for health, _ in changes] == [Health.HEALTHY, Health.UNHEALTHY]


def test_a_script_that_is_not_there_fails():
    assert ScriptCheck("/no/such/check", SOON).probe().detail == (
        "/no/such/check: cannot be run: No such file or directory"
    )


def test_a_script_that_hangs_is_killed_in_time_with_its_children(script, tmp_path):
    pids = tmp_path / "pids"
    check = script(
        f"#!/bin/sh\nsleep 60 &\necho $! > {pids}\necho $$ >> {pids}\necho still here\nwait\n", SOON
    )

    result, seconds = timed(check)

    assert result == Result(False, f"{check.path}: no end within 0.1 s, killed: still here")
    assert seconds < SOON + SLACK
    assert_gone(pids)


def test_a_script_that_ignores_signals_or_closes_its_output_is_killed_in_time(script):
    for text in ("trap '' TERM INT HUP\nsleep 60", "exec >&- 2>&-\nsleep 60"):
        result, seconds = timed(script(f"#!/bin/sh\n{text}\n", SOON))
        assert not result.ok
        assert seconds < SOON + SLACK


def test_waiting_for_a_script_that_closed_its_output_is_no_busy_loop(script):
    before = time.thread_time()

    script("#!/bin/sh\nexec >&- 2>&-\nexec sleep 60\n", 0.25).probe()

    assert time.thread_time() - before < 0.03


def test_a_child_that_holds_the_pipe_does_not_hold_the_probe_and_does_not_stay(script, tmp_path):
    pids = tmp_path / "pids"
    check = script(f"#!/bin/sh\nsleep 60 &\necho $! > {pids}\nexit 0\n")

    result, seconds = timed(check)

    assert result.ok
    assert seconds < SLACK
    assert_gone(pids)


def test_a_script_that_prints_without_end_is_killed_in_time(script):
    result, seconds = timed(script("#!/bin/sh\nexec yes\n", SOON))

    assert not result.ok
    assert seconds < SOON + SLACK


def test_a_script_gets_none_of_our_environment_and_input(script, tmp_path, monkeypatch):
    monkeypatch.setenv("ALIYUN_ACCESS_KEY_SECRET", "hunter2")
    seen = tmp_path / "seen"
    reader, writer = os.pipe()
    os.write(writer, b"hunter2\n")
    before = os.dup(0)
    os.dup2(reader, 0)
    try:
        result = script(f"#!/bin/sh\nenv > {seen}\ncat >> {seen}\npwd >> {seen}\n", 2).probe()
    finally:
        os.dup2(before, 0)
        for descriptor in (before, reader, writer):
            os.close(descriptor)

    assert result.ok
    lines = seen.read_text().splitlines()
    assert {line.split("=")[0] for line in lines} == {"PATH", "PWD", "/"}
    assert "hunter2" not in seen.read_text()


def test_no_descriptor_and_no_process_is_left_behind(script):
    check = script("#!/bin/sh\nexit 1\n")
    check.probe()
    gc.collect()  # other tests may have left some, which could end meanwhile
    before = descriptors_and_children()

    for _ in range(5):
        check.probe()

    assert descriptors_and_children() == before


def descriptors_and_children() -> tuple[list[str], list[str]]:
    """Of this process, which may have those of other tests."""
    tasks = Path("/proc/self/task").iterdir()
    children = " ".join((task / "children").read_text() for task in tasks).split()
    return sorted(path.name for path in Path("/proc/self/fd").iterdir()), sorted(children)


def assert_gone(pids: Path) -> None:
    """Every process of the file ends; what was killed may take a moment to."""
    for pid in pids.read_text().split():
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(int(pid))
            ended, _, _ = select.select([descriptor], [], [], 2)
            os.close(descriptor)
            assert ended


# Which checks there are


def config(**options: object) -> HealthCheck:
    given = {
        "type": "tcp",
        "host": "127.0.0.1",
        "port": None,
        "path": "/",
        "tls": False,
        "expected_status": frozenset({200}),
        "script": None,
        "interval_seconds": 5.0,
        "timeout_seconds": 2.0,
        "healthy_threshold": 2,
        "unhealthy_threshold": 3,
        **options,
    }
    return HealthCheck(**given)  # type: ignore[arg-type]


def test_every_port_of_the_groups_is_checked_once():
    assert checks_for(config(tls=True), [8081, 8080, 8081]) == (
        TcpCheck("127.0.0.1", 8080, True, 2),
        TcpCheck("127.0.0.1", 8081, True, 2),
    )
    assert checks_for(config(type="http", path="/x"), [8080]) == (
        HttpCheck("127.0.0.1", 8080, "/x", False, frozenset({200}), 2),
    )


def test_the_configured_port_wins():
    assert checks_for(config(port=9), [80, 81]) == (TcpCheck("127.0.0.1", 9, False, 2),)
    assert checks_for(config(port=9), []) == (TcpCheck("127.0.0.1", 9, False, 2),)


def test_a_script_needs_no_port():
    assert checks_for(config(type="script", script="/x"), []) == (ScriptCheck("/x", 2),)
    assert checks_for(config(type="script", script="/x"), [80, 81]) == (ScriptCheck("/x", 2),)


def test_there_is_no_check_without_a_port_or_of_type_none():
    assert checks_for(config(), []) == ()
    assert checks_for(config(type="none"), [80]) == ()


# Thresholds


def health_after(results: str) -> Health:
    verdict = Verdict(healthy_threshold=2, unhealthy_threshold=3)
    for result in results:
        verdict.observe(result == "+")
    return verdict.health


@pytest.mark.parametrize(
    ("results", "health"),
    [
        ("", Health.UNKNOWN),
        ("+", Health.UNKNOWN),
        ("--", Health.UNKNOWN),
        ("+-+-+--+", Health.UNKNOWN),
        ("++", Health.HEALTHY),
        ("-++", Health.HEALTHY),
        ("---", Health.UNHEALTHY),
        ("++--", Health.HEALTHY),
        ("++--+--", Health.HEALTHY),
        ("++---", Health.UNHEALTHY),
        ("---+", Health.UNHEALTHY),
        ("---+-+", Health.UNHEALTHY),
        ("---++", Health.HEALTHY),
    ],
)
def test_health_changes_after_as_many_results_in_a_row_as_the_threshold(results, health):
    assert health_after(results) is health


def test_thresholds_of_one_follow_every_result():
    verdict = Verdict(1, 1)

    assert [verdict.observe(ok) for ok in (True, False, True)] == [
        Health.HEALTHY,
        Health.UNHEALTHY,
        Health.HEALTHY,
    ]


# The checker


class Scripted:
    """Answers the results one after another, as if each took some seconds."""

    def __init__(self, results: str, clock: Clock, seconds: float = 0.0) -> None:
        self._results = iter(results)
        self._clock = clock
        self._seconds = seconds

    def probe(self, cancelled: Cancelled = never) -> Result:
        self._clock.now += self._seconds
        result = next(self._results)
        return Result(result == "+", f"was {result}")


class Clock:
    """A clock and the event that is waited on: waiting moves the clock, and ends after a while."""

    def __init__(self, rounds: int) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.is_set = lambda: len(self.waits) >= rounds

    def wait(self, timeout: float) -> bool:
        self.waits.append(round(timeout, 6))
        self.now += timeout
        return self.is_set()


def checker(
    results: str, seconds: float = 0.0, **options: object
) -> tuple[Checker, Clock, list[tuple[Health, str]]]:
    changes: list[tuple[Health, str]] = []
    clock = Clock(rounds=len(results))
    made = Checker(
        Scripted(results, clock, seconds),
        config(**options),
        lambda health, detail: changes.append((health, detail)),
        clock=lambda: clock.now,
    )
    return made, clock, changes


def run(made: Checker, stop: Clock | threading.Event) -> None:
    """Let it take its turns."""
    while not stop.is_set():
        stop.wait(made.turn(stop.is_set))


def test_every_change_of_health_is_told_once_with_what_happened():
    made, clock, changes = checker("++++---+--++")

    run(made, clock)

    assert changes == [
        (Health.HEALTHY, "was +"),
        (Health.UNHEALTHY, "was -"),
        (Health.HEALTHY, "was +"),
    ]
    assert (made.health, made.detail) == (Health.HEALTHY, "was +")
    assert (made.passed, made.failed) == (7, 5)


def test_nothing_is_known_before_the_first_probe():
    made, _, changes = checker("")

    assert (made.health, made.detail) == (Health.UNKNOWN, "not checked yet")
    assert (made.passed, made.failed, changes) == (0, 0, [])


@pytest.mark.parametrize(("seconds", "wait"), [(0.0, 5.0), (1.5, 3.5), (5.0, 0.0), (7.0, 0.0)])
def test_the_interval_is_from_the_start_of_one_probe_to_the_next(seconds, wait):
    made, clock, _ = checker("++-+-", seconds)

    run(made, clock)

    assert clock.waits[1:] == [wait] * 4  # from the first healthy verdict on


@pytest.mark.parametrize(
    ("results", "options", "waits"),
    [
        ("+++", {}, [1, 5, 5]),  # healthy after 1 s at the defaults
        ("--++-", {}, [1, 1, 1, 5, 5]),
        ("----++", {}, [1, 1, 1, 1, 1, 5]),  # unhealthy first: the service takes long to come up
        ("++--++", {"unhealthy_threshold": 2}, [1, 5, 5, 5, 5, 5]),  # only the first time
        ("+++", {"interval_seconds": 0.2}, [0.2, 0.2, 0.2]),
        ("++", {"healthy_threshold": 1}, [5, 5]),
        ("++++", {"healthy_threshold": 3}, [1, 1, 5, 5]),
    ],
)
def test_until_the_service_is_healthy_for_the_first_time_it_is_checked_every_second(
    results, options, waits
):
    made, clock, _ = checker(results, **options)

    run(made, clock)

    assert clock.waits == waits


@pytest.mark.parametrize(
    ("seconds", "interval", "wait"),
    [(0.4, 5.0, 0.6), (0.9, 5.0, 0.9), (2.0, 5.0, 2.0), (4.0, 5.0, 1.0), (9.0, 5.0, 0.0)],
)
def test_quick_checks_take_no_more_than_half_of_the_time_unless_the_interval_says_so(
    seconds, interval, wait
):
    made, clock, _ = checker("---", seconds, interval_seconds=interval)

    run(made, clock)

    assert clock.waits == [wait] * 3


def test_a_service_that_does_not_come_up_is_checked_so_often_for_five_minutes():
    made, clock, _ = checker("-" * 310)

    run(made, clock)

    assert clock.waits == [1] * 300 + [5] * 10


def test_stopping_is_felt_while_waiting():
    stop = threading.Event()
    made = Checker(Scripted("+" * 99, Clock(0)), config(), lambda *_: None)
    thread = threading.Thread(target=run, args=(made, stop), daemon=True)
    thread.start()
    stop.set()
    thread.join(timeout=3)  # less than the interval

    assert not thread.is_alive()


def test_a_checker_that_is_told_to_stop_before_it_starts_does_not_probe():
    stop = threading.Event()
    stop.set()
    made, _, _ = checker("+")

    run(made, stop)

    assert made.passed == 0
