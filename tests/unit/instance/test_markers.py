"""Marker files and the way small files are written: whole, or not at all."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from slb_registration.instance import markers
from slb_registration.instance.journal import Journal
from slb_registration.instance.markers import UNKNOWN_SINCE, Stop
from slb_registration.instance.metadata import Instance
from slb_registration.support.files import small_files
from slb_registration.support.files.small_files import write_whole


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


# What another process may have put where a file of ours goes, given the path and a file outside.
PLANTS: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda path, outside: path.symlink_to(outside),
    "dangling link": lambda path, outside: path.symlink_to(outside.with_name("made")),
    "pipe": lambda path, outside: os.mkfifo(path),
    "socket": lambda path, outside: _socket(path),
}


@pytest.fixture(params=[markers.draining, markers.hold])
def marker(request: pytest.FixtureRequest, tmp_path: Path) -> markers.Marker:
    return request.param(tmp_path)


def set_at(marker: markers.Marker, since: float) -> None:
    if isinstance(marker, markers.DrainMarker):
        marker.begin(Stop(since))
    elif isinstance(marker, markers.HoldMarker):
        marker.begin(since, None, None)


def test_the_two_markers_are_different_files(tmp_path: Path):
    assert markers.draining(tmp_path).path == tmp_path / "draining"
    assert markers.hold(tmp_path).path == tmp_path / "hold"


def test_a_marker_says_since_when_it_is_set(marker: markers.Marker):
    assert marker.since() is None
    set_at(marker, 1763913600.25)
    assert marker.since() == 1763913600.25


def test_holding_again_keeps_the_time(tmp_path: Path):
    marker = markers.hold(tmp_path)
    set_at(marker, 100.0)
    set_at(marker, 200.0)
    assert marker.since() == 100.0


def test_clearing_tells_whether_it_was_set(marker: markers.Marker):
    assert not marker.clear()
    set_at(marker, 100.0)
    assert marker.clear()
    assert marker.since() is None


@pytest.mark.parametrize(
    "content",
    [b"", b"yes", b"\xff", b"nan", b"inf", b"-inf", b"1e300", b"-5", b"0", b"or 1763913600"],
)
def test_a_marker_that_does_not_say_when_still_counts_as_set(marker: markers.Marker, content):
    marker.path.write_bytes(content)
    assert marker.since() == UNKNOWN_SINCE


def test_a_marker_that_cannot_be_read_counts_as_set(marker: markers.Marker):
    marker.path.mkdir()
    assert marker.since() == UNKNOWN_SINCE


def test_a_folder_that_is_not_there_holds_no_marker(tmp_path: Path):
    assert markers.draining(tmp_path / "none").since() is None
    assert not markers.draining(tmp_path / "none").clear()


def test_a_marker_that_cannot_be_written_is_an_error(tmp_path: Path):
    with pytest.raises(OSError, match="No such file"):
        set_at(markers.draining(tmp_path / "none"), 1.0)
    with pytest.raises(OSError, match="No such file"):
        set_at(markers.hold(tmp_path / "none"), 1.0)


# Whose time it is: one drain.timeout for a pre-stop and the drain after it


def test_a_drain_goes_on_with_the_time_of_the_pre_stop_before_it(tmp_path: Path):
    marker = markers.draining(tmp_path)
    marker.begin(Stop(100.0, drain_follows=True))
    assert marker.since() == 100.0
    assert marker.read() == Stop(100.0, drain_follows=True)


def test_a_drain_that_has_followed_leaves_nothing_to_the_next(tmp_path: Path):
    """A deploy that is repeated an hour later must not find its time used up."""
    marker = markers.draining(tmp_path)
    marker.begin(Stop(100.0, drain_follows=True))
    marker.begin(Stop(100.0, drain_follows=False))
    assert marker.since() == 100.0
    assert marker.read() == Stop(100.0)


@pytest.mark.parametrize("used", [None, 0.0, 3.25])
def test_what_other_jobs_take_before_the_drain_is_of_nobodys_time(tmp_path: Path, used):
    marker = markers.draining(tmp_path)
    marker.begin(Stop(100.0, drain_follows=True, used=used))
    pre_stop = marker.read()
    assert pre_stop is not None
    assert pre_stop.spent(160.0) == (60.0 if used is None else used)

    marker.begin(pre_stop.drain_begins(160.0))
    drain = marker.read()
    assert drain is not None
    assert not drain.drain_follows
    assert drain.spent(160.0) == pre_stop.spent(160.0)
    assert drain.spent(170.0) == pre_stop.spent(160.0) + 10


@pytest.mark.parametrize("drain_follows", [True, False])
def test_beginning_replaces_an_old_drain(tmp_path: Path, drain_follows: bool):
    marker = markers.draining(tmp_path)
    marker.begin(Stop(100.0, drain_follows=True))
    marker.begin(Stop(5000.0, drain_follows=drain_follows))
    assert marker.since() == 5000.0
    assert marker.read() == Stop(5000.0, drain_follows=drain_follows)


@pytest.mark.parametrize("content", [None, b"100.0\n", b"", b"soon pre-stop\n", b"\xff pre-stop"])
def test_without_a_pre_stop_there_is_none_to_follow(tmp_path: Path, content):
    marker = markers.draining(tmp_path)
    if content is not None:
        marker.path.write_bytes(content)
    stop = marker.read()
    assert stop is None or not stop.drain_follows


@pytest.mark.parametrize("returns", [True, False])
def test_who_comes_back_is_told_by_pre_stop_and_by_the_drain(tmp_path: Path, returns: bool):
    marker = markers.draining(tmp_path)
    marker.begin(Stop(100.0, drain_follows=True, keep=True, used=1.5))
    pre_stop = marker.read()
    assert pre_stop is not None
    assert pre_stop.keep
    marker.begin(pre_stop.drain_begins(102.0, returns=returns))
    assert marker.read() == Stop(100.0, paused=0.5, keep=returns)
    marker.begin(Stop(100.0, paused=0.5, keep=True, kept=True))
    assert marker.read() == Stop(100.0, paused=0.5, keep=True, kept=True)
    assert not Stop(100.0).drain_begins(102.0, returns=True).keep  # no pre-stop has said so


@pytest.mark.parametrize("word", ["used=", "used=soon", "used=nan", "used=-1", "paused=inf", "new"])
def test_a_word_that_says_nothing_is_none(tmp_path: Path, word: str):
    marker = markers.draining(tmp_path)
    marker.path.write_text(f"100.000 pre-stop {word}\n")
    assert marker.read() == Stop(100.0, drain_follows=True)


# A disk that takes no marker


@pytest.fixture
def spared(tmp_path: Path) -> markers.DrainMarker:
    """A marker with a second place for it, on another disk."""
    for name in ("data", "run"):
        (tmp_path / name).mkdir()
    return markers.draining(tmp_path / "data", tmp_path / "run")


def paths(marker: markers.Marker) -> list[str]:
    root = marker.path.parent.parent
    return sorted(str(path.relative_to(root)) for path in root.glob("*/*"))


def test_a_marker_that_cannot_be_written_is_kept_elsewhere_and_says_why(
    spared: markers.DrainMarker, disk_full
):
    why = spared.begin(Stop(100.0, drain_follows=True))
    assert str(why) == "[Errno 28] No space left on device"
    assert paths(spared) == ["run/draining-marker"]
    assert spared.read() == Stop(100.0, drain_follows=True)
    assert spared.clear()
    assert (paths(spared), spared.since()) == ([], None)


def test_what_is_kept_elsewhere_is_newer_than_what_could_not_be_replaced(
    spared: markers.DrainMarker, disk_full
):
    disk_full.room = True
    assert spared.begin(Stop(100.0, drain_follows=False)) is None
    disk_full.room = False
    spared.begin(Stop(5000.0, drain_follows=True))
    assert spared.read() == Stop(5000.0, drain_follows=True)
    disk_full.room = True
    assert spared.begin(Stop(6000.0, drain_follows=False)) is None
    assert (paths(spared), spared.since()) == (["data/draining"], 6000.0)


@pytest.mark.parametrize("ask", [lambda one: one.since(), lambda one: one.read().since])
def test_a_marker_that_moves_while_it_is_looked_for_is_found(
    spared: markers.DrainMarker, disk_full, monkeypatch, ask
):
    """There was room again: an agent that looked in between took that for no drain at all."""
    spared.begin(Stop(100.0, drain_follows=True))
    disk_full.room = True
    opened = markers.open_regular

    def open_late(path: Path) -> int:
        if path != spared.path and path.exists():
            spared.begin(Stop(200.0, drain_follows=True))
        return opened(path)

    monkeypatch.setattr(markers, "open_regular", open_late)
    assert ask(spared) == 200.0
    assert paths(spared) == ["data/draining"]


def test_holding_again_keeps_the_time_also_of_a_marker_that_is_kept_elsewhere(
    spared: markers.DrainMarker, disk_full
):
    marker = markers.hold(spared.path.parent, spared.path.parents[1] / "run")
    set_at(marker, 100.0)
    assert paths(marker) == ["run/hold-marker"]
    set_at(marker, 200.0)
    assert marker.since() == 100.0


def test_a_marker_that_no_disk_takes_is_an_error(spared: markers.DrainMarker, disk_full):
    disk_full.everywhere = True
    with pytest.raises(OSError, match="No space left"):
        spared.begin(Stop(100.0, drain_follows=True))
    assert (paths(spared), spared.since()) == ([], None)


# Writing


def test_a_file_is_replaced_as_a_whole_and_leaves_nothing_beside_it(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("old and longer")
    write_whole(file, "new\n")
    assert file.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "file"
    file.write_text("old")
    monkeypatch.setattr(small_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.fixture
def disk_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the disk is asked for, in order: renames, removals, and what is synced."""
    calls: list[tuple[str, str]] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        calls.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        sync(descriptor)

    def told(name: str, what: Callable[..., object]) -> Callable[..., object]:
        def call(path: Path, *arguments: object, **options: object) -> object:
            calls.append((name, path.name))
            return what(path, *arguments, **options)

        return call

    monkeypatch.setattr(small_files.os, "fsync", fsync)
    monkeypatch.setattr(small_files.Path, "replace", told("rename", Path.replace))
    monkeypatch.setattr(small_files.Path, "unlink", told("remove", Path.unlink))
    return calls


