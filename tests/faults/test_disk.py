"""A disk that is full, or has become read-only, for journal, markers and log: it keeps serving."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from tests.faults.room import room
from tests.faults.stage import Stage
from tests.faults.vm import Vm
from tests.unit.every_kind import KINDS

from slb_registration.model.orders import Order
from slb_registration.support.files import small_files

Room = tuple[Stage, Vm]


class Disk:
    """What the file system says to whoever writes; nothing while `wrong` is None."""

    def __init__(self) -> None:
        self.wrong: int | None = None
        self.refused = 0

    def refuse(self) -> None:
        """Raises OSError where something is wrong."""
        if self.wrong is not None:
            self.refused += 1
            raise OSError(self.wrong, os.strerror(self.wrong))


class Stream(StringIO):
    """A log file on that disk."""

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self._disk = disk

    def write(self, text: str) -> int:
        self._disk.refuse()
        return super().write(text)


@contextmanager
def written_to(disk: Disk) -> Iterator[None]:
    """Small files are written to this disk: a full one says so at the end, a read-only at once."""
    opened = os.open

    def open_(path: Any, flags: int, mode: int = 0o777) -> int:
        if disk.wrong == errno.EROFS and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            disk.refuse()
        return opened(path, flags, mode)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_files.os, "open", open_)
        patch.setattr(small_files.os, "fsync", lambda descriptor: disk.refuse())
        yield


@pytest.fixture(params=[errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    disk = Disk()
    disk.wrong = request.param
    with written_to(disk):
        yield disk


@pytest.fixture(params=[KINDS[1], KINDS[8]], ids=lambda kind: kind.name)
def here(request: pytest.FixtureRequest) -> Iterator[Room]:
    with room(request.param) as (stage, vm):
        yield stage, vm


def journal_lines(vm: Vm) -> list[str]:
    return [line["message"] for line in vm.events if "journal" in line["message"]]


def test_without_a_journal_the_vm_serves_and_drains_and_it_is_said_once(
    here: Room, disk: Disk
) -> None:
    stage, vm = here
    vm.start(stage.first)
    assert vm.run(60, lambda: vm.in_service)
    vm.run(3600)
    assert stage.weight(stage.first) == 100
    with pytest.raises(OSError, match=os.strerror(disk.wrong or 0)):
        vm.drain()  # no marker: the command says so, and gives the order to the agent
    vm.phases.order(Order.DRAIN)
    assert vm.run(120, lambda: vm.phases.drained)
    assert stage.weight(stage.first) is None
    (told,) = journal_lines(vm)
    assert os.strerror(disk.wrong or 0) in told
    assert not [path for path in vm.folder.iterdir() if path.name.endswith(".part")]


def test_a_restart_without_a_journal_finds_the_vm_in_its_group(here: Room, disk: Disk) -> None:
    stage, vm = here
    vm.start(stage.first)
    assert vm.run(60, lambda: vm.in_service)
    vm.stop()
    writes = len(stage.writes())
    vm.start(stage.first)
    assert vm.run(60, lambda: vm.in_service)
    assert len(stage.writes()) == writes


def test_a_disk_that_has_room_again_gets_what_it_missed(here: Room, disk: Disk) -> None:
    """Found by this test: the entry stayed in memory, and a redeploy left the VM registered."""
    stage, vm = here
    vm.start(stage.first)
    assert vm.run(60, lambda: vm.in_service)
    disk.wrong = None
    vm.run(600)  # polls, and nothing else to write down
    vm.stop()
    vm.start(stage.second)
    assert vm.run(120, lambda: vm.in_service)
    assert stage.weight(stage.first) is None


def test_a_log_that_takes_no_lines_stops_nothing_and_counts_them(here: Room, disk: Disk) -> None:
    stage, vm = here
    stage.lines = Stream(disk)
    vm.start(stage.first)
    assert vm.run(60, lambda: vm.in_service)
    assert stage.lines.getvalue() == ""
    lost, disk.wrong = disk.refused, None
    assert lost > 0
    vm.drain()
    assert vm.run(120, lambda: vm.phases.drained)
    first, *rest = vm.events
    assert first["dropped"] > 0
    assert not any("dropped" in line for line in rest)
    assert stage.weight(stage.first) is None
