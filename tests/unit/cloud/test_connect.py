"""From the configuration to signed calls, with the mocked cloud behind metadata service and STS."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancersRequest import (
    DescribeLoadBalancersRequest,
)

from mock_slb.account.account import Account
from mock_slb.gateway.faults import Refuse, Reply, Reset, Rule
from mock_slb.server import MockServer, serve
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.connect import connect
from slb_registration.cloud.refreshing import RefreshingCredentials
from slb_registration.config import loading as configuration
from slb_registration.model.errors import ApiError, Kind
from slb_registration.support.logs.event_log import EventLog

ACCESS_KEY, SECRET_KEY = "LTAI5tAccessKeyOfTheTest", "sEcReTsEcReTsEcReTsEcReTsEcReT"
KEYS = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
ROLE = "slb-registration"
METADATA = "metadata:meta-data/ram/security-credentials/"


class Place:
    """An account with a VM, whose role has keys, and a log."""

    def __init__(self, server: MockServer, account: Account, folder: Path) -> None:
        self.server, self.account, self.folder = server, account, folder
        self.arn = account.add_role(ROLE).arn
        self.out = io.StringIO()
        self.log = EventLog(self.out, level="debug")
        self.calls: list[tuple[str, str]] = []
        self.told = True
        self.made: list[Cloud] = []

    def connect(self, **properties: object) -> Cloud:
        """A Cloud as the agent gets it from these properties."""
        endpoints = dict.fromkeys(("slb", "sts", "metadata"), self.server.url)
        document = {
            "properties": {"endpoints": endpoints, **properties},
            "spec": {"id": "a", "deployment": "d", "instance_group": "g"},
            "run_dir": "/run",
            "data_dir": "/data",
        }
        file = self.folder / "agent.json"
        file.write_text(json.dumps(document))
        config = configuration.load(file)
        on_call = (
            (lambda made: self.calls.append((made.action, made.result))) if self.told else None
        )
        self.made.append(connect(config, self.account.region, self.log, on_call=on_call))
        return self.made[-1]

    def asked(self, action: str) -> int:
        return len(self.server.calls.all(action))

    def said(self, *levels: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.out.getvalue().splitlines()]
        return [event for event in events if event["level"] in levels]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    account = Account()
    account.add_instance("i-me", is_self=True)
    account.metadata_mode = "hardened"
    with serve(account, probe=False) as server:
        place = Place(server, account, tmp_path)
        yield place
        for cloud in place.made:
            cloud.close()
            cloud._source = None  # type: ignore[assignment] - with it goes the Cloud of STS
    for secret in (key.secret for key in account.access_keys()):
        assert secret not in place.out.getvalue()


def call(cloud: Cloud) -> dict[str, Any]:
    return cloud.call(DescribeLoadBalancersRequest())


def failing(cloud: Cloud) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(cloud)
    return caught.value


# Each source


def test_static_keys_sign(place: Place):
    place.account.add_key(ACCESS_KEY, SECRET_KEY)
    assert call(place.connect(**KEYS))["LoadBalancers"] == {"LoadBalancer": []}


def test_every_call_is_logged_for_who_wants_to_see_them_all(place: Place):
    place.account.add_key(ACCESS_KEY, SECRET_KEY)
    for told in (True, False):  # the errand, which nobody tells of calls, logs them as well
        place.told = told
        call(place.connect(**KEYS))
    assert place.calls == [("DescribeLoadBalancers", "ok")]
    logged = [(event["message"], event["action"], event["result"]) for event in place.said("debug")]
    assert logged == [("API call", "DescribeLoadBalancers", "ok")] * 2


@pytest.mark.parametrize("name", [None, ROLE])
def test_the_role_of_the_instance_signs_with_or_without_its_name(place: Place, name: str | None):
    cloud = place.connect(credential_source="ecs_ram_role", ram_role_name=name)
    assert place.server.calls.all() == []
    for _ in range(3):
        call(cloud)
    assert place.asked(METADATA + ROLE) == 1
    assert place.asked(METADATA) == (1 if name is None else 0)


def test_a_role_is_assumed_with_static_keys(place: Place):
    place.account.add_key(ACCESS_KEY, SECRET_KEY)
    cloud = place.connect(
        credential_source="assume_role",
        role_arn=place.arn,
        session_name="srt@cf",
        duration=900,
        **KEYS,
    )
    for _ in range(3):
        call(cloud)
    (asked,) = place.server.calls.all("AssumeRole")
    assert asked.product == "sts"
    assert {name: asked.params[name] for name in ("RoleArn", "RoleSessionName")} == {
        "RoleArn": place.arn,
        "RoleSessionName": "srt@cf",
    }
    assert asked.params["DurationSeconds"] == "900"
    assert place.calls == [("AssumeRole", "ok"), *[("DescribeLoadBalancers", "ok")] * 3]


def test_a_role_is_assumed_with_the_role_of_the_instance(place: Place):
    call(place.connect(credential_source="assume_role", role_arn=place.arn))
    assert place.asked(METADATA + ROLE) == 1
    assert place.asked("AssumeRole") == 1


def test_a_role_is_assumed_with_the_keys_of_a_file(place: Place):
    place.account.add_key(ACCESS_KEY, SECRET_KEY)
    file = _keys_file(place, ACCESS_KEY, SECRET_KEY)
    call(
        place.connect(
            credential_source="assume_role", role_arn=place.arn, credentials_file=str(file)
        )
    )
    assert place.asked("AssumeRole") == 1


def test_a_rotated_file_signs_the_next_call(place: Place):
    cloud = place.connect(credentials_file=str(_keys_file(place, "key-one-of-file", "secret-one")))
    place.account.add_key("key-one-of-file", "secret-one")
    call(cloud)
    place.account.remove_key("key-one-of-file")
    place.account.add_key("key-two-of-file", "secret-two")
    _keys_file(place, "key-two-of-file", "secret-two")
    call(cloud)


def _keys_file(place: Place, access_key: str, secret_key: str) -> Path:
    file = place.folder / "keys.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"access_key": access_key, "secret_key": secret_key}))
    return file


# What goes wrong


def expire_all(place: Place) -> None:
    place.account.keys._on_instances.clear()  # the metadata service has new ones, too
    for key in place.account.access_keys():
        if key.expires_at is not None:
            place.account.remove_key(key.id)
            place.account.add_key(
                key.id, key.secret, security_token=key.security_token, expires_at=1.0
            )


@pytest.mark.parametrize("source", ["ecs_ram_role", "assume_role"])
def test_keys_that_slb_calls_expired_are_replaced_for_the_next_call(
    place: Place, source: str, ticking: Callable[[float], None]
):
    extra = {"role_arn": place.arn} if source == "assume_role" else {}
    cloud = place.connect(credential_source=source, **extra)
    call(cloud)
    ticking(60)
    expire_all(place)
    error = failing(cloud)
    assert error.kind is Kind.CREDENTIALS
    if source == "assume_role":
        # Its own base keys, the role of the instance, are found to be expired on the way.
        failing(cloud)
        ticking(60)
    call(cloud)


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock of the sources that are made from now on."""
    ahead = 0.0
    clock = lambda: time.monotonic() + ahead  # noqa: E731
    monkeypatch.setitem(RefreshingCredentials.__init__.__kwdefaults__, "clock", clock)

    def tick(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    return tick


def test_without_a_role_on_the_instance_the_error_says_what_to_do(place: Place):
    place.account.keys.remove_role(ROLE)
    error = failing(place.connect(credential_source="ecs_ram_role"))
    assert (error.action, error.code) == ("DescribeLoadBalancers", "NoCredentials")
    assert error.kind is Kind.CREDENTIALS
    assert "attach a RAM role to this instance" in str(error)
    assert "deploy" not in str(error)


def test_a_role_of_another_name_is_named_in_the_error(place: Place):
    error = failing(place.connect(credential_source="ecs_ram_role", ram_role_name="other"))
    assert "attach the RAM role other to this instance" in str(error)


ODD = {
    "HTML": b"<html>login</html>",
    "no object": b'["Success"]',
    "not yet": b'{"Code": "Failed"}',
    "an odd code": b'{"Code": "<script>"}',
    "no key": b'{"Code": "Success", "AccessKeySecret": "s", "SecurityToken": "t"}',
    "a key with a line end": b'{"Code":"Success","AccessKeyId":"a\\nb","AccessKeySecret":"s"}',
    "no end": b'{"Code":"Success","AccessKeyId":"a","AccessKeySecret":"s","SecurityToken":"t"}',
    "nested": b"[" * 60_000,
    "cut off": b"x" * 70_000,
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
def test_an_odd_answer_of_the_metadata_service_is_an_error_and_no_keys(place: Place, body: bytes):
    place.server.faults.add(Rule(Reply(200, body, "text/plain"), action=METADATA + ROLE))
    error = failing(place.connect(credential_source="ecs_ram_role", ram_role_name=ROLE))
    assert error.code == "NoCredentials"
    assert str(error).isprintable()
    assert len(str(error)) < 250


def test_a_name_of_a_role_that_is_none_is_not_asked_for(place: Place):
    place.server.faults.add(Rule(Reply(200, b"../../evil", "text/plain"), action=METADATA))
    assert "no role's name" in str(failing(place.connect(credential_source="ecs_ram_role")))
    assert place.server.calls.all()[-1].action == METADATA


def test_while_the_metadata_service_is_away_calls_go_on_and_it_is_said_once(
    place: Place, ticking: Callable[[float], None]
):
    cloud = place.connect(credential_source="ecs_ram_role", ram_role_name=ROLE)
    call(cloud)
    rule = place.server.faults.add(Rule(Reset(), action=METADATA + ROLE))
    for _ in range(5):
        ticking(120)
        cloud._source.renew()
        call(cloud)
    (warning,) = place.said("warning", "error")
    assert "going on with those of before" in warning["message"]

    place.server.faults.remove(rule)
    ticking(120)
    call(cloud)
    assert place.said("info")[-1]["message"] == "credentials are refreshed again"


def test_a_role_that_may_not_be_assumed_names_the_missing_line(place: Place):
    place.account.add_key(ACCESS_KEY, SECRET_KEY)
    refusal = Refuse("NoPermission", 403, "You are not authorized to do this action.")
    place.server.faults.add(Rule(refusal, action="AssumeRole"))
    cloud = place.connect(credential_source="assume_role", role_arn=place.arn, **KEYS)
    text = str(failing(cloud))
    assert 'add "sts:AssumeRole" to the RAM policy' in text
    assert "trust policy" in text


def test_a_role_that_there_is_not_is_an_error_about_role_arn(place: Place):
    place.account.add_key(ACCESS_KEY, SECRET_KEY)
    cloud = place.connect(credential_source="assume_role", role_arn=f"{place.arn}-not", **KEYS)
    assert "EntityNotExist.Role" in str(failing(cloud))
    assert "check role_arn" in str(failing(cloud))


def test_an_answer_of_sts_without_keys_is_an_error(place: Place):
    place.account.add_key(ACCESS_KEY, SECRET_KEY)
    place.server.faults.add(Rule(Reply(200, b"{}", "application/json"), action="AssumeRole"))
    cloud = place.connect(credential_source="assume_role", role_arn=place.arn, **KEYS)
    assert "the answer lacks Credentials" in str(failing(cloud))


@pytest.mark.parametrize(
    ("role", "fault", "barred"),
    [
        (None, None, True),
        ("other", None, True),
        (ROLE, Rule(Reply(200, b'{"Code": "Failed"}', "text/plain"), action=METADATA + ROLE), True),
        (ROLE, Rule(Reset(), action=METADATA + ROLE), False),
        (ROLE, Rule(Reply(500, b"", "text/plain"), action=METADATA + ROLE), False),
    ],
)
def test_keys_that_no_instance_role_gives_are_for_a_person_and_a_network_is_not(
    place: Place, role: str | None, fault: Rule | None, barred: bool
):
    if role is None:
        place.account.keys.remove_role(ROLE)
    if fault is not None:
        place.server.faults.add(fault)
    cloud = place.connect(credential_source="ecs_ram_role", ram_role_name=role)
    assert failing(cloud).barred is barred
    assert failing(cloud).barred is barred  # which asks nobody again so soon


@pytest.mark.parametrize(
    ("fault", "barred"),
    [
        (Refuse("NoPermission", 403), True),
        (Refuse("EntityNotExist.Role", 404), True),
        (Refuse("InvalidAccessKeyId.NotFound", 404), True),
        (Refuse("ServiceUnavailable", 503), False),
        (Reset(), False),
    ],
)
def test_keys_that_sts_refuses_are_for_a_person_and_a_network_is_not(
    place: Place, fault: Refuse | Reset, barred: bool
):
    place.account.add_key(ACCESS_KEY, SECRET_KEY)
    place.server.faults.add(Rule(fault, action="AssumeRole"))
    cloud = place.connect(credential_source="assume_role", role_arn=place.arn, **KEYS)
    assert failing(cloud).barred is barred


def test_after_the_network_a_person_may_be_needed_and_the_other_way_round(
    place: Place, ticking: Callable[[float], None]
):
    cloud = place.connect(credential_source="ecs_ram_role", ram_role_name=ROLE)
    rule = place.server.faults.add(Rule(Reset(), action=METADATA + ROLE))
    assert not failing(cloud).barred
    place.server.faults.remove(rule)
    place.account.keys.remove_role(ROLE)
    ticking(120)
    assert failing(cloud).barred
    place.server.faults.add(Rule(Reset(), action=METADATA + ROLE))
    ticking(120)
    assert not failing(cloud).barred
