"""The manifest's own check of a VM: which options go together, and which host it asks."""

from __future__ import annotations

import pytest


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
