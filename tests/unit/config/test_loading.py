"""What the agent accepts as its configuration, and what it says about the rest."""

from __future__ import annotations

import copy
import dataclasses
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slb_registration.config import drain, loading
from slb_registration.model.configuration import (
    Config,
    Discovery,
    Drain,
    GroupSpec,
    HealthCheck,
    Metrics,
    MetricsTls,
    Readiness,
    StaticKeys,
)

ACCESS_KEY = "LTAI5tAccessKeyOfTheTest"
SECRET_KEY = "sEcReTsEcReTsEcReTsEcReTsEcReT"
SPEC: dict[str, Any] = {
    "id": "0c4a1f8e-2b8f-4d9c-9d7a-5b9d5f3c1e77",
    "deployment": "cf",
    "instance_group": "srt",
    "index": 0,
    "az": "z1",
    "address": "10.0.0.7",
    "director": True,
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "agent.json"


@pytest.fixture
def load(file: Path):
    """Loads a configuration with these properties besides the keys."""

    def load(properties: dict[str, Any] | None = None, **top: Any) -> Config:
        document = {
            "properties": {
                "access_key": ACCESS_KEY,
                "secret_key": SECRET_KEY,
                **(properties or {}),
            },
            "spec": copy.deepcopy(SPEC),
            "run_dir": "/var/vcap/sys/run/slb-registration-test",
            "data_dir": "/var/vcap/data/slb-registration-test",
            **top,
        }
        file.write_text(json.dumps(document))
        return loading.load(file)

    return load


@pytest.fixture
def problems(load):
    """The problems that these properties make, without the keys in any of them."""

    def problems(properties: dict[str, Any] | None = None, **top: Any) -> tuple[str, ...]:
        with pytest.raises(loading.ConfigError) as caught:
            load(properties, **top)
        assert str(caught.value) == "\n".join(caught.value.problems)
        assert SECRET_KEY not in str(caught.value)
        assert ACCESS_KEY not in str(caught.value)
        return caught.value.problems

    return problems


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


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


@pytest.mark.parametrize(
    "properties",
    [
        {"load_balancer_id": "lb-1"},
        {"server_groups": [{"load_balancer_id": "lb-1"}]},
    ],
)
def test_groups_that_are_named_turn_discovery_off(load, properties):
    assert load(properties).discovery.enabled is False


def test_an_empty_list_of_groups_leaves_discovery_on(load):
    assert load({"server_groups": []}).discovery.enabled is True


@pytest.mark.parametrize("register", [True, False])
def test_no_group_and_no_discovery_is_refused(problems, register):
    none = {"register": register, "discovery": {"enabled": False}, "dynamic_config_globs": []}

    assert problems(none) == (
        "discovery.enabled: is false: then give load_balancer_id, server_groups or"
        " dynamic_config_globs",
    )


def test_co_located_jobs_may_name_all_groups_there_are(load):
    loaded = load({"discovery": {"enabled": False}})

    assert loaded.dynamic_config_globs == ("/var/vcap/jobs/*/config/slb_registration.json",)


@pytest.mark.parametrize("bad", ["jobs/*.json", "", 5, ["/a"], "/a\n"])
def test_a_pattern_that_is_no_absolute_path_is_refused(problems, bad):
    (problem,) = problems({"dynamic_config_globs": ["/var/vcap/jobs/*/config/x.json", bad]})

    assert problem.startswith("dynamic_config_globs: must be absolute paths")


def test_discovery_needs_the_names_that_it_looks_for(problems, load):
    empty = {**SPEC, "deployment": "", "instance_group": None}

    assert [p.split(":")[0] for p in problems(spec=empty)] == [
        "spec.deployment",
        "spec.instance_group",
    ]
    assert load({"load_balancer_id": "lb-1"}, spec=empty).groups


def test_create_env_looks_for_its_deployment_alone_since_it_names_no_instance_group(load):
    loaded = load(spec={**SPEC, "director": False, "instance_group": None})

    assert dict(loaded.discovery.tags) == {"bosh-deployment": "cf"}


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


def test_all_problems_are_told_at_once_each_with_its_property(problems):
    found = problems(
        {
            "panic_threshold": 101,
            "register": "true",
            "health_check": {"intervall": 3, "unhealthy_threshold": 0},
            "drain": {"method": "weight-zero"},
            "server_groups": [{"vserver_group_id": "rsp-1", "port": 0, "wieght": 5}],
        }
    )

    assert {problem.split(":")[0] for problem in found} == {
        "panic_threshold",
        "register",
        "health_check.intervall",
        "health_check.unhealthy_threshold",
        "drain.method",
        "server_groups[0].port",
        "server_groups[0].wieght",
    }


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("acess_key", "access_key"),
        ("load_balancer_ids", "load_balancer_id"),
        ("health_check.expected_statuses", "expected_status"),
        ("drain.time_out", "timeout"),
        ("log.lvel", "level"),
        ("endpoints.slbs", "slb"),
        ("metrics.prt", "port"),
    ],
)
def test_an_unknown_property_is_refused_with_the_nearest_known_one(problems, path, nearest):
    (problem,) = problems(nested(path, "x"))

    assert problem == f"{path}: there is no such property; did you mean {nearest}?"


