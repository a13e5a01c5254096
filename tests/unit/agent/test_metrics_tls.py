"""Metrics for other machines: who shows a certificate is told, and nobody wears the agent out."""

from __future__ import annotations

import contextlib
import errno
import http.client
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import SERVER_NAME, Authority, Identity
from tests.ports import free_port
from tests.unit.supervision import supervisor
from tests.unit.trickling import trickled_until_closed

from slb_registration.agent import metrics_tls
from slb_registration.agent.control_socket import serving_metrics
from slb_registration.agent.metrics_tls import MetricsTlsError, serving_context
from slb_registration.model.configuration import Metrics, MetricsTls
from slb_registration.model.orders import Order
from slb_registration.support.net.local_server import CONNECTIONS_AT_MOST, LocalHandler


class Subject:
    def alive(self) -> str | None:
        return None

    def document(self) -> dict[str, Any]:
        return {}

    def waited_for(self) -> dict[str, Any]:
        return {}

    def metrics(self) -> str:
        return "x 1\n"

    def order(self, order: Order) -> None:
        raise AssertionError(order)


@dataclass
class Files:
    """What an operator has: the authority, and certificates of it and of another one."""

    folder: Path
    authority: Authority
    server: Identity
    scraper: Identity
    stranger: Identity

    @property
    def tls(self) -> MetricsTls:
        return MetricsTls(
            self.server.certificate, self.server.private_key, self.authority.certificate
        )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("pem")
    authority, other = Authority(folder, "ca"), Authority(folder, "other-ca")
    return Files(
        folder,
        authority,
        authority.sign(SERVER_NAME, "serverAuth"),
        authority.sign("prometheus", "clientAuth"),
        other.sign("stranger", "clientAuth"),
    )


@dataclass
class Port:
    files: Files
    number: int
    lines: StringIO

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(
            ("127.0.0.1", self.number), timeout=20, source_address=(source, 0)
        )

    def context(self, identity: Identity | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.files.authority.certificate)
        if identity is not None:
            context.load_cert_chain(identity.certificate, identity.private_key)
        return context

    def ask(self, identity: Identity | None, context: ssl.SSLContext | None = None) -> bytes:
        """What is answered; nothing where the connection ends before. Raises ssl.SSLError."""
        context = context or self.context(identity)
        with (
            self.connect() as connection,
            context.wrap_socket(connection, server_hostname=SERVER_NAME) as client,
        ):
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.fixture
def port(files: Files) -> Iterator[Port]:
    lines = StringIO()
    metrics = Metrics(free_port(), "0.0.0.0", files.tls)
    with supervisor(lines) as supervising, serving_metrics(metrics, Subject(), supervising):
        yield Port(files, metrics.port, lines)


def test_who_shows_a_certificate_of_the_authority_is_told(port: Port):
    assert port.ask(port.files.scraper).endswith(b"\r\n\r\nx 1\n")
    assert port.lines.getvalue() == ""


@pytest.mark.parametrize("who", [None, "stranger", "server"])
def test_who_shows_none_or_one_of_another_authority_or_of_a_server_is_told_nothing(port, who):
    identity = None if who is None else getattr(port.files, who)
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert port.ask(identity) == b""
    assert port.lines.getvalue() == ""  # nobody can fill the log
    assert b"x 1" in port.ask(port.files.scraper)


def test_no_session_is_taken_up_again_so_that_each_connection_shows_its_certificate(port):
    context = port.context(port.files.scraper)
    session = None
    for _ in range(2):
        with (
            port.connect() as connection,
            context.wrap_socket(connection, server_hostname=SERVER_NAME, session=session) as client,
        ):
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert client.recv(4096)
            assert not client.session_reused
            session = client.session


def test_tls_1_2_whose_sessions_can_be_taken_up_again_is_not_spoken(port):
    context = port.context(port.files.scraper)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with port.connect() as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname=SERVER_NAME)


def test_what_is_no_tls_is_no_request(port: Port):
    with port.connect() as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in b"".join(iter(lambda: client.recv(4096), b""))
    assert port.lines.getvalue() == ""


def test_a_handshake_that_does_not_come_to_an_end_is_given_up(port, monkeypatch):
    monkeypatch.setattr(metrics_tls, "CLIENT_TIMEOUT_SECONDS", 0.2)
    with port.connect() as silent, port.connect() as slow:
        slow.sendall(b"\x16\x03\x01\x02\x00\x01")  # of a ClientHello, the first bytes
        for client in (silent, slow):
            with contextlib.suppress(ConnectionError):
                assert client.recv(1) == b""


