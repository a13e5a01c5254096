"""Where the keys come from and how the APIs are reached: what is taken, what is contradictory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slb_registration.config import loading
from slb_registration.model.configuration import Config, CredentialConfig, StaticKeys

API_PRODUCTS = ("slb", "alb", "nlb", "sts", "ecs")
KEYS = {"access_key": "LTAI5tAccessKeyOfTheTest", "secret_key": "sEcReTsEcReTsEcReTsEcReT"}
FILE = {"credentials_file": "/var/vcap/data/keys/slb.json"}
ARN = "acs:ram::123456789012345678:role/slb-registration"
ROLE = {"credential_source": "ecs_ram_role"}
ASSUME = {"credential_source": "assume_role", "role_arn": ARN}


@pytest.fixture
def load(tmp_path: Path):
    def load(*parts: dict[str, Any], **top: Any) -> Config:
        document = {
            "properties": {name: value for part in parts for name, value in part.items()},
            "spec": {"id": "a", "deployment": "d", "instance_group": "g"},
            "run_dir": "/run",
            "data_dir": "/data",
            **top,
        }
        file = tmp_path / "agent.json"
        file.write_text(json.dumps(document))
        return loading.load(file)

    return load


@pytest.fixture
def problems(load):
    def problems(*parts: dict[str, Any], **top: Any) -> tuple[str, ...]:
        with pytest.raises(loading.ConfigError) as caught:
            load(*parts, **top)
        for key in KEYS.values():
            assert key not in str(caught.value)
        return caught.value.problems

    return problems


def test_static_keys_are_the_default(load):
    assert load(KEYS).credentials == CredentialConfig(
        source="static",
        keys=StaticKeys(**KEYS, security_token=None),
        ram_role_name=None,
        role_arn=None,
        session_name="slb-registration",
        duration_seconds=3600,
        credentials_file=None,
    )


def test_a_file_with_the_keys_takes_their_place(load):
    loaded = load(FILE)
    assert loaded.keys is None
    assert loaded.credentials.credentials_file == Path(FILE["credentials_file"])


def test_a_role_needs_no_keys_and_its_name_is_optional(load):
    assert load(ROLE).keys is None
    assert load(ROLE, {"ram_role_name": "slb"}).credentials.ram_role_name == "slb"


@pytest.mark.parametrize("base", [KEYS, FILE, {}, {"ram_role_name": "slb"}])
def test_a_role_is_assumed_over_keys_a_file_or_the_instances_role(load, base: dict[str, str]):
    loaded = load(ASSUME, base, {"session_name": "srt@cf", "duration": 43200}).credentials
    assert (loaded.source, loaded.role_arn) == ("assume_role", ARN)
    assert (loaded.session_name, loaded.duration_seconds) == ("srt@cf", 43200)
    assert (loaded.keys is not None) is (base is KEYS)


def test_the_jobs_own_defaults_contradict_nothing(load):
    defaults = {"session_name": "slb-registration", "duration": 3600}
    load(KEYS, {"credential_source": "static"}, defaults)
    load(ROLE, defaults)


HALF = {"access_key": KEYS["access_key"]}
CONTRADICTIONS = [
    ([], ["access_key: is missing", "secret_key: is missing"]),
    ([HALF], ["secret_key: is missing"]),
    ([{"security_token": "a-token-of-sts"}], ["access_key: is missing", "secret_key: is missing"]),
    ([KEYS, {"role_arn": ARN}], ["role_arn: has no effect where credential_source is static"]),
    ([KEYS, {"ram_role_name": "a"}], ["ram_role_name: has no effect"]),
    ([KEYS, {"session_name": "abc"}], ["session_name: has no effect"]),
    ([KEYS, {"duration": 900}], ["duration: has no effect"]),
    ([KEYS, FILE], ["credentials_file: give either this or access_key"]),
    ([HALF, FILE], ["credentials_file: give either this or access_key"]),
    ([ROLE, KEYS], ["access_key: has no effect", "secret_key: has no effect"]),
    ([ROLE, FILE], ["credentials_file: has no effect where credential_source is ecs_ram_role"]),
    ([ROLE, {"role_arn": ARN}], ["role_arn: has no effect"]),
    ([ROLE, {"duration": 900}], ["duration: has no effect"]),
    ([{"credential_source": "assume_role"}], ["role_arn: is missing"]),
    ([ASSUME, HALF], ["secret_key: is missing"]),
    ([ASSUME, KEYS, FILE], ["credentials_file: give either this or access_key"]),
    ([ASSUME, KEYS, {"ram_role_name": "a"}], ["ram_role_name: give either this or access_key"]),
    ([ASSUME, FILE, {"ram_role_name": "a"}], ["ram_role_name: give either this or credentials_f"]),
]


@pytest.mark.parametrize(("parts", "expected"), CONTRADICTIONS)
def test_what_is_missing_or_contradictory_is_named(problems, parts, expected):
    found = problems(*parts)
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("credential_source", "ram_role"),
        ("credential_source", 1),
        ("role_arn", "slb-registration"),
        ("role_arn", "acs:ram::123:user/a"),
        ("role_arn", ""),
        ("session_name", "a"),
        ("session_name", "with space"),
        ("session_name", "x" * 65),
        ("duration", 899),
        ("duration", 43201),
        ("duration", "3600"),
        ("ram_role_name", "../secrets"),
        ("credentials_file", "keys.json"),
        ("network", "intranet"),
        ("ca_bundle", "ca.pem"),
    ],
)
def test_a_value_that_cannot_be_one_is_refused_by_its_name(problems, name: str, value: object):
    assert any(problem.startswith(f"{name}: ") for problem in problems(ASSUME, {name: value}))


def test_a_source_that_there_is_not_is_one_problem_with_the_nearest_name(problems):
    (problem,) = problems(KEYS, {"credential_source": "assume-role", "role_arn": ARN})
    assert problem.endswith("not 'assume-role'; did you mean assume_role?")


@pytest.mark.parametrize("secret", ["access_key", "secret_key"])
def test_a_key_in_the_wrong_place_is_not_repeated(problems, secret: str):
    problems(KEYS, {"role_arn": KEYS[secret], "session_name": f"{KEYS[secret]} x"})


# How the APIs are reached


def test_the_internet_and_the_public_authorities_are_the_default(load):
    loaded = load(KEYS)
    assert (loaded.network, loaded.ca_bundle) == ("internet", None)
    assert loaded.endpoints.by_product == dict.fromkeys(API_PRODUCTS)


def test_every_endpoint_can_be_given(load):
    given = {name: f"{name}.cloud.example:8443" for name in API_PRODUCTS}
    loaded = load(KEYS, {"endpoints": given, "network": "vpc", "ca_bundle": "/etc/ca.pem"})
    assert loaded.endpoints.by_product == {
        name: f"https://{name}.cloud.example:8443" for name in given
    }
    assert (loaded.network, loaded.ca_bundle) == ("vpc", Path("/etc/ca.pem"))


@pytest.mark.parametrize("name", API_PRODUCTS)
def test_an_endpoint_without_tls_is_for_this_machine_only(load, problems, name: str):
    load(KEYS, {"endpoints": {name: "http://127.0.0.1:8080"}})
    (problem,) = problems(KEYS, {"endpoints": {name: "http://10.0.0.1"}})
    assert problem == f"endpoints.{name}: must be https: http is for loopback hosts only"


# The link slb-backend


def test_what_a_backend_tells_of_itself_is_taken_where_no_property_is_given(load):
    loaded = load(KEYS, link={"port": 8080, "health_check": {"path": "/up"}})
    assert loaded.port == 8080
    assert (loaded.health_check.type, loaded.health_check.path) == ("http", "/up")


def test_properties_go_before_what_a_backend_tells(load):
    link = {"port": 8080, "health_check": {"path": "/up"}}
    assert load(KEYS, {"port": 80}, link=link).port == 80
    http = load(KEYS, {"health_check": {"type": "http", "path": "/own"}}, link=link)
    assert http.health_check.path == "/own"
    tcp = load(KEYS, {"health_check": {"type": "tcp"}}, link=link).health_check
    assert (tcp.type, tcp.path) == ("tcp", "/")


def test_a_backend_that_tells_nonsense_is_named(problems):
    found = problems(KEYS, link={"port": "8080", "health_check": {"path": "up"}})
    assert [problem.partition(": ")[0] for problem in found] == [
        "link slb-backend.port",
        "link slb-backend.health_check.path",
    ]