def test_a_file_is_there_for_good_once_its_folder_is_synced(tmp_path: Path, disk_calls):
    folder = tmp_path / "data"
    folder.mkdir()
    part = f".draining.{os.getpid()}.part"
    write_whole(folder / "draining", "text")
    wanted = [("sync", part), ("rename", part), ("sync", "data")]
    assert [call for call in disk_calls if call[0] != "remove"] == wanted


def test_a_marker_that_was_cleared_does_not_come_back_after_a_power_failure(
    spared: markers.DrainMarker, disk_calls
):
    spared.begin(Stop(100.0, drain_follows=True))
    disk_calls.clear()
    assert spared.clear()
    assert disk_calls == [
        ("remove", "draining-marker"), ("remove", "draining"), ("sync", "data"),
    ]  # fmt: skip


def test_a_journal_that_was_set_aside_is_there_for_good(tmp_path: Path, disk_calls):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "journal.json").write_text("{")
    Journal(folder / "journal.json", Instance("i-self", "cn-hangzhou"), lambda text: None)
    assert disk_calls[:2] == [("rename", "journal.json"), ("sync", "data")]


def test_a_file_system_that_syncs_no_folders_takes_files_all_the_same(tmp_path: Path, monkeypatch):
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(small_files.os, "fsync", fsync)
    write_whole(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_what_was_put_in_the_way_of_a_write_is_neither_followed_nor_waited_for(
    tmp_path: Path, plant: Callable[[Path, Path], object]
):
    outside, folder = tmp_path / "outside", tmp_path / "data"
    outside.write_text("precious")
    folder.mkdir()
    plant(folder / "draining", outside)
    plant(folder / f".draining.{os.getpid()}.part", outside)

    write_whole(folder / "draining", "text")

    assert outside.read_text() == "precious"
    assert [path.name for path in folder.iterdir()] == ["draining"]
    assert (folder / "draining").read_text() == "text"


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_what_is_no_regular_file_is_no_file_of_ours(
    tmp_path: Path, plant: Callable[[Path, Path], object]
):
    outside, own = tmp_path / "outside", tmp_path / "agent.log"
    outside.write_text("precious")
    plant(own, outside)

    with pytest.raises(OSError, match="is no regular file"):
        small_files.open_own(own)

    assert outside.read_text() == "precious"


def test_a_marker_that_is_a_pipe_is_not_waited_for(marker: markers.Marker):
    os.mkfifo(marker.path)

    assert marker.since() == UNKNOWN_SINCE
    assert marker.clear()
    assert marker.since() is None