def test_an_unknown_name_beside_the_properties_is_refused(problems):
    assert problems(dta_dir="/x") == ("dta_dir: there is no such property; did you mean data_dir?",)


def test_an_unknown_name_cannot_make_a_second_line(problems):
    (problem,) = problems({"new\nline: \x1b[31m": 1})

    assert problem.isprintable()


@pytest.mark.parametrize(
    "path",
    [
        "health_check.port",
        "drain.connections_port",
        "metrics.port",
    ],
)
@pytest.mark.parametrize("port", [0, -1, 65536, 80.0, "80", True, ["80"], 10**30])
def test_a_port_is_a_whole_number_from_1_to_65535(problems, path, port):
    (problem,) = problems(nested(path, port))

    assert problem.startswith(f"{path}: must be a whole number from 1 to 65535")


@pytest.mark.parametrize(
    ("ignored", "told"),
    [
        (["127.0.0.0/8", "0::1/128", "10.0.0.0/8", "fd00::/8"], None),
        (["100.64.0.0/10"], "100.64.0.0/10"),
        (["10.0.0.0/8", "100.100.0.0/16", "64.0.0.0/2"], "100.100.0.0/16, 64.0.0.0/2"),
        (["0.0.0.0/0", "::/0"], None),  # nobody is to be waited for
        ([], None),
    ],
)
def test_who_ignores_load_balancers_in_a_drain_is_warned(load, ignored, told):
    warning = drain.ignored_requests(load({"drain": {"ignore_cidrs": ignored}}).drain)
    assert warning is None if told is None else f"ignore_cidrs: {told} has addresses" in warning


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (None, None),
        ("10.0.0.5", "10.0.0.5"),
        ("[FD00::0005]", "fd00::5"),
        (":1", "::1"),  # as the director hands ::1 over
        ("0.0.0.0", "0.0.0.0"),
    ],
)
def test_health_checks_of_load_balancers_may_be_answered(load, given, address):
    given = {} if given is None else {"address": given}
    assert load({"readiness": {"port": 8079, **given}}).readiness == Readiness(8079, address)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": 80}, "readiness.port: must be a whole number from 1024 to 65535, not 80"),
        ({"port": "8079"}, "readiness.port: must be a whole number from 1024 to 65535; '8079' is"),
        ({"address": "10.0.0.5"}, "readiness.address: has no effect without readiness.port"),
        ({"port": 8079, "address": "web.example.com"}, "readiness.address: must be an IP address"),
        ({"port": 8079, "address": "10.0.0.5:80"}, "readiness.address: must be an IP address"),
        ({"port": 8080}, "readiness.port: is port, too: the agent needs a port of its own"),
        ({"port": 8081}, "readiness.port: is health_check.port, too"),
        ({"port": 9115}, "readiness.port: is metrics.port, too"),
        ({"port": 8082}, "readiness.port: is the port of a server group, too"),
    ],
)
def test_where_health_checks_of_load_balancers_cannot_be_answered_is_refused(problems, given, said):
    around = {
        "port": 8080,
        "health_check": {"port": 8081},
        "metrics": {"port": 9115},
        "server_groups": [{"vserver_group_id": "rsp-1", "port": 8082}],
    }
    (problem,) = problems({**around, "readiness": given})
    assert problem.startswith(said)