def test_a_handshake_that_trickles_has_no_more_time(port: Port, monkeypatch):
    monkeypatch.setattr(metrics_tls, "CLIENT_TIMEOUT_SECONDS", 0.2)
    with port.connect() as client:
        client.sendall(b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb\x03\x03")  # of a ClientHello of 16 KB
        assert trickled_until_closed(client)


def test_many_who_are_slow_with_their_handshake_keep_no_other_out(port: Port):
    """Of too many connections, the oldest of whoever has most gives way: a scraper has one."""
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        scraper = stack.enter_context(port.connect("127.0.0.2"))
        silent = [
            stack.enter_context(port.connect("127.0.0.3")) for _ in range(3 * CONNECTIONS_AT_MOST)
        ]
        with port.context(port.files.scraper).wrap_socket(
            scraper, server_hostname=SERVER_NAME
        ) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert client.recv(4096)
        assert threading.active_count() - before <= 2 * CONNECTIONS_AT_MOST
        with contextlib.suppress(ConnectionError):
            assert silent[0].recv(1) == b""


def test_one_who_is_let_in_and_then_says_nothing_is_given_up(port: Port, monkeypatch):
    monkeypatch.setattr(LocalHandler, "timeout", 0.2)
    with (
        port.connect() as connection,
        port.context(port.files.scraper).wrap_socket(
            connection, server_hostname=SERVER_NAME
        ) as client,
    ):
        assert client.recv(1) == b""
    assert port.lines.getvalue() == ""


def test_curl_is_told_by_tls_1_3_alone(port: Port, files: Files):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is missing")
    base = [curl, "-sS", "--cacert", str(files.authority.certificate)]
    to = ["--resolve", f"{SERVER_NAME}:{port.number}:127.0.0.1"]
    scraper = files.scraper
    own = ["--cert", str(scraper.certificate), "--key", str(scraper.private_key)]
    url = f"https://{SERVER_NAME}:{port.number}/metrics"
    line = [*base, *to, *own, url]
    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("x 1\n", "")
    done = subprocess.run([*base, *to, *own, "--tls-max", "1.2", url], check=False, timeout=30)
    assert done.returncode == 35  # no common version


def test_nothing_but_the_metrics_is_told(port: Port):
    for method, path in (("GET", "/status"), ("POST", "/drain")):
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port.number, timeout=20, context=_by_any_name(port)
        )
        connection.request(method, path)
        assert connection.getresponse().status == 404
        connection.close()


def _by_any_name(port: Port) -> ssl.SSLContext:
    context = port.context(port.files.scraper)
    context.check_hostname = False
    return context


def test_ipv6_and_every_address(files: Files):
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    metrics = Metrics(free_port(), "::", files.tls)
    with supervisor() as supervising, serving_metrics(metrics, Subject(), supervising):
        for address in ("::1", "127.0.0.1"):
            port = Port(files, metrics.port, StringIO())
            connection = http.client.HTTPSConnection(
                address, metrics.port, timeout=20, context=_by_any_name(port)
            )
            connection.request("GET", "/metrics")
            assert connection.getresponse().status == 200
            connection.close()


def test_an_address_of_another_vm_is_told_as_such(files: Files):
    metrics = Metrics(9115, "203.0.113.9", files.tls)
    with (
        supervisor() as supervising,
        pytest.raises(OSError, match="assign") as caught,
        serving_metrics(metrics, Subject(), supervising),
    ):
        pass
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert "203.0.113.9:9115" in str(caught.value.filename)


# What an operator can get wrong


def file_with(folder: Path, content: str, mode: int = 0o640) -> Path:
    file = folder / "wrong.pem"
    file.unlink(missing_ok=True)
    file.write_text(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("name", ["certificate", "private_key", "ca"])
@pytest.mark.parametrize("content", ["", '{"ca"=>"-----BEGIN"}', "((slb_metrics_tls))\n"])
def test_what_is_no_pem_is_told_with_its_property(files: Files, tmp_path: Path, name, content):
    tls = replace(files.tls, **{name: file_with(tmp_path, content)})
    with pytest.raises(MetricsTlsError, match=rf"^metrics\.tls\.{name}: ") as caught:
        serving_context(tls)
    assert content.strip() == "" or content.strip() not in str(caught.value)


def test_a_key_of_another_certificate_is_told_as_such(files: Files):
    tls = replace(files.tls, private_key=files.scraper.private_key)
    said = "metrics.tls.private_key: is not the key of metrics.tls.certificate"
    with pytest.raises(MetricsTlsError, match=said):
        serving_context(tls)


def test_a_key_with_a_password_is_refused_and_none_is_asked_for(files: Files, tmp_path: Path):
    locked = tmp_path / "locked.pem"
    line = ["openssl", "ec", "-aes256", "-passout", "pass:secret-of-the-test", "-out", str(locked)]
    line += ["-in", str(files.server.private_key)]
    subprocess.run(line, check=True, capture_output=True, timeout=60)
    locked.chmod(0o640)
    with pytest.raises(MetricsTlsError, match=r"metrics\.tls\.private_key: is no private key"):
        serving_context(replace(files.tls, private_key=locked))


@pytest.mark.parametrize(
    ("mode", "said"),
    [(0o644, "others can read it .mode 0644"), (0o666, "others could have written it")],
)
def test_a_key_that_others_can_read_or_write_is_refused(files, tmp_path, mode, said):
    key = file_with(tmp_path, files.server.private_key.read_text(), mode)
    with pytest.raises(MetricsTlsError, match=rf"^metrics\.tls\.private_key: .*{said}"):
        serving_context(replace(files.tls, private_key=key))


def test_a_file_that_is_not_there_is_told(files: Files, tmp_path: Path):
    with pytest.raises(MetricsTlsError, match=r"^metrics\.tls\.ca: .*gone\.pem: No such file"):
        serving_context(replace(files.tls, ca=tmp_path / "gone.pem"))
