"""The configuration as a whole: what is taken, given and by default, and what is refused."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.config.agent_json import SPEC
from tests.unit.driver import ACCESS_KEY, SECRET_KEY

from slb_registration.config import loading
from slb_registration.model.configuration import (
    Config,
    Discovery,
    Drain,
    GroupSpec,
    HealthCheck,
    Metrics,
    StaticKeys,
)


def test_two_keys_are_all_that_is_needed_and_the_rest_has_the_documented_defaults(load):
    loaded = load()

    assert loaded.keys == StaticKeys(ACCESS_KEY, SECRET_KEY, None)
    assert (loaded.region, loaded.instance_id, loaded.groups) == (None, None, ())
    assert loaded.discovery == Discovery(
        enabled=True,
        interval_seconds=300,
        tags={"bosh-deployment": "cf", "bosh-instance-group": "srt"},
    )
    assert loaded.endpoints == loading.Endpoints(slb=None, metadata="http://100.100.100.200")
    assert loaded.register is True
    assert loaded.health_check == HealthCheck(
        type="tcp",
        host="127.0.0.1",
        port=None,
        path="/",
        tls=False,
        expected_status=frozenset({200}),
        script=None,
        interval_seconds=5,
        timeout_seconds=2,
        healthy_threshold=2,
        unhealthy_threshold=3,
    )
    assert (loaded.on_unhealthy, loaded.panic_threshold) == ("weight_zero", 50)
    assert loaded.reconcile_interval_seconds == 30
    assert loaded.fleet_size == 1
    assert loaded.drain == Drain(
        timeout_seconds=120,
        min_wait_seconds=10,
        method="weight_zero",
        connections_port=None,
        ignore_cidrs=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        on_error="continue",
    )
    assert loaded.post_start == loading.PostStart(timeout_seconds=180, required=True)
    assert loaded.dns_enabled is False
    assert loaded.log == loading.LogConfig(level="info", format="json")
    assert loaded.metrics is None
    assert loaded.readiness is None
    assert loaded.spec == loading.Spec(
        id=SPEC["id"],
        deployment="cf",
        instance_group="srt",
        director=True,
        address="10.0.0.7",
    )
    assert loaded.run_dir == Path("/var/vcap/sys/run/slb-registration-test")
    assert loaded.data_dir == Path("/var/vcap/data/slb-registration-test")


def test_every_property_that_is_given_is_taken(load):
    loaded = load(
        {
            "security_token": "CAISToken+/=",
            "region": "cn-hangzhou",
            "ecs_region": "cn-hangzhou",
            "instance_id": "i-bp67acfmxazb4ph0001",
            "load_balancer_id": "lb-bp1b6c719dfa08ex00001",
            "server_groups": [
                {
                    "product": "clb",
                    "vserver_group_id": "rsp-6cejjzlw00001",
                    "port": 8080,
                    "weight": 0,
                    "description": "中文/a-b.c_d",
                },
                {"load_balancer_id": "lb-2", "port": 80},
            ],
            "discovery": {"enabled": True, "interval": 60},
            "endpoints": {"slb": "slb-vpc.cn-hangzhou.aliyuncs.com", "metadata": "http://[::1]:8/"},
            "register": False,
            "health_check": {
                "type": "http",
                "host": "[::1]",
                "port": 8081,
                "path": "/healthz?full=1",
                "tls": True,
                "expected_status": [200, 204],
                "interval": 1.5,
                "timeout": 0.5,
                "healthy_threshold": 1,
                "unhealthy_threshold": 1,
            },
            "on_unhealthy": "ignore",
            "panic_threshold": 0,
            "reconcile_interval": 10,
            "fleet_size": 500,
            "drain": {
                "timeout": 60,
                "min_wait": 0,
                "method": "remove",
                "connections_port": 8080,
                "ignore_cidrs": ["10.0.0.0/8", "fd00::/8", "100.64.0.1"],
                "on_error": "fail",
            },
            "post_start": {"timeout": 30, "required": False},
            "dns": {"enabled": True},
            "log": {"level": "debug", "format": "text"},
            "metrics": {"port": 9100},
        }
    )

    assert loaded.keys.security_token == "CAISToken+/="
    assert (loaded.region, loaded.instance_id) == ("cn-hangzhou", "i-bp67acfmxazb4ph0001")
    assert loaded.groups == (
        GroupSpec("clb", "lb-bp1b6c719dfa08ex00001", None, None, 100, None),
        GroupSpec("clb", None, "rsp-6cejjzlw00001", 8080, 0, "中文/a-b.c_d"),
        GroupSpec("clb", "lb-2", None, 80, 100, None),
    )
    assert (loaded.discovery.enabled, loaded.discovery.interval_seconds) == (True, 60)
    assert loaded.endpoints == loading.Endpoints(
        slb="https://slb-vpc.cn-hangzhou.aliyuncs.com", metadata="http://[::1]:8"
    )
    assert loaded.register is False
    assert (loaded.health_check.host, loaded.health_check.tls) == ("::1", True)
    assert loaded.health_check.expected_status == {200, 204}
    assert loaded.health_check.interval_seconds == 1.5
    assert (loaded.on_unhealthy, loaded.panic_threshold) == ("ignore", 0)
    assert (loaded.reconcile_interval_seconds, loaded.fleet_size) == (10, 500)
    assert [str(network) for network in loaded.drain.ignore_cidrs] == [
        "10.0.0.0/8",
        "fd00::/8",
        "100.64.0.1/32",
    ]
    assert (loaded.drain.method, loaded.drain.on_error) == ("remove", "fail")
    assert loaded.post_start == loading.PostStart(30, False)
    assert loaded.dns_enabled is True
    assert loaded.log == loading.LogConfig("debug", "text")
    assert loaded.metrics == Metrics(9100, "127.0.0.1")


def test_null_means_not_given(load):
    loaded = load(
        {
            "region": None,
            "health_check": None,
            "server_groups": [
                {"load_balancer_id": "lb-1", "vserver_group_id": None, "port": None, "weight": None}
            ],
        }
    )

    assert loaded.groups == (GroupSpec("clb", "lb-1", None, None, 100, None),)


def test_create_env_has_no_director_and_maybe_no_address(load):
    loaded = load(spec={**SPEC, "director": False, "address": None})

    assert (loaded.spec.director, loaded.spec.address) == (False, "")


def test_ecs_region_is_another_name_for_region(load, problems):
    assert load({"ecs_region": "eu-central-1"}).region == "eu-central-1"
    (problem,) = problems({"region": "cn-beijing", "ecs_region": "cn-hangzhou"})
    assert problem.startswith("ecs_region: ")
    assert "cn-beijing" in problem


@pytest.mark.parametrize(
    "region",
    ["cn-hangzhou", "us-west-1", "cn-shanghai-finance-1", "cn-north-2-gov-1", "rus-west-1"],
)
def test_regions_of_alibaba_cloud_are_regions(load, region):
    assert load({"region": region}).region == region


@pytest.mark.parametrize(
    "region",
    ["cn-hangzhou-h", "us-west-1a", "CN-Hangzhou", "cn-hangzhou\n", "hangzhou", " ", "", 1],
)
def test_a_zone_or_another_text_is_no_region(problems, region):
    (problem,) = problems({"region": region})

    assert problem.startswith("region: ")


@pytest.mark.parametrize(
    "value", ["AY130806", "bp67acfmxazb4ph", "i-", "i-a b", "lb-1", "i-x\n", 5]
)
def test_an_instance_id_of_another_form_is_refused(problems, value):
    (problem,) = problems({"instance_id": value})

    assert problem.startswith("instance_id: must be an ECS instance id (i-…)")


def test_one_duration_can_be_given_without_the_other_that_it_bounds(load):
    loaded = load({"drain": {"timeout": 5}, "health_check": {"interval": 1}})

    assert (loaded.drain.timeout_seconds, loaded.drain.min_wait_seconds) == (5, 10)
    assert loaded.health_check.timeout_seconds == 2


@pytest.mark.parametrize("spec_id", [None, "", "a/b", "a b", "ä", "x" * 37, "a\n", 7])
def test_an_instance_without_a_usable_id_is_refused(problems, spec_id):
    (problem,) = problems(spec={**SPEC, "id": spec_id})

    assert problem.startswith("spec.id: ")


@pytest.mark.parametrize("name", ["run_dir", "data_dir"])
@pytest.mark.parametrize("value", [None, "", "relative", 5, "/with\nline"])
def test_a_folder_must_be_an_absolute_path(problems, name, value):
    (problem,) = problems(**{name: value})

    assert problem.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not valid JSON at line 1"),
        (b'{"properties": {"secret_key": "hunter2"\n', "is not valid JSON at line 2"),
        (b'{"secret_key": "hunter2\xff"}', "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not valid JSON"),
        (b'["hunter2"]', "must hold a JSON object"),
        (b"null", "must hold a JSON object"),
    ],
    ids=["empty", "cut", "not UTF-8", "deep", "long number", "list", "null"],
)
def test_a_file_that_is_no_json_object_is_refused_without_showing_what_is_in_it(
    config_file, content, said
):
    config_file.write_bytes(content)

    with pytest.raises(loading.ConfigError) as caught:
        loading.load(config_file)

    assert len(caught.value.problems) >= 1
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    if b"999" not in content:  # some versions of Python read so long a number
        assert said in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(loading.ConfigError, match=r"nothing\.json: cannot be read: No such file"):
        loading.load(tmp_path / "nothing.json")
    with pytest.raises(loading.ConfigError, match="cannot be read: Is a directory"):
        loading.load(tmp_path)


def test_an_empty_document_asks_for_what_is_missing(config_file):
    config_file.write_text("{}")

    with pytest.raises(loading.ConfigError) as caught:
        loading.load(config_file)

    assert {problem.split(":")[0] for problem in caught.value.problems} == {
        "access_key",
        "secret_key",
        "spec.id",
        "spec.deployment",
        "run_dir",
        "data_dir",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([field.name for field in dataclasses.fields(Config)]) | (
    st.sampled_from(["access_key", "secret_key", "load_balancer_id", "server_groups", "metrics"])
)


@settings(max_examples=40, deadline=None, database=None)
@given(st.dictionaries(NAMES, JSON), JSON)
def test_whatever_the_document_holds_the_only_error_is_a_list_of_problems(
    config_file, properties, spec
):
    config_file.write_text(json.dumps({"properties": properties, "spec": spec}))

    with pytest.raises(loading.ConfigError) as caught:
        loading.load(config_file)

    assert all(problem.isprintable() for problem in caught.value.problems)