PEM = {"certificate": "/c/crt.pem", "private_key": "/c/key.pem", "ca": "/c/ca.pem"}


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (None, "127.0.0.1"),
        ("127.0.0.53", "127.0.0.53"),
        (":1", "::1"),  # as the director hands ::1 over
        ("[::1]", "::1"),
    ],
)
def test_metrics_are_told_in_clear_on_loopback_addresses(load, given, address):
    told = load({"metrics": {"port": 9115, **({} if given is None else {"address": given})}})
    assert told.metrics == Metrics(9115, address)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "10.0.0.5", "::", ":", "fd00::5", "::ffff:10.0.0.5"]
)
def test_metrics_are_told_to_other_machines_by_tls_alone(load, problems, address):
    metrics = {"port": 9115, "address": address}

    (problem,) = problems({"metrics": metrics})
    assert problem.startswith("metrics.address: ")
    assert "can be asked from other machines: give metrics.tls.certificate" in problem

    told = load({"metrics": {**metrics, "tls": {"server_name": "slb"}}}, metrics_tls=PEM).metrics
    assert told.tls == MetricsTls(*map(Path, PEM.values()))


@pytest.mark.parametrize(
    "path",
    [
        *("metrics.address", "metrics.port", "metrics.tls.server_name", "metrics.tls", "metrics"),
        *("readiness.address", "region", "instance_id", "load_balancer_id", "server_groups"),
        *("log.level", "health_check.host", "drain.ignore_cidrs", "endpoints.slb", "ca_bundle"),
    ],
)
def test_no_message_repeats_a_private_key_in_the_wrong_place(problems, path):
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n"

    for value in (key, [key], {key: key}, f" {key}"):
        told = problems(nested(path, value), metrics_tls=PEM)

        assert told
        assert not [text for text in told if "MIGH" in text]


