"""Where calls go: product, network, given endpoints; and which certificates are believed."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import aliyunsdkcore
import pytest
import responses
import trustme
from alibabacloud_alb20200616.client import Client as NewerAlb
from alibabacloud_nlb20220430.client import Client as NewerNlb
from alibabacloud_slb20140515.client import Client as NewerClb
from alibabacloud_tea_openapi.models import Config
from aliyunsdkalb.request.v20200616.ListServerGroupsRequest import (
    ListServerGroupsRequest as ListAlb,
)
from aliyunsdkcore.request import RpcRequest
from aliyunsdknlb.request.v20220430.ListServerGroupsRequest import (
    ListServerGroupsRequest as ListNlb,
)
from aliyunsdkslb.request.v20140515.DescribeLoadBalancersRequest import (
    DescribeLoadBalancersRequest,
)

from slb_registration.cloud import ram_role
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import CredentialsError, Static
from slb_registration.cloud.region_endpoints import CENTRAL, host
from slb_registration.model.configuration import CredentialConfig, StaticKeys
from slb_registration.model.errors import ApiError, Kind

KEYS = StaticKeys("LTAI5tAccessKeyOfTheTest", "sEcReTsEcReTsEcReTsEcReT", None)


def assume_role() -> RpcRequest:
    config = CredentialConfig("assume_role", None, None, "arn", "session", 3600, None)
    return ram_role._assume_role(config)


NEWER = {"slb": NewerClb, "alb": NewerAlb, "nlb": NewerNlb}
ANYWHERE = re.compile(r"https?://.*")
REQUESTS = {
    "slb": DescribeLoadBalancersRequest,
    "alb": ListAlb,
    "nlb": ListNlb,
    "sts": assume_role,
    "ecs": lambda: RpcRequest("Ecs", "2014-05-26", "DescribeInstances"),
}


class Sent:
    """The hosts that were called."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self._mock = mock
        for method in ("GET", "POST"):
            mock.add(method, ANYWHERE, body=b"{}")

    def url(self) -> str:
        parts = urlsplit(self._mock.calls[-1].request.url)
        return f"{parts.scheme}://{parts.netloc}"


@pytest.fixture
def sent(sdk: responses.RequestsMock) -> Sent:
    return Sent(sdk)


def cloud(region: str = "cn-hangzhou", **options) -> Cloud:
    return Cloud(Static(KEYS), region, **options)


@pytest.mark.parametrize(
    ("product", "network", "host"),
    [
        ("slb", "internet", "slb.aliyuncs.com"),
        ("slb", "vpc", "slb-vpc.cn-hangzhou.aliyuncs.com"),
        ("alb", "internet", "alb.cn-hangzhou.aliyuncs.com"),
        ("alb", "vpc", "alb-vpc.cn-hangzhou.aliyuncs.com"),
        ("nlb", "internet", "nlb.cn-hangzhou.aliyuncs.com"),
        ("nlb", "vpc", "nlb-vpc.cn-hangzhou.aliyuncs.com"),
        ("sts", "internet", "sts.cn-hangzhou.aliyuncs.com"),
        ("sts", "vpc", "sts-vpc.cn-hangzhou.aliyuncs.com"),
        ("ecs", "internet", "ecs-cn-hangzhou.aliyuncs.com"),
        ("ecs", "vpc", "ecs-vpc.cn-hangzhou.aliyuncs.com"),
    ],
)
def test_each_product_has_its_endpoint_on_each_network(
    sent: Sent, product: str, network: str, host: str
):
    cloud(network=network).call(REQUESTS[product]())
    assert sent.url() == f"https://{host}"


@pytest.mark.parametrize(
    ("product", "region", "host"),
    [
        ("slb", "na-south-1", "slb.na-south-1.aliyuncs.com"),
        ("slb", "cn-wulanchabu", "slb.cn-wulanchabu.aliyuncs.com"),
        ("slb", "cn-shanghai-finance-1", "slb.aliyuncs.com"),
        ("alb", "na-south-1", "alb.na-south-1.aliyuncs.com"),
        ("alb", "cn-hangzhou-finance", "alb.cn-hangzhou.aliyuncs.com"),
        ("nlb", "ap-southeast-7", "nlb.ap-southeast-7.aliyuncs.com"),
        ("sts", "na-south-1", "sts.na-south-1.aliyuncs.com"),
        ("sts", "ap-southeast-6", "sts.aliyuncs.com"),
        ("sts", "cn-zhengzhou-jva", "sts.aliyuncs.com"),
        ("sts", "us-southeast-1", "sts.aliyuncs.com"),
        ("sts", "ap-south-1", "sts.aliyuncs.com"),
        ("sts", "ap-southeast-2", "sts.aliyuncs.com"),
        ("sts", "cn-heyuan-acdr-1", "sts.aliyuncs.com"),
        ("sts", "cn-hangzhou-finance", "sts.aliyuncs.com"),
        ("sts", "cn-shenzhen-finance-1", "sts.aliyuncs.com"),
        ("ecs", "na-south-1", "ecs.na-south-1.aliyuncs.com"),
        ("ecs", "cn-north-2-gov-1", "ecs.aliyuncs.com"),
        ("ecs", "cn-shanghai-finance-1", "ecs-cn-hangzhou.aliyuncs.com"),
    ],
)
def test_regions_that_the_sdk_does_not_know_have_theirs_too(
    sent: Sent, product: str, region: str, host: str
):
    cloud(region).call(REQUESTS[product]())
    assert sent.url() == f"https://{host}"
    assert len(sent._mock.calls) == 1  # nobody was asked where it is


