"""More server groups than a VM can be in: which count, what is told, and that all are left."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.driver import Outcome, member
from tests.unit.membership.groups_in_memory import Group, Vm, healthy

from slb_registration.discovery import capacity
from slb_registration.discovery.job_file_groups import FileState
from slb_registration.discovery.selection import Choice
from slb_registration.membership.groups import Groups
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.operations import Op
from slb_registration.model.status import Origin
from slb_registration.reporting.document import choice_document, file_document
from slb_registration.server_groups.tagged import Tagged

A, B = Path("/jobs/a/slb.json"), Path("/jobs/b/slb.json")
MOST = 3


def spec(number: int) -> GroupSpec:
    return GroupSpec("clb", f"lb-{number}", None, None, 100, None)


def name(number: int) -> str:
    return f"clb/lb-{number}"


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vm]:
    monkeypatch.setattr(capacity, "MOST_GROUPS", MOST)
    made = Vm(tmp_path, monkeypatch)
    yield made
    made.stop()


def joined(membership: Groups) -> list[str]:
    return [worker.name for worker in membership.workers]


def repeatedly(vm: Vm, looked: Callable[[], bool]) -> bool:
    """Look again and again, as the agent does, whether anything was stepped or not."""
    ends = time.monotonic() + 10
    while not looked():
        if time.monotonic() > ends:
            return False
        vm.stepped.wait(0.02)
    return True


def until_joined(vm: Vm, membership: Groups, *numbers: int) -> None:
    def looked() -> bool:
        membership.want(Phase.SERVE, healthy)
        return joined(membership) == [name(number) for number in numbers]

    with vm.stepped:
        assert repeatedly(vm, looked), joined(membership)


def test_the_manifest_comes_first_then_files_in_their_order_then_tags(vm: Vm):
    membership = vm.start()
    membership.open(spec(1), Origin.MANIFEST)
    for number, file in ((2, A), (3, A), (4, A), (5, B)):
        membership.open(spec(number), Origin.FILE, file)
    membership.open(spec(6), Origin.TAGS)

    until_joined(vm, membership, 1, 2, 3)
    assert list(membership.left_out) == [name(4), name(5), name(6)]
    assert set(vm.groups) >= {name(1)}

    membership.leave(spec(2), Origin.FILE)
    until_joined(vm, membership, 1, 3, 4)
    membership.leave(spec(3), Origin.FILE)
    until_joined(vm, membership, 1, 4, 5)
    membership.leave(spec(4), Origin.FILE)
    until_joined(vm, membership, 1, 5, 6)
    assert membership.left_out == {}


def test_the_manifest_has_all_of_its_own(vm: Vm):
    membership = vm.start()
    for number in range(1, MOST + 3):
        membership.open(spec(number), Origin.MANIFEST)
    assert len(membership.workers) == MOST + 2


def test_what_is_registered_goes_before_what_a_file_asks_for_later(vm: Vm):
    """Whatever the files' order: another job's file takes no VM out of rotation."""
    for number in (8, 9):
        vm.journal.remember(name(number), spec(number), discovered=False, file=str(B))
        vm.journal.confirm(name(number))
        vm.groups[name(number)] = Group(name(number))
        vm.groups[name(number)].servers["i-self"] = member("i-self", 100)
    membership = vm.start()
    membership.open(spec(1), Origin.MANIFEST)
    membership.open(spec(2), Origin.FILE, A)
    membership.open(spec(8), Origin.FILE, B)
    membership.open(spec(9), Origin.FILE, B)

    until_joined(vm, membership, 1, 8, 9)
    assert list(membership.left_out) == [name(2)]


def test_a_drain_takes_the_vm_out_of_all_that_the_journal_has_however_many(vm: Vm):
    numbers = range(1, 3 * MOST)
    for number in numbers:
        vm.journal.remember(name(number), spec(number), discovered=False)
        vm.journal.confirm(name(number))
        vm.groups[name(number)] = Group(name(number))
        vm.groups[name(number)].servers["i-self"] = member("i-self", 100)
    membership = vm.start(Phase.REMOVE)
    membership.open(spec(100), Origin.FILE, A)
    membership.leave_others()

    def out() -> bool:
        membership.want(Phase.REMOVE, healthy)
        return not any("i-self" in vm.groups[name(number)].servers for number in numbers)

    with vm.stepped:
        assert vm.stepped.wait_for(out, 10)
    assert name(100) not in vm.groups or vm.groups[name(100)].added == 0


def test_during_a_drain_nothing_is_joined_where_there_is_room(vm: Vm):
    membership = vm.start()
    for number in range(1, MOST + 2):
        membership.open(spec(number), Origin.FILE, A)
    until_joined(vm, membership, 1, 2, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capacity, "MOST_GROUPS", MOST + 1)
        membership.want(Phase.LOWER, healthy)
        assert len(membership.workers) == MOST
        membership.want(Phase.HOLD, healthy)
        assert len(membership.workers) == MOST + 1


def not_found(op: Op) -> Outcome:
    return ApiError(op.value, Kind.NOT_FOUND, "NotFound", "no such group"), False


def journaled_and_not_found(vm: Vm, *numbers: int) -> None:
    for number in numbers:
        vm.journal.remember(name(number), spec(number), discovered=False)
        vm.groups[name(number)] = gone = Group(name(number))
        gone.fail = not_found


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "clb/lb-" in thread.name}


def until_at_rest(vm: Vm, membership: Groups) -> None:
    def at_rest() -> bool:
        membership.want(Phase.SERVE, healthy)
        read = all(status.error for status in membership.statuses)
        return read and not threads()

    with vm.stepped:
        assert repeatedly(vm, at_rest), threads()


def test_groups_that_are_not_there_hold_no_thread(vm: Vm):
    journaled_and_not_found(vm, *range(1, 10))
    membership = vm.start()
    membership.open(spec(1), Origin.MANIFEST)
    membership.leave_others()

    until_at_rest(vm, membership)

    assert len(membership.workers) == len(vm.journal.entries) == 9  # they may be back


def test_one_that_is_there_by_now_is_left_by_a_drain(vm: Vm):
    journaled_and_not_found(vm, 1)
    membership = vm.start()
    membership.open(spec(1), Origin.MANIFEST)
    until_at_rest(vm, membership)
    vm.groups[name(1)].fail = lambda op: None
    vm.groups[name(1)].servers["i-self"] = member("i-self", 100)

    def out() -> bool:
        membership.want(Phase.REMOVE, healthy)
        return "i-self" not in vm.groups[name(1)].servers

    with vm.stepped:
        assert repeatedly(vm, out)


# What is told


def test_what_is_left_out_is_told_once_for_each_who_asks(vm: Vm):
    membership = vm.start()
    membership.open(spec(1), Origin.MANIFEST)
    for number, file in ((2, A), (3, A), (4, B), (5, B)):
        membership.open(spec(number), Origin.FILE, file)
    membership.open(spec(6), Origin.TAGS)
    for _ in range(3):
        membership.want(Phase.SERVE, healthy)

    lines = [json.loads(line) for line in vm.lines.getvalue().splitlines()]
    told = [one for one in lines if one["message"] == "more server groups than a VM can be in"]
    assert [one["file"] for one in told] == [str(B), "tags"]
    assert told[0]["because"] == (
        f"2 of its server groups are not joined (clb/lb-4, clb/lb-5): {capacity.TOO_MANY}"
    )


def test_of_very_many_a_few_are_named():
    text = capacity.described([name(number) for number in range(10_000)])
    assert text.startswith("10000 of its server groups are not joined (clb/lb-0, clb/lb-1, ")
    assert len(text) < 250


def test_a_files_problem_says_what_is_left_out_of_it():
    document = file_document(FileState(A, error="is bad"), ["x", "y", "z"], ["y", "z"])
    assert document["groups"] == ["x"]
    assert document["problem"].startswith("is bad; 2 of its server groups are not joined (y, z)")
    assert file_document(FileState(A), ["x"], [])["problem"] is None


def test_what_was_found_by_tags_and_is_left_out_is_not_said_to_be_joined():
    thing = Tagged("clb", "lb-1", "web", "", "ecs")
    choice = Choice(thing, "carries the tags", spec(1))
    assert choice_document(choice, [replace(spec(1), weight=1)])["joined"] is True
    document = choice_document(choice, [spec(1)])
    assert (document["joined"], document["problem"]) == (False, True)
    assert document["because_of"] == capacity.TOO_MANY