@pytest.mark.parametrize(
    ("metrics", "files", "said"),
    [
        ({"port": 9115, "address": "web"}, {}, "metrics.address: must be an IP address"),
        ({"port": 9115, "address": "10.0.0.5:9115"}, {}, "metrics.address: must be an IP address"),
        ({"address": "10.0.0.5"}, {}, "metrics.address: has no effect without metrics.port"),
        ({}, PEM, "metrics.tls.certificate: has no effect without metrics.port"),
        (
            {"port": 9115, "tls": {"server_name": "slb"}},
            {},
            "metrics.tls.server_name: has no effect",
        ),
        (
            {"port": 9115, "tls": {"server_name": "s b"}},
            PEM,
            "metrics.tls.server_name: must be a name",
        ),
        (
            {"port": 9115, "tls": {"certificate": "x"}},
            {},
            "metrics.tls.certificate: there is no such",
        ),
        *(
            (
                {"port": 9115, "address": "10.0.0.5"},
                {other: path for other, path in PEM.items() if other != name},
                f"metrics.tls.{name}: is missing: it is needed together with",
            )
            for name in PEM
        ),
    ],
)
def test_where_metrics_cannot_be_told_is_refused(problems, metrics, files, said):
    (problem,) = problems({"metrics": metrics}, metrics_tls=files)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("value", "ports"),
    [
        (8080, [range(8080, 8081)]),
        ("1024-2048", [range(1024, 2049)]),
        ("1 - 65535", [range(1, 65536)]),
        ([80, "8000-8000", "9000-9099"], [range(80, 81), range(8000, 8001), range(9000, 9100)]),
    ],
)
def test_connections_may_be_waited_for_on_many_ports(load, value, ports):
    connections_port = load({"drain": {"connections_port": value}}).drain.connections_port
    assert list(connections_port.ranges) == ports


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2048-1024", "not '2048-1024'"),
        ("0-80", "not '0-80'"),
        ("80-65536", "not '80-65536'"),
        ("80-", "not '80-'"),
        ("80,90", "not '80,90'"),
        ("8080", "'8080' is text: write it without quotes"),
        ([80, "http"], "not 'http'"),
        ([80, [81]], "not a list"),
        ({"from": 1}, "not a group of properties"),
        ([], "must have 1 to 100 entries, not 0"),
        ([80] * 101, "must have 1 to 100 entries, not 101"),
    ],
)
def test_ports_of_connections_that_are_none_are_refused(problems, value, said):
    (problem,) = problems({"drain": {"connections_port": value}})
    assert problem.startswith("drain.connections_port: must ")
    assert said in problem


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("panic_threshold", -1),
        ("panic_threshold", 101),
        ("panic_threshold", 50.5),
        ("health_check.healthy_threshold", 0),
        ("health_check.unhealthy_threshold", 1.5),
        ("health_check.interval", 0),
        ("health_check.interval", -5),
        ("health_check.timeout", 0),
        ("fleet_size", 0),
        ("fleet_size", 1_000_001),
        ("fleet_size", 10.0),
        ("fleet_size", True),
        ("reconcile_interval", 0),
        ("reconcile_interval", 0.0001),
        ("reconcile_interval", 86401),
        ("reconcile_interval", float("nan")),
        ("reconcile_interval", float("inf")),
        ("reconcile_interval", True),
        ("discovery.interval", 0),
        ("drain.timeout", -1),
        ("drain.min_wait", -1),
        ("post_start.timeout", 0),
    ],
)
def test_a_number_out_of_bounds_is_refused(problems, path, value):
    assert [problem.split(":")[0] for problem in problems(nested(path, value))] == [path]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("reconcile_interval", "30"),
        ("panic_threshold", "50"),
        ("health_check.timeout", " 0.5 "),
        ("register", "false"),
        ("dns.enabled", "true"),
    ],
)
def test_a_number_or_flag_in_quotes_is_refused_and_the_message_says_why(problems, path, value):
    (problem,) = problems(nested(path, value))

    assert problem.startswith(f"{path}: must be ")
    assert problem.endswith(f"; {value!r} is text: write it without quotes")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("on_unhealthy", "weight-zero"),
        ("drain.method", "Remove"),
        ("drain.on_error", True),
        ("log.level", "warn"),
        ("log.format", ["json"]),
        ("health_check.type", "https"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused(problems, path, value):
    (problem,) = problems(nested(path, value))

    assert problem.startswith(f"{path}: must be one of ")


def test_a_wrong_choice_comes_with_the_nearest_one(problems):
    assert problems({"log": {"level": "warn"}})[0].endswith("did you mean warning?")


@pytest.mark.parametrize("name", ["health_check", "drain", "log", "dns", "metrics", "discovery"])
@pytest.mark.parametrize("value", [5, "tcp", [], True])
def test_a_group_of_properties_cannot_be_a_single_value(problems, name, value):
    (problem,) = problems({name: value})

    assert problem.startswith(f"{name}: must be a group of properties, not ")


@pytest.mark.parametrize("name", ["access_key", "secret_key"])
def test_a_key_that_is_missing_is_asked_for(problems, name):
    (problem,) = problems({name: None})

    assert problem.startswith(f"{name}: is missing")


@pytest.mark.parametrize("name", ["access_key", "secret_key", "security_token"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "is empty"),
        (" hunter2hunter2", "white space"),
        ("hunter2hunter2\n", "white space"),
        ("hunter2\u00a0hunter2", "character"),
        ("hunter2\x00hunter2", "character"),
        ("hunter2\udcffhunter2", "character"),
        ("((hunter2hunter2))", "variable"),
        (77777777, "text"),
        (["hunter2hunter2"], "text"),
        ({"hunter2hunter2": "hunter2hunter2"}, "text"),
    ],
)
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(problems, name, value, said):
    (problem,) = problems({name: value})

    assert problem.startswith(f"{name}: ")
    assert said in problem
    assert "hunter2" not in problem
    assert "7777" not in problem


@pytest.mark.parametrize("path", ["region", "instance_id", "load_balancer_id", "log.level"])
def test_a_key_in_the_wrong_place_is_not_shown_either(problems, path):
    for value in (f"cn-{SECRET_KEY} and more", f"so long that it is cut {'x' * 20}{SECRET_KEY}"):
        (problem,) = problems(nested(path, value))
        assert SECRET_KEY[:8] not in problem
        assert "[redacted]" in problem


def test_the_keys_are_in_no_repr(load):
    assert SECRET_KEY not in repr(load({"security_token": SECRET_KEY}))
    assert ACCESS_KEY not in repr(load())


