"""The mocked cloud over HTTPS."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aliyunsdkcore.acs_exception.exceptions import ClientException
from aliyunsdkcore.client import AcsClient

from mock_slb.account.account import Account
from mock_slb.gateway.fault_presets import preset
from mock_slb.http.tls import Authority
from mock_slb.server import MockServer, serve

if TYPE_CHECKING:
    from conftest import Sdk

# The SDK's old urllib3 asks `ssl` for things that Python has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:aliyunsdkcore")

SELF = '[{"ServerId": "i-self"}]'


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def bundle(authority: Authority, tmp_path: Path) -> str:
    authority.write(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def trusting(sdk: Sdk, bundle: str) -> Sdk:
    sdk.client.session.close()
    sdk.client = AcsClient("sdk-key", "sdk-secret", "cn-hangzhou", auto_retry=False, verify=bundle)
    return sdk


def status(server: MockServer, bundle: str) -> int:
    context = ssl.create_default_context(cafile=bundle)
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=5)
    try:
        connection.request("GET", "/_mock/account")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_client_that_trusts_the_authority_is_served(
    real_time_account: Account,
    authority: Authority,
    bundle: str,
    new_sdk: Callable[..., Sdk],
) -> None:
    with serve(real_time_account, probe=False, tls=authority.server("127.0.0.1")) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        assert status(server, bundle) == 200
        sdk = trusting(new_sdk(server.url), bundle)
        for _ in range(2):
            assert sdk("DescribeLoadBalancers")["TotalCount"] == 1


def test_a_client_that_does_not_trust_the_authority_makes_no_call(
    real_time_account: Account, authority: Authority, new_sdk: Callable[..., Sdk]
) -> None:
    with serve(real_time_account, probe=False, tls=authority.server("127.0.0.1")) as server:
        with pytest.raises(ClientException, match="CERTIFICATE_VERIFY_FAILED"):
            new_sdk(server.url)("DescribeLoadBalancers")
        assert server.calls.all() == []


def test_a_certificate_for_another_name_is_not_accepted(
    real_time_account: Account,
    authority: Authority,
    bundle: str,
    new_sdk: Callable[..., Sdk],
) -> None:
    wrong = authority.server("slb.example.org")
    with serve(real_time_account, probe=False, tls=wrong) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            status(server, bundle)
        with pytest.raises(ClientException):
            trusting(new_sdk(server.url), bundle)("DescribeLoadBalancers")
        assert server.calls.all() == []


def test_a_client_that_says_nothing_delays_no_other(
    real_time_account: Account, authority: Authority, bundle: str
) -> None:
    with (
        serve(real_time_account, probe=False, tls=authority.server("127.0.0.1")) as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        assert status(server, bundle) == 200


def test_a_client_that_speaks_no_tls_is_turned_away(
    real_time_account: Account, authority: Authority, bundle: str
) -> None:
    with serve(real_time_account, probe=False, tls=authority.server("127.0.0.1")) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):  # or a TLS alert comes back
                assert b"HTTP/1.1 200" not in plain.recv(1000)
        assert status(server, bundle) == 200


def test_an_answer_can_be_lost_over_tls_too(
    real_time_account: Account,
    authority: Authority,
    bundle: str,
    new_sdk: Callable[..., Sdk],
) -> None:
    with serve(real_time_account, probe=False, tls=authority.server("127.0.0.1")) as server:
        server.faults.add(preset("lost_answer", times=1))
        sdk = trusting(new_sdk(server.url), bundle)
        with pytest.raises(ClientException):
            sdk("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
        assert len(real_time_account.load_balancer("lb-1").default_group.servers()) == 1


def test_one_cloud_is_served_with_and_without_tls_at_once(
    real_time_account: Account, authority: Authority, bundle: str, new_sdk: Callable[..., Sdk]
) -> None:
    with (
        serve(real_time_account, probe=False, tls=authority.server("127.0.0.1")) as secure,
        serve(gateway=secure.gateway, probe=False) as plain,
    ):
        assert status(secure, bundle) == 200
        assert new_sdk(plain.url)("DescribeLoadBalancers")["TotalCount"] == 1
        assert len(secure.calls.all()) == 1