@pytest.mark.parametrize("product", REQUESTS)
@pytest.mark.parametrize("region", [*sorted(CENTRAL["slb"] | CENTRAL["sts"]), "nowhere"])
def test_inside_of_vpcs_no_public_name_is_used(sent: Sent, product: str, region: str):
    if product == "sts" and region in CENTRAL["sts"]:
        with pytest.raises(ApiError, match=r"set endpoints\.sts") as caught:
            cloud(region, network="vpc").call(REQUESTS[product]())
        assert caught.value.kind is Kind.INVALID
        assert not sent._mock.calls
    else:
        cloud(region, network="vpc").call(REQUESTS[product]())
        assert sent.url() == f"https://{product}-vpc.{region}.aliyuncs.com"


@pytest.mark.parametrize("product", ["slb", "alb", "nlb"])
def test_newer_sdks_find_the_same_endpoints(product: str):
    client = NEWER[product]
    regions = {*CENTRAL["slb"], *CENTRAL["sts"], "cn-huhehaote-nebula-1", "na-south-1", "eu-west-1"}
    for region in regions | set(client(Config(region_id="eu-west-1"))._endpoint_map or ()):
        assert host(product, region, "internet") == client(Config(region_id=region))._endpoint


def test_the_older_sdk_finds_the_same_endpoints_of_ecs_or_its_central_one():
    """Its table is of a time when the largest regions had none of their own."""
    table = Path(aliyunsdkcore.__file__).with_name("data") / "endpoints.json"
    found = json.loads(table.read_text())["regional_endpoints"]["ecs"]
    central = "ecs-cn-hangzhou.aliyuncs.com"
    for region, theirs in found.items():
        assert theirs in (central, host("ecs", region, "internet"))
    assert len(set(found.values())) > 5


@pytest.mark.parametrize("product", REQUESTS)
def test_a_given_endpoint_is_for_its_product_only_and_goes_before_the_network(
    sent: Sent, product: str
):
    endpoints = {name: f"https://{name}.cloud.example:8443" for name in REQUESTS}
    cloud(network="vpc", endpoints=endpoints).call(REQUESTS[product]())
    assert sent.url() == f"https://{product}.cloud.example:8443"

    endpoints[product] = None
    cloud(network="vpc", endpoints=endpoints).call(REQUESTS[product]())
    assert sent.url() == f"https://{product}-vpc.cn-hangzhou.aliyuncs.com"


def test_an_error_knows_the_product_that_was_called(sdk: responses.RequestsMock):
    body = json.dumps({"Code": "Forbidden.RAM", "Message": "m"})
    sdk.add("GET", ANYWHERE, body=body, status=403)
    sdk.add("POST", ANYWHERE, body=body, status=403)
    for product, make in REQUESTS.items():
        request = make()
        action = request.get_action_name()
        with pytest.raises(ApiError) as caught:
            cloud().call(request)
        assert caught.value.product == product
        line = f'add "{product}:{action}" to the RAM policy (release/manifests/ram-policy.json)'
        assert line in str(caught.value)


class Refused:
    """Keys that the API may refuse; counts how often others are wanted."""

    def __init__(self) -> None:
        self.renewals = 0
        self.others = True
        self.error: str | None = None

    def current(self):
        if self.error:
            raise CredentialsError(self.error)
        return Static(KEYS).current()

    def renew(self) -> bool:
        self.renewals += 1
        return self.others


@pytest.mark.parametrize(
    ("code", "status", "renewals"),
    [
        ("InvalidSecurityToken.Expired", 400, 1),
        ("SecurityTokenExpired", 403, 1),
        ("InvalidSecurityToken.Malformed", 400, 1),
        ("InvalidAccessKeyId.NotFound", 404, 1),
        ("InvalidAccessKeyId.Inactive", 400, 1),
        ("Forbidden.RAM", 403, 0),
        ("Throttling.User", 400, 0),
        ("InternalError", 500, 0),
    ],
)
def test_others_are_wanted_only_where_the_keys_are_refused(
    sdk: responses.RequestsMock, code: str, status: int, renewals: int
):
    sdk.add("GET", ANYWHERE, json={"Code": code, "Message": "m"}, status=status)
    sdk.add("POST", ANYWHERE, json={"Code": code, "Message": "m"}, status=status)
    source = Refused()
    with pytest.raises(ApiError):
        Cloud(source, "cn-hangzhou").call(DescribeLoadBalancersRequest())
    assert source.renewals == renewals