@pytest.mark.parametrize(
    "value", ["AY130806", "bp67acfmxazb4ph", "i-", "i-a b", "lb-1", "i-x\n", 5]
)
def test_an_instance_id_of_another_form_is_refused(problems, value):
    (problem,) = problems({"instance_id": value})

    assert problem.startswith("instance_id: must be an ECS instance id (i-…)")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("alb-1", "it is of ALB, which server_groups name by server_group_id"),
        ("nlb-1", "it is of NLB"),
        ("sgp-1", "it is of ALB or NLB"),
        ("rsp-1", "(lb-…)"),
        ("i-1", "(lb-…)"),
        ("lb-1;x", "(lb-…)"),
        ("", "is empty"),
    ],
)
def test_the_id_of_something_else_is_no_load_balancer(problems, value, hint):
    (problem,) = problems({"load_balancer_id": value})

    assert problem.startswith("load_balancer_id: ")
    assert hint in problem


def test_a_load_balancer_from_before_2016_has_another_form_of_id(load):
    assert load({"load_balancer_id": "139a00604ad-cn-east-hangzhou-01"}).groups


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "[0].load_balancer_id: give either"),
        ({"port": 80}, "[0].load_balancer_id: give either"),
        (
            {"load_balancer_id": "lb-1", "vserver_group_id": "rsp-1", "port": 80},
            "[0].load_balancer_id: give either",
        ),
        ({"vserver_group_id": "rsp-1"}, "[0].port: is missing"),
        ({"vserver_group_id": "sgp-1", "port": 80}, "[0].vserver_group_id: must be"),
        ({"vserver_group_id": "lb-1", "port": 80}, "[0].vserver_group_id: must be"),
        (
            {"load_balancer_id": "lb-1", "product": "alb"},
            "[0].load_balancer_id: is not for product alb",
        ),
        ({"load_balancer_id": "lb-1", "weight": 101}, "[0].weight: must be a whole number"),
        ({"load_balancer_id": "lb-1", "weight": -1}, "[0].weight: must be a whole number"),
        ({"load_balancer_id": "lb-1", "weight": "5"}, "[0].weight: must be a whole number"),
        ({"load_balancer_id": "lb-1", "description": "a b"}, "[0].description: must be"),
        ({"load_balancer_id": "lb-1", "description": ""}, "[0].description: is empty"),
        ({"load_balancer_id": "lb-1", "description": "a\n"}, "[0].description: must be"),
        ({"load_balancer_id": "lb-1", "description": "x" * 39}, "[0].description: must be"),
        ("lb-1", "[0]: must be a group of properties, not 'lb-1'"),
    ],
)
def test_a_server_group_that_cannot_be_one_is_refused(problems, entry, said):
    found = problems({"server_groups": [entry]})

    assert found[0].startswith(f"server_groups{said}")


def test_two_server_groups_without_a_usable_id_are_not_called_the_same(problems):
    entries = [{"vserver_group_id": wrong, "port": 80} for wrong in ("sgp-1", "lb-1")]

    assert not [problem for problem in problems({"server_groups": entries}) if "twice" in problem]


def test_server_groups_must_be_a_list(problems):
    assert problems({"server_groups": {"load_balancer_id": "lb-1"}}) == (
        "server_groups: must be a list, not a group of properties",
    )


@pytest.mark.parametrize(
    "properties",
    [
        {"load_balancer_id": "lb-1", "server_groups": [{"load_balancer_id": "lb-1"}]},
        {"server_groups": [{"load_balancer_id": "lb-1", "port": p} for p in (80, 81)]},
        {"server_groups": [{"vserver_group_id": "rsp-1", "port": 80, "weight": w} for w in (1, 2)]},
    ],
)
def test_the_same_server_group_twice_is_refused(problems, properties):
    (problem,) = problems(properties)

    assert "twice" in problem


def test_two_ports_of_one_vserver_group_are_two_servers(load):
    entries = [{"vserver_group_id": "rsp-1", "port": port} for port in (80, 81)]

    assert len(load({"server_groups": entries}).groups) == 2


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://slb.aliyuncs.com", "https://slb.aliyuncs.com"),
        ("slb.aliyuncs.com", "https://slb.aliyuncs.com"),
        ("slb.aliyuncs.com:8443/", "https://slb.aliyuncs.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.8.8", "http://127.8.8.8"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("2001:db8::1", "https://[2001:db8::1]"),
    ],
)
def test_an_endpoint_is_https_or_on_loopback(load, given, url):
    assert load({"endpoints": {"slb": given}}).endpoints.slb == url


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://slb.aliyuncs.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://100.100.100.200",
        "ftp://slb.aliyuncs.com",
        "https://slb.aliyuncs.com/path",
        "https://slb.aliyuncs.com?x=1",
        "https://slb.aliyuncs.com#x",
        "https://slb.aliyuncs.com:0",
        "https://slb.aliyuncs.com:99999",
        "https://slb.aliyuncs.com:port",
        "https://[::1",
        "https://[:1]",
        "https://::1",
        ":8443:",
        "https://",
        "https:///path",
        "",
        " slb.aliyuncs.com",
        "slb.aliyuncs.com\n",
        "slb_.aliyuncs..com",
        "999.1.1.1",
        7,
    ],
)
def test_an_endpoint_that_is_plain_or_malformed_is_refused(problems, endpoint):
    (problem,) = problems({"endpoints": {"slb": endpoint}})

    assert problem.startswith("endpoints.slb: ")


