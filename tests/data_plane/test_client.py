"""The demo's client: it counts what it got, and hides nothing."""

from __future__ import annotations

import socket
import threading

import pytest
from tests.data_plane.backends import TIMEOUT_SECONDS, backends
from tests.waiting import eventually

from demo.client import Client

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"


def test_every_answer_is_counted_by_who_gave_it() -> None:
    with backends("a", "b", http=True) as servers:
        client = Client(*(("127.0.0.1", one.port) for one in servers.values()))
        client.start()
        eventually(
            lambda: min(client.answers["a"], client.answers["b"]) > 2, within=TIMEOUT_SECONDS
        )
        client.stop()
    found = client.answers
    assert client.news() == f"{found.total()} answers: {found['a']} from a, {found['b']} from b"
    assert client.news() == "0 answers"
    assert client.total == f"{found.total()} requests, 0 failed"


def answering(listening: socket.socket, answer: bytes) -> None:
    """Take connections, read a request each, answer with this and close."""
    with listening:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(answer)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "RemoteDisconnected"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "IncompleteRead"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503 Service"),
        (b"nonsense\r\n\r\n", "BadStatusLine"),
    ],
)
def test_what_is_no_complete_answer_has_failed(answer: bytes, why: str) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    thread = threading.Thread(target=answering, args=(listening, answer), daemon=True)
    thread.start()
    client = Client(address, address)
    client.start()
    eventually(lambda: len(client.failures) > 3, within=TIMEOUT_SECONDS)
    client.stop()
    listening.shutdown(socket.SHUT_RDWR)
    thread.join(TIMEOUT_SECONDS)
    assert client.failures[0].startswith(why)
    assert client.answers.total() == 0
    assert client.total.endswith(f", {len(client.failures)} failed")


def test_a_kept_connection_that_was_closed_without_a_word_is_a_failure() -> None:
    with backends("a", http=True) as servers:
        listening = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=answering, args=(listening, GOOD), daemon=True)
        thread.start()
        client = Client(("127.0.0.1", servers["a"].port), listening.getsockname())
        client.start()
        eventually(lambda: len(client.failures) > 1, within=TIMEOUT_SECONDS)
        client.stop()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(TIMEOUT_SECONDS)
    assert client.answers["a"] > 1  # by the kept one as well: both answer so


def test_a_refused_connection_has_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    client = Client(address, address)
    client.start()
    eventually(lambda: len(client.failures) > 3, within=TIMEOUT_SECONDS)
    client.stop()
    assert {one.partition(":")[0] for one in client.failures} == {"ConnectionRefusedError"}
