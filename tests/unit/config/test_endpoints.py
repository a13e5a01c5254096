"""Where the APIs and the metadata service are asked: by https, or where nobody is in between."""

from __future__ import annotations

import pytest


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


@pytest.mark.parametrize("given", [":1", "::1"])
def test_the_address_of_an_endpoint_may_have_lost_its_first_colon(load, given):
    endpoints = load({"endpoints": {"slb": given, "metadata": given}}).endpoints

    assert (endpoints.slb, endpoints.metadata) == ("https://[::1]", "http://[::1]")