def test_an_endpoint_cannot_name_an_interface(problems):
    (problem,) = problems({"endpoints": {"metadata": "http://[fe80::1%eth0]"}})

    assert problem.startswith("endpoints.metadata: ")


def test_a_password_in_an_endpoint_is_refused_and_not_shown(problems):
    (problem,) = problems({"endpoints": {"slb": "https://user:hunter2@slb.aliyuncs.com"}})

    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "http://100.100.100.200",
        "http://169.254.169.254",
        "http://[fe80::1]:8080",
        "http://127.0.0.1:8080",
        "https://metadata.example.com",
    ],
)
def test_the_metadata_service_may_be_plain_where_nobody_is_in_between(load, url):
    assert load({"endpoints": {"metadata": url}}).endpoints.metadata == url


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1", "metadata.example.com", "http://100.100.100.201"]
)
def test_the_metadata_service_is_not_asked_in_plain_anywhere_else(problems, url):
    (problem,) = problems({"endpoints": {"metadata": url}})

    assert problem.startswith("endpoints.metadata: must be https")


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        ({"type": "script"}, "script"),
        ({"type": "script", "script": "bin/check"}, "script"),
        ({"type": "script", "script": ""}, "script"),
        ({"type": "script", "script": "/bin/true", "port": 80}, "port"),
        ({"type": "script", "script": "/bin/true", "tls": True}, "tls"),
        ({"type": "tcp", "path": "/health"}, "path"),
        ({"type": "tcp", "expected_status": 204}, "expected_status"),
        ({"path": "/health"}, "path"),
        ({"type": "tcp", "script": "/bin/true"}, "script"),
        ({"type": "http", "script": "/bin/true"}, "script"),
        ({"type": "none", "port": 80}, "port"),
        ({"type": "http", "path": "health"}, "path"),
        ({"type": "http", "path": "/a b"}, "path"),
        ({"type": "http", "path": "/a\r\nX: y"}, "path"),
        ({"type": "http", "path": "/ä"}, "path"),
        ({"type": "http", "expected_status": []}, "expected_status"),
        ({"type": "http", "expected_status": "200"}, "expected_status"),
        ({"type": "http", "expected_status": [200, "204"]}, "expected_status"),
        ({"type": "http", "expected_status": 99}, "expected_status"),
        ({"type": "http", "expected_status": True}, "expected_status"),
        ({"type": "http", "expected_status": [200, {}]}, "expected_status"),
        ({"host": "127.0.0.1:80"}, "host"),
        ({"host": ":http"}, "host"),
        ({"host": ":::1"}, "host"),
        ({"host": "[127.0.0.1]"}, "host"),
        ({"host": "256.0.0.1"}, "host"),
        ({"host": "a..b"}, "host"),
        ({"host": "-a"}, "host"),
        ({"host": "x" * 64}, "host"),
        ({"host": ""}, "host"),
        ({"host": 127}, "host"),
    ],
)
def test_a_health_check_that_makes_no_sense_is_refused(problems, check, wrong):
    assert [problem.split(":")[0] for problem in problems({"health_check": check})] == [
        f"health_check.{wrong}"
    ]


def test_options_of_a_type_that_does_not_exist_are_not_called_useless(problems):
    check = {"type": "https", "path": "/health", "script": "/bin/true"}

    assert len(problems({"health_check": check})) == 1


@pytest.mark.parametrize("check", ["tcp", "http", "none"])
def test_the_job_s_own_defaults_are_fine_with_every_type_of_check(load, check):
    defaults = {"host": "127.0.0.1", "path": "/", "tls": False, "expected_status": 200}

    assert load({"health_check": {"type": check, **defaults}}).health_check.type == check


