"""How a VM is to be drained, and whose connections are not waited for."""

from __future__ import annotations

import ipaddress

import pytest

from slb_registration.config import drain


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


@pytest.mark.parametrize("cidr", ["10.0.0.1/8", "10.0.0.0/33", "example.com", "", 5, None, True])
def test_a_network_to_ignore_must_be_one(problems, cidr):
    (problem,) = problems({"drain": {"ignore_cidrs": ["::1/128", cidr]}})

    assert problem.startswith("drain.ignore_cidrs: ")


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
