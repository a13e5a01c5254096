"""What nobody documents, and ALB and NLB may do: it can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.alb_nlb.errors import ADDRESS_CODES
from mock_slb.control.seed import read
from mock_slb.core.fields import InputError

if TYPE_CHECKING:
    from alb_nlb.conftest import Kit

    from conftest import Clock

SELF = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080}
TWIN = {"ServerId": "i-twin", "ServerType": "Ecs", "Port": 8080}


def removed(kit: Kit, clock: Clock) -> None:
    kit.group.add_server("i-self", port=8080, weight=50)
    kit.remove(SELF)
    clock.now += 1.0


@pytest.mark.parametrize("status", ["Draining", "Removing"])
def test_a_removed_server_stays_listed_for_a_while(kit: Kit, clock: Clock, status: str) -> None:
    kit.group.lingering = (status, 300.0)
    removed(kit, clock)
    clock.now += 299.0
    assert kit.servers() == [("i-self", 8080, 50, status)]
    assert kit.group_status() == "Available"
    (server,) = kit.group.servers()
    assert not kit.group.is_probed(server)
    clock.now += 1.0
    assert kit.servers() == []


def test_a_server_that_is_only_listed_still_takes_no_change(kit: Kit, clock: Clock) -> None:
    kit.group.lingering = ("Draining", 300.0)
    removed(kit, clock)
    for action in (kit.update, kit.remove):
        assert kit.refusal(action(SELF)) == (404, "ResourceNotFound.BackendServer")
    busy = "ResourceInConfiguring" if kit.is_alb else "IncorrectStatus.serverGroup"
    assert kit.refusal(kit.add(SELF)) == (400, busy)
    clock.now += 300.0
    kit.add(SELF)
    clock.now += 1.0
    assert kit.servers() == [("i-self", 8080, 100, "Available")]


def test_a_removal_that_fails_leaves_the_server_where_it_was(kit: Kit, clock: Clock) -> None:
    kit.group.lingering = ("Draining", 300.0)
    kit.group.fail_next_change()
    removed(kit, clock)
    assert kit.servers() == [("i-self", 8080, 50, "Available")]
    clock.now += 300.0
    assert kit.servers() == [("i-self", 8080, 50, "Available")]


def test_one_that_an_operator_takes_out_is_gone_at_once(kit: Kit, clock: Clock) -> None:
    kit.group.lingering = ("Draining", 300.0)
    removed(kit, clock)
    kit.group.remove_server("i-self", port=8080)
    assert kit.servers() == []
    kit.group.add_server("i-self", port=8080)
    clock.now += 300.0
    assert kit.servers() == [("i-self", 8080, 100, "Available")]


def test_a_job_can_say_processing_for_ever(kit: Kit, clock: Clock) -> None:
    kit.group.jobs_are_stuck = True
    job = kit.add(SELF)["JobId"]
    clock.now += 800.0
    assert kit.servers() == [("i-self", 8080, 100, "Available")]
    assert kit.group_status() == "Available"
    assert [one["Status"] for one in kit("ListAsynJobs", JobIds=[job])["Jobs"]] == ["Processing"]
    if not kit.is_alb:
        assert kit("GetJobStatus", JobId=job)["Status"] == "Processing"
    kit.group.jobs_are_stuck = False
    job = kit.remove(SELF)["JobId"]
    clock.now += 1.0
    assert [one["Status"] for one in kit("ListAsynJobs", JobIds=[job])["Jobs"]] == ["Succeeded"]


@pytest.fixture
def twins(kit: Kit) -> Kit:
    """BOSH gives a VM that is made anew the address of the one before."""
    address = kit.account.instance("i-self").private_ip
    kit.account.add_instance("i-twin", private_ip=address)
    kit.group.add_server("i-self", port=8080)
    return kit


def test_an_address_that_another_entry_has_is_refused(twins: Kit, clock: Clock) -> None:
    assert twins.refusal(twins.add(TWIN)) == (400, "ResourceInUse.IP")
    for code in ADDRESS_CODES[twins.fleet.product.name]:
        twins.account.address_code = code
        assert twins.refusal(twins.add(TWIN)) == (400, code)
    twins.account.address_code = "InvalidBackendServers.ServerIpConflict"  # CLB's own
    assert twins.refusal(twins.add(TWIN)) == (400, "ResourceInUse.IP")
    twins.add({**TWIN, "Port": 9090})
    clock.now += 1.0
    assert [port for _, port, _, _ in twins.servers()] == [8080, 9090]


def test_an_address_that_another_entry_has_can_be_accepted(twins: Kit, clock: Clock) -> None:
    twins.account.address_taken = "accept"
    twins.add(TWIN)
    clock.now += 1.0
    assert [id_ for id_, _, _, _ in twins.servers()] == ["i-self", "i-twin"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"addresses": {"taken": "no"}}, "taken must be one of accept, refuse"),
        ({"addresses": {"taken": "refuse", "code": "X"}}, "code must be one of Invalid"),
        ({"groups/linger": {"group": "sgp-1"}}, "seconds is missing"),
        ({"groups/linger": {"group": "sgp-1", "seconds": 1, "status": "Gone"}}, "Draining"),
        ({"groups/stuck": {"group": "sgp-9"}}, "there is no sgp-9"),
    ],
)
def test_a_setting_that_is_wrong_is_said_with_its_place(
    change: dict[str, object], says: str
) -> None:
    from mock_slb.gateway.gateway import Gateway

    seed = read({"alb": {"server_groups": [{"id": "sgp-1"}]}, "changes": [change]})
    with pytest.raises(InputError) as error:
        seed.changes[0].make(Gateway(seed.account))
    assert says in str(error.value)
    assert "changes[0]" in str(error.value)
