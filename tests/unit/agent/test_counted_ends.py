"""The ports and addresses at which a drain counts connections, from what SLB tells of groups."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.agent.drain_surroundings import GONE, HIGH, LOW, WALL, Agent, follow, status

from slb_registration.instance import markers
from slb_registration.instance.connection_tables import End
from slb_registration.instance.markers import Stop
from slb_registration.model.configuration import PortRanges
from slb_registration.model.status import GroupStatus


def test_the_configured_port_is_counted_alone(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    ports = PortRanges((range(9000, 9001), range(9100, 9200)))
    one = agent.start(connections_port=ports)
    follow(one, LOW, status(lowered=True, port=None, ports=(80,)))
    assert agent.counted[-1] == ports


def test_ports_of_the_groups_are_counted_and_remembered_when_slb_forgets_them(agent: Agent):
    one = agent.start(method="remove")
    follow(one, HIGH, replace(status(port=None, ports=(80, 443)), name="other"))
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, GONE, replace(status(removed=True, port=None, ports=()), name="other"))
    assert agent.counted[-1] == {8080, 80, 443}


def test_the_ports_of_a_group_that_was_left_are_forgotten(agent: Agent):
    """Files and tags may bring and take groups for as long as the agent runs."""
    one = agent.start()
    left = replace(status(port=None, ports=(80, 443)), name="left")
    follow(one, HIGH, left)
    follow(one, HIGH)
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, LOW)
    assert agent.counted[-1] == {8080}


def test_the_ports_that_a_group_has_now_are_counted_whatever_it_had(agent: Agent):
    agent.check_port = 7000
    one = agent.start()
    follow(one, status(port=None))  # SLB has not told yet
    follow(one, status(port=None, ports=(80,)))
    follow(one, status(port=None, ports=(81,)))
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, status(lowered=True, port=None, ports=()))
    assert agent.counted[-1] == {81}


def test_a_group_whose_port_slb_does_not_tell_is_counted_by_the_checks_port(agent: Agent):
    agent.check_port = 7000
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, status(lowered=True, port=None))
    assert agent.counted[-1] == {7000}


def test_a_group_that_forwards_all_ports_is_counted_by_the_checks_port(agent: Agent):
    agent.check_port = 7000
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    for _ in range(2):
        follow(one, status(lowered=True, port=0, ports=()))
    assert agent.counted[-1] == {7000}
    (warning,) = agent.said("forwards all ports")
    assert (warning["level"], warning["groups"]) == ("warning", "clb/lb-1")


def test_where_the_ports_are_named_nothing_is_said_of_them(agent: Agent):
    one = agent.start(connections_port=PortRanges((range(1024, 2049),)))
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, status(lowered=True, port=0, ports=()))
    assert agent.said("forwards all ports") == []


def placed(address: str, server_type: str = "eni", **changes: object) -> GroupStatus:
    """A group with port 8080 in which this VM stands with this address."""
    one = status()
    spec = replace(one.spec, server_type=server_type, server_ip=address or None)
    return replace(one, spec=spec, name=f"at {address}", address=address, **changes)  # type: ignore[arg-type]


LOOPBACK = ("127.0.0.0/8", "::1/128")


def ends(counted: object) -> set[object]:
    return {
        (one.port, *map(str, one.at)) if isinstance(one, End) else one
        for one in counted  # type: ignore[attr-defined]
    }


def test_connections_are_counted_at_the_address_to_which_slb_sends(agent: Agent):
    """Two services of a VM, at two addresses with the same port, and another one of nobody's."""
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    lowered = {"lowered": True}
    follow(one, placed("10.0.0.6", **lowered), placed("fd00::7", "ip", **lowered))
    assert ends(agent.counted[-1]) == {
        (8080, "10.0.0.6/32", *LOOPBACK),
        (8080, "fd00::7/128", *LOOPBACK),
    }


def test_an_instance_may_be_reached_over_the_family_of_which_slb_tells_no_address(agent: Agent):
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, placed("10.0.0.5", "ecs", lowered=True))
    assert ends(agent.counted[-1]) == {(8080, "10.0.0.5/32", "::/0", *LOOPBACK)}


@pytest.mark.parametrize("address", ["", "203.0.113.9"])
def test_where_the_address_is_not_known_or_not_of_this_vm_connections_at_all_of_them_count(
    agent: Agent, address
):
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, placed("10.0.0.6", lowered=True), placed(address, lowered=True))
    assert ends(agent.counted[-1]) == {(8080, "10.0.0.6/32", *LOOPBACK), 8080}


def test_the_address_is_remembered_when_slb_tells_it_no_more(agent: Agent):
    one = agent.start(method="remove")
    seen = placed("10.0.0.5", "ecs")
    follow(one, seen)
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, replace(seen, address="", registered=False, lowered=True, removed=True))
    assert ends(agent.counted[-1]) == {(8080, "10.0.0.5/32", "::/0", *LOOPBACK)}


def test_ports_that_an_operator_names_are_counted_at_any_address(agent: Agent):
    """A rule of the VM's may send connections on to another port and address."""
    ports = PortRanges((range(9000, 9001),))
    one = agent.start(connections_port=ports)
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, placed("10.0.0.6", lowered=True))
    assert agent.counted[-1] == ports
