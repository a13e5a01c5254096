"""Properties of every kind: numbers, flags, choices, ports, keys, and names that are unknown."""

from __future__ import annotations

import pytest
from tests.unit.config.agent_json import PEM, nested
from tests.unit.driver import ACCESS_KEY, SECRET_KEY


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