@pytest.mark.parametrize(("others", "kind"), [(True, Kind.CREDENTIALS), (False, Kind.DENIED)])
def test_keys_that_are_wrong_are_hopeless_only_where_no_others_can_come(
    sdk: responses.RequestsMock, others: bool, kind: Kind
):
    sdk.add("GET", ANYWHERE, json={"Code": "InvalidAccessKeyId.NotFound"}, status=404)
    sdk.add("POST", ANYWHERE, json={"Code": "InvalidAccessKeyId.NotFound"}, status=404)
    source = Refused()
    source.others = others
    seen: list[tuple[str, str]] = []
    with pytest.raises(ApiError) as caught:
        Cloud(
            source, "cn-hangzhou", on_call=lambda made: seen.append((made.action, made.result))
        ).call(DescribeLoadBalancersRequest())
    assert caught.value.kind is kind
    assert seen == [("DescribeLoadBalancers", kind.value)]


def test_without_keys_nothing_is_sent_and_the_reason_is_the_error(sent: Sent):
    source = Refused()
    source.error = "the metadata service knows no role"
    seen: list[tuple[str, str]] = []
    lazy = Cloud(
        source, "cn-hangzhou", on_call=lambda made: seen.append((made.action, made.result))
    )
    with pytest.raises(ApiError, match="the metadata service knows no role") as caught:
        lazy.call(DescribeLoadBalancersRequest())
    assert caught.value.kind is Kind.CREDENTIALS
    assert not sent._mock.calls
    assert seen == [("DescribeLoadBalancers", "credentials")]

    source.error = None
    assert lazy.call(DescribeLoadBalancersRequest()) == {}


# A private cloud

# The SDK's old urllib3 asks `ssl` for things that Python has deprecated.
old_tls = pytest.mark.filterwarnings("ignore::DeprecationWarning:aliyunsdkcore")


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"RequestId": "private"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class TlsServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us goes away."""


@pytest.fixture(autouse=True)
def _localhost_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look it up where there is no /etc/hosts, too: in a root folder that debootstrap made, say."""
    look_up = socket.getaddrinfo

    def known(host, *args, **kwargs):
        return look_up("127.0.0.1" if host == "localhost" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", known)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def port(authority: trustme.CA) -> Iterator[int]:
    """An endpoint whose certificate is for localhost, from a private authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with TlsServer(("127.0.0.1", 0), Api) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def bundle(tmp_path: Path, authority: trustme.CA) -> Path:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def private(port: int, bundle: Path | None, host: str = "localhost") -> Cloud:
    return cloud(endpoints={"slb": f"https://{host}:{port}"}, ca_bundle=bundle)


def refused(one: Cloud) -> ApiError:
    with pytest.raises(ApiError) as caught:
        one.call(DescribeLoadBalancersRequest())
    one.close()
    assert caught.value.kind is Kind.UNAVAILABLE
    assert KEYS.access_key not in str(caught.value)
    return caught.value


@old_tls
def test_a_private_authority_is_believed_where_the_bundle_names_it(port: int, bundle: Path):
    one = private(port, bundle)
    assert one.call(DescribeLoadBalancersRequest()) == {"RequestId": "private"}
    one.close()


@old_tls
def test_a_private_authority_is_not_believed_without_the_bundle(port: int):
    text = str(refused(private(port, None)))
    assert "certificate is not trusted" in text
    assert "ca_bundle" in text


@old_tls
def test_another_authority_in_the_bundle_does_not_help(port: int, tmp_path: Path):
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    assert "certificate is not trusted" in str(refused(private(port, other)))


@old_tls
def test_a_certificate_for_another_name_is_refused_in_these_words(
    port: int, bundle: Path, monkeypatch: pytest.MonkeyPatch
):
    def to_loopback(host, asked, *args, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", asked))]

    monkeypatch.setattr(socket, "getaddrinfo", to_loopback)
    error = refused(private(port, bundle, "slb.private.example"))
    assert "certificate is for another name" in str(error)


@old_tls
def test_an_address_that_the_certificate_does_not_name_is_refused_too(port: int, bundle: Path):
    error = refused(private(port, bundle, "127.0.0.1"))
    assert "certificate is for another name" in str(error)


@old_tls
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        ("", "holds no certificates"),
        ("no certificate\n", "holds no certificates"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "holds no certificates",
        ),
    ],
)
def test_a_bundle_that_cannot_be_used_is_named(
    port: int, tmp_path: Path, content: str | None, said: str
):
    file = tmp_path / "bad.pem"
    if content is not None:
        file.write_text(content)
    assert f"ca_bundle: {file}: {said}" in str(refused(private(port, file)))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_bundle_that_is_no_file_is_not_waited_for(
    port: int, tmp_path: Path, make: Callable[[Path], None]
):
    make(tmp_path / "ca.pem")
    error = refused(private(port, tmp_path / "ca.pem"))
    assert "ca.pem: cannot be read: is no regular file" in str(error)
