"""Adding, changing and removing servers, which takes time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account

if TYPE_CHECKING:
    from alb_nlb.conftest import Kit

    from conftest import Clock

SELF = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080}
OTHER = {"ServerId": "i-other", "ServerType": "Ecs", "Port": 8080}


def test_adding_takes_time(kit: Kit, clock: Clock) -> None:
    kit.add({**SELF, "Weight": 30, "Description": "bosh/1"})
    assert kit.servers() == [("i-self", 8080, 30, "Adding")]
    assert kit.group_status() == "Configuring"
    clock.now += 1.0
    assert kit.servers() == [("i-self", 8080, 30, "Available")]
    assert kit.group_status() == "Available"
    assert [s.description for s in kit.group.servers()] == ["bosh/1"]


def test_a_change_of_weight_shows_when_it_has_happened(kit: Kit, clock: Clock) -> None:
    kit.group.add_server("i-self", port=8080, weight=50, description="bosh/1")
    kit.group.add_server("i-other", port=8080, weight=60)
    kit.update({**SELF, "Weight": 0, "Description": "bosh/1"})
    assert kit.servers() == [
        ("i-self", 8080, 50, "Configuring"),
        ("i-other", 8080, 60, "Available"),
    ]
    clock.now += 1.0
    assert kit.servers() == [("i-self", 8080, 0, "Available"), ("i-other", 8080, 60, "Available")]
    assert [s.description for s in kit.group.servers()] == ["bosh/1", ""]


def test_a_description_that_is_not_sent_again_is_lost(kit: Kit, clock: Clock) -> None:
    kit.group.add_server("i-self", port=8080, weight=50, description="bosh/1")
    kit.update({**SELF, "Weight": 1})
    clock.now += 1.0
    assert [s.description for s in kit.group.servers()] == [""]


def test_removing_takes_time_and_leaves_the_other_port(kit: Kit, clock: Clock) -> None:
    kit.group.add_server("i-self", port=8080)
    kit.group.add_server("i-self", port=9090)
    kit.remove(SELF)
    assert kit.servers() == [
        ("i-self", 8080, 100, "Removing"),
        ("i-self", 9090, 100, "Available"),
    ]
    clock.now += 1.0
    assert kit.servers() == [("i-self", 9090, 100, "Available")]


@pytest.mark.parametrize("action", ["add", "update", "remove"])
def test_no_other_change_is_taken_until_one_is_finished(
    kit: Kit, clock: Clock, action: str
) -> None:
    kit.group.add_server("i-self", port=8080)
    kit.add(OTHER)
    refused = kit.refusal(getattr(kit, action)(SELF))
    noun = "ServerGroup" if kit.is_alb else "serverGroup"
    assert refused == (400, f"IncorrectStatus.{noun}")
    clock.now += 1.0
    kit.update(SELF)
    assert kit.status == 200


def test_somebody_elses_change_keeps_the_group_busy(kit: Kit, clock: Clock) -> None:
    kit.group.keep_busy(5)
    assert kit.group_status() == "Configuring"
    assert kit.refusal(kit.add(SELF))[0] == 400
    clock.now += 5.0
    kit.add(SELF)
    assert kit.status == 200


def test_states_that_nobody_knows_can_be_told(kit: Kit) -> None:
    server = kit.group.add_server("i-self", port=8080)
    kit.group.forced_server_statuses[server.key] = "Draining"
    kit.group.forced_status = "Migrating"
    assert kit.servers() == [("i-self", 8080, 100, "Draining")]
    assert kit.group_status() == "Migrating"
    assert kit.refusal(kit.remove(SELF))[0] == 400


def test_how_long_a_change_takes_can_be_set(kit: Kit, account: Account, clock: Clock) -> None:
    account.change_seconds = 0.0
    kit.add(SELF)
    assert kit.servers() == [("i-self", 8080, 100, "Available")]
    kit.group.change_seconds = 60.0
    kit.remove(SELF)
    clock.now += 59.0
    assert kit.servers() == [("i-self", 8080, 100, "Removing")]
    clock.now += 1.0
    assert kit.servers() == []


def test_a_job_that_fails_has_changed_nothing(kit: Kit, clock: Clock) -> None:
    kit.group.add_server("i-self", port=8080, weight=50)
    kit.group.fail_next_change()
    kit.add(OTHER)
    clock.now += 1.0
    assert kit.servers() == [("i-self", 8080, 50, "Available")]
    kit.group.fail_next_change()
    kit.update({**SELF, "Weight": 0})
    clock.now += 1.0
    assert kit.servers() == [("i-self", 8080, 50, "Available")]
    kit.remove(SELF)
    clock.now += 1.0
    assert kit.servers() == []


def test_a_dry_run_changes_nothing(kit: Kit) -> None:
    kit.group.add_server("i-self", port=8080, weight=50)
    before = kit.servers()
    for answer in (
        kit.add(OTHER, DryRun="true"),
        kit.update({**SELF, "Weight": 0}, DryRun="true"),
        kit.remove(SELF, DryRun="true"),
    ):
        assert answer["Code"] == "DryRunOperation"
    assert kit.servers() == before
    assert kit.group_status() == "Available"


def test_a_released_instance_is_forgotten_by_alb_and_kept_by_nlb(
    kit: Kit, account: Account, clock: Clock
) -> None:
    kit.group.add_server("i-other", port=8080)
    kit.add(SELF)
    account.release_instance("i-self")
    account.release_instance("i-other")
    clock.now += 1.0
    assert [one[0] for one in kit.servers()] == ([] if kit.is_alb else ["i-other", "i-self"])


def test_what_an_operator_does_shows_at_once(kit: Kit) -> None:
    kit.group.add_server("i-self", port=8080, weight=10)
    kit.group.set_weight("i-self", 20, port=8080)
    assert kit.servers() == [("i-self", 8080, 20, "Available")]
    kit.group.remove_server("i-self", port=8080)
    kit.group.remove_server("i-self", port=8080)
    assert kit.servers() == []


def test_one_that_is_taken_out_during_a_change_does_not_come_back(kit: Kit, clock: Clock) -> None:
    kit.add(SELF)
    kit.group.remove_server("i-self", port=8080)
    clock.now += 1.0
    assert kit.servers() == []


def test_another_change_does_not_end_one_that_is_under_way(kit: Kit, clock: Clock) -> None:
    """Found by a fleet under faults: a third began before the first was made, which never was."""
    kit.add(SELF)
    kit.group.keep_busy(0)
    assert kit.group.status == "Configuring"
    clock.now += 1.0
    assert [server.status for server in kit.group.servers()] == ["Available"]
    assert kit.group.status == "Available"
