from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.fault_presets import preset
from mock_slb.faults import Effect, Refuse, Reply, Rule
from mock_slb.gateway import ConnectionCutError, Gateway, WireAnswer
from mock_slb.metadata import MetadataService
from mock_slb.model import Account

if TYPE_CHECKING:
    from conftest import Clock

TOKEN = "/latest/api/token"
ID = "/latest/meta-data/instance-id"
TTL = "X-aliyun-ecs-metadata-token-ttl-seconds"


@pytest.fixture
def service(gateway: Gateway) -> MetadataService:
    return MetadataService(gateway)


def read(service: MetadataService, path: str = ID, token: str | None = None) -> WireAnswer:
    headers = {} if token is None else {"X-aliyun-ecs-metadata-token": token}
    return service.answer("GET", path, headers)


def token(service: MetadataService, ttl: str = "60") -> str:
    answer = service.answer("PUT", TOKEN, {TTL: ttl})
    assert answer.status == 200
    return answer.body.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instance-id", "i-self"),
        ("region-id", "cn-hangzhou"),
        ("zone-id", "cn-hangzhou-h"),
        ("private-ipv4", "192.168.0.1"),
        ("mac", "00:16:3e:00:00:01"),
        ("vpc-id", "vpc-mock"),
    ],
)
def test_each_field_is_read_with_and_without_a_token(
    service: MetadataService, name: str, value: str
) -> None:
    path = f"/latest/meta-data/{name}"
    assert read(service, path).body == value.encode()
    assert read(service, path, token(service)).body == value.encode()


def test_the_fields_are_listed(service: MetadataService) -> None:
    assert b"instance-id\n" in read(service, "/latest/meta-data/").body


def test_a_hardened_instance_wants_a_token(account: Account, service: MetadataService) -> None:
    account.metadata_mode = "hardened"
    assert read(service).status == 403
    assert read(service, token=token(service)).status == 200


def test_an_old_instance_has_no_token_endpoint_and_answers_plainly(
    account: Account, service: MetadataService
) -> None:
    account.metadata_mode = "old"
    assert service.answer("PUT", TOKEN, {TTL: "60"}).status == 404
    assert read(service).body == b"i-self"


def test_a_token_ends_with_its_time_to_live(service: MetadataService, clock: Clock) -> None:
    good = token(service, "60")
    clock.now += 59
    assert read(service, token=good).status == 200
    clock.now += 1
    assert read(service, token=good).status == 401


def test_a_made_up_token_is_refused(service: MetadataService) -> None:
    assert read(service, token="made-up").status == 401


@pytest.mark.parametrize("ttl", ["0", "21601", "-1", "x", ""])
def test_a_time_to_live_out_of_bounds_is_refused(service: MetadataService, ttl: str) -> None:
    assert service.answer("PUT", TOKEN, {TTL: ttl}).status == 400


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_a_time_to_live_within_bounds_is_fine(service: MetadataService, ttl: str) -> None:
    assert service.answer("PUT", TOKEN, {TTL: ttl}).status == 200


@pytest.mark.parametrize("path", ["/latest/meta-data/no-such", "/latest/user-data"])
def test_what_is_not_there_is_an_html_page_with_404(service: MetadataService, path: str) -> None:
    answer = read(service, path)
    assert answer.status == 404
    assert answer.content_type == "text/html"
    assert b"<html>" in answer.body


@pytest.mark.parametrize(("method", "path"), [("GET", TOKEN), ("POST", ID)])
def test_other_methods_are_not_allowed(service: MetadataService, method: str, path: str) -> None:
    assert service.answer(method, path, {TTL: "60"}).status == 405


def test_without_a_self_instance_there_is_nothing_to_tell(clock: Clock) -> None:
    service = MetadataService(Gateway(Account(clock=clock)))
    assert read(service).status == 404


def test_a_service_can_answer_for_another_vm(gateway: Gateway) -> None:
    assert read(MetadataService(gateway, "i-other")).body == b"i-other"


def test_faults_strike_the_metadata_service_too(gateway: Gateway, service: MetadataService) -> None:
    gateway.faults.add(preset("no_token_endpoint", times=1))
    assert service.answer("PUT", TOKEN, {TTL: "60"}).status == 404
    assert token(service)
    gateway.faults.add(preset("metadata_gone"))
    with pytest.raises(ConnectionCutError):
        read(service)
    assert [(call.action, call.status) for call in gateway.calls.all()] == [
        ("metadata:token", 404),
        ("metadata:token", 200),
        ("metadata:meta-data/instance-id", 0),
    ]


@pytest.mark.parametrize(("effect", "status"), [(Refuse("x", 503), 503), (Reply(200, b""), 200)])
def test_the_metadata_service_can_be_broken_in_any_way(
    gateway: Gateway, service: MetadataService, effect: Effect, status: int
) -> None:
    gateway.faults.add(Rule(effect, action="metadata:meta-data/*"))
    answer = read(service)
    assert answer.status == status
    assert b"i-self" not in answer.body