def test_a_status_may_be_listed_twice(load):
    check = {"type": "http", "expected_status": [200, 200]}

    assert load({"health_check": check}).health_check.expected_status == {200}


@pytest.mark.parametrize("host", ["localhost", "srt.cf.bosh", "10.0.0.1", "::1", "fe80::1%eth0"])
def test_a_host_is_a_name_or_an_address_of_either_family(load, host):
    assert load({"health_check": {"host": host}}).health_check.host == host


def test_one_duration_can_be_given_without_the_other_that_it_bounds(load):
    loaded = load({"drain": {"timeout": 5}, "health_check": {"interval": 1}})

    assert (loaded.drain.timeout_seconds, loaded.drain.min_wait_seconds) == (5, 10)
    assert loaded.health_check.timeout_seconds == 2


@pytest.mark.parametrize("cidr", ["10.0.0.1/8", "10.0.0.0/33", "example.com", "", 5, None, True])
def test_a_network_to_ignore_must_be_one(problems, cidr):
    (problem,) = problems({"drain": {"ignore_cidrs": ["::1/128", cidr]}})

    assert problem.startswith("drain.ignore_cidrs: ")


# What Ruby's YAML leaves of a text that begins with two colons
LOST_COLON = {
    ":1": "::1",
    ":": "::",
    ":2:3": "::2:3",
    ":ffff:10.0.0.1": "::ffff:10.0.0.1",
    ":1%eth0": "::1%eth0",
}


@pytest.mark.parametrize("given", [*LOST_COLON, *LOST_COLON.values()])
@pytest.mark.parametrize("form", ["{}", "[{}]"])
def test_a_host_may_have_lost_its_first_colon(load, given, form):
    host = load({"health_check": {"host": form.format(given)}}).health_check.host

    assert host == LOST_COLON.get(given, given)


@pytest.mark.parametrize("given", [":1", "::1"])
def test_the_address_of_an_endpoint_may_have_lost_its_first_colon(load, given):
    endpoints = load({"endpoints": {"slb": given, "metadata": given}}).endpoints

    assert (endpoints.slb, endpoints.metadata) == ("https://[::1]", "http://[::1]")


@pytest.mark.parametrize("given", [":2", "::2", "0::2"])
def test_the_address_of_a_backend_server_may_have_lost_its_first_colon(load, given):
    entry = {"product": "alb", "server_group_id": "sgp-1", "port": 80, "server_type": "ip"}

    (group,) = load({"server_groups": [{**entry, "server_ip": given}]}).groups

    assert (group.server_id, group.server_ip) == ("::2", "::2")


@pytest.mark.parametrize(
    ("given", "network"),
    [
        (":1/128", "::1/128"),
        (":1", "::1/128"),
        (":/0", "::/0"),
        (":", "::/128"),
        (":2:0/112", "::2:0/112"),
        ("::/0", "::/0"),
        # The kernel's tables of IPv6 hold IPv4 peers as mapped addresses; they are counted as IPv4.
        (":ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
    ],
)
def test_a_network_to_ignore_may_have_lost_its_first_colon(load, given, network):
    assert load({"drain": {"ignore_cidrs": [given]}}).drain.ignore_cidrs == (
        ipaddress.ip_network(network),
    )


def test_networks_to_ignore_must_be_a_list_that_may_be_empty(problems, load):
    assert problems({"drain": {"ignore_cidrs": "10.0.0.0/8"}})[0].startswith("drain.ignore_cidrs: ")
    assert load({"drain": {"ignore_cidrs": []}}).drain.ignore_cidrs == ()


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
    file, content, said
):
    file.write_bytes(content)

    with pytest.raises(loading.ConfigError) as caught:
        loading.load(file)

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


def test_an_empty_document_asks_for_what_is_missing(file):
    file.write_text("{}")

    with pytest.raises(loading.ConfigError) as caught:
        loading.load(file)

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
def test_whatever_the_document_holds_the_only_error_is_a_list_of_problems(file, properties, spec):
    file.write_text(json.dumps({"properties": properties, "spec": spec}))

    with pytest.raises(loading.ConfigError) as caught:
        loading.load(file)

    assert all(problem.isprintable() for problem in caught.value.problems)
