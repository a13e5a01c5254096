"""What was registered, as it outlives the process, and what is not trusted."""

from __future__ import annotations

import errno
import json
import stat
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from slb_registration.instance import journal as journal_module
from slb_registration.instance import journal_file
from slb_registration.instance.journal import Journal
from slb_registration.instance.journal_file import (
    is_of_this_boot,
    last_instance,
    last_registrations,
    unconfirmed,
)
from slb_registration.instance.metadata import Instance
from slb_registration.model.configuration import GroupSpec

ME = Instance("i-self", "cn-hangzhou")
DEFAULT = GroupSpec("clb", "lb-1", None, None, 100, None)
VIRTUAL = GroupSpec("clb", None, "rsp-1", 8080, 30, "web.前端")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.json"


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def open_journal(path: Path, warnings: list[str]) -> Callable[..., Journal]:
    return lambda me=ME: Journal(path, me, warnings.append)


def test_what_was_registered_is_known_after_a_restart(open_journal, warnings):
    first = open_journal()
    first.remember("clb/lb-1", DEFAULT, discovered=True)
    first.remember("clb/rsp-1:8080", VIRTUAL, discovered=False)
    first.served("clb/rsp-1:8080")

    entries = open_journal().entries
    assert entries == first.entries
    assert entries["clb/lb-1"].spec == DEFAULT
    assert entries["clb/lb-1"].discovered
    assert not entries["clb/lb-1"].served
    assert entries["clb/rsp-1:8080"].spec == VIRTUAL
    assert entries["clb/rsp-1:8080"].served
    assert warnings == []


def test_port_0_is_of_nlb_alone(open_journal, warnings, path: Path):
    spec = GroupSpec("nlb", None, None, 0, 100, None, server_group_id="sgp-1")
    open_journal().remember("nlb/sgp-1:0", spec, discovered=True)
    assert open_journal().entries["nlb/sgp-1:0"].spec == spec
    path.write_text(path.read_text().replace('"nlb"', '"alb"'))
    assert open_journal().entries == {}
    assert len(warnings) == 1


def test_what_files_asked_for_is_known_by_file(open_journal):
    first = open_journal()
    first.remember("clb/lb-1", DEFAULT, discovered=False, file="/jobs/web/slb.json")
    first.remember("clb/rsp-1:8080", VIRTUAL, discovered=False)
    journal = open_journal()
    assert journal.by_file == {Path("/jobs/web/slb.json"): (DEFAULT,)}
    journal.remember("clb/lb-1", DEFAULT, discovered=False)  # the manifest names it now
    assert open_journal().by_file == {}


def test_what_was_left_is_forgotten(open_journal, path: Path):
    first = open_journal()
    first.remember("clb/lb-1", DEFAULT, discovered=False)
    first.forget("clb/lb-1")
    first.forget("clb/never")
    assert open_journal().entries == {}
    assert last_registrations(path) == 0


def test_a_changed_weight_or_origin_is_kept_and_what_served_stays_so(open_journal):
    first = open_journal()
    first.remember("clb/lb-1", DEFAULT, discovered=True)
    first.served("clb/lb-1")
    lighter = GroupSpec("clb", "lb-1", None, None, 20, None)
    first.remember("clb/lb-1", lighter, discovered=False)
    entry = open_journal().entries["clb/lb-1"]
    assert (entry.spec, entry.served, entry.discovered) == (lighter, True, False)


def test_what_we_are_about_to_do_is_not_confirmed_before_it_was_seen(open_journal):
    first = open_journal()
    first.remember("clb/lb-1", DEFAULT, discovered=False)
    for journal in (first, open_journal()):
        assert (journal.is_confirmed("clb/lb-1"), journal.is_begun("clb/lb-1")) == (False, True)
        assert not journal.ever_confirmed
    first.confirm("clb/lb-1")
    first.remember("clb/lb-1", DEFAULT, discovered=True)  # it is put in again
    for journal in (first, open_journal()):
        assert (journal.is_confirmed("clb/lb-1"), journal.is_begun("clb/lb-1")) == (True, False)
        assert journal.ever_confirmed


def test_of_each_group_it_is_known_by_itself(open_journal):
    journal = open_journal()
    journal.remember("clb/lb-1", DEFAULT, discovered=False)
    journal.confirm("clb/lb-1")
    journal.confirm("clb/never")
    assert not journal.is_confirmed("clb/rsp-1:8080")
    assert not journal.is_begun("clb/never")
    assert set(journal.entries) == {"clb/lb-1"}


def test_what_has_left_is_not_confirmed_any_more(open_journal):
    journal = open_journal()
    journal.remember("clb/lb-1", DEFAULT, discovered=False)
    journal.confirm("clb/lb-1")
    journal.forget("clb/lb-1")
    assert not journal.is_confirmed("clb/lb-1")
    assert journal.ever_confirmed  # by this process
    assert not open_journal().ever_confirmed


def test_an_entry_of_an_earlier_version_may_have_been_confirmed(open_journal, path: Path):
    open_journal().remember("clb/lb-1", DEFAULT, discovered=False)
    document = json.loads(path.read_text())
    del document["registrations"]["clb/lb-1"]["confirmed"]
    path.write_text(json.dumps(document))
    journal = open_journal()
    assert journal.is_confirmed("clb/lb-1")
    assert journal.ever_confirmed
    assert unconfirmed(path) is None


def test_what_was_about_to_be_done_is_told_without_knowing_who_we_are(open_journal, path: Path):
    assert unconfirmed(path) == ()
    journal = open_journal()
    journal.remember("clb/lb-1", DEFAULT, discovered=False)
    assert unconfirmed(path) == ("clb/lb-1",)
    journal.remember("clb/rsp-1:8080", VIRTUAL, discovered=False)
    journal.confirm("clb/lb-1")
    assert unconfirmed(path) is None
    journal.forget("clb/lb-1")
    journal.forget("clb/rsp-1:8080")
    assert unconfirmed(path) == ()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 9, "registrations": {}}', b'{"version": 1}']
)
def test_a_journal_that_cannot_be_read_may_tell_of_anything(
    open_journal, path: Path, content: bytes
):
    path.write_bytes(content)
    assert unconfirmed(path) is None
    for _ in range(2):  # the second time it is set aside already
        journal = open_journal()
        assert journal.ever_confirmed
        assert journal.is_confirmed("clb/lb-1")
        assert unconfirmed(path) is None


def test_a_disk_that_cannot_be_read_may_tell_of_anything(open_journal, path: Path):
    path.mkdir()
    assert unconfirmed(path) is None
    assert open_journal().ever_confirmed


def test_of_another_instances_journal_nothing_is_ours(open_journal, path: Path):
    other = open_journal(Instance("i-other", "cn-hangzhou"))
    other.remember("clb/lb-1", DEFAULT, discovered=False)
    other.confirm("clb/lb-1")
    for _ in range(2):
        assert not open_journal().ever_confirmed


def test_who_rests_is_registered_and_has_not_served_since(open_journal):
    first = open_journal()
    first.remember("clb/lb-1", DEFAULT, discovered=False)
    first.served("clb/lb-1")
    first.rests("clb/lb-1")
    entry = open_journal().entries["clb/lb-1"]
    assert (entry.confirmed, entry.served) == (True, False)


def test_served_says_nothing_of_a_group_that_is_not_known(open_journal):
    journal = open_journal()
    journal.served("clb/lb-1")
    assert journal.entries == {}


def test_nothing_is_written_where_nothing_changes(open_journal, path: Path):
    journal = open_journal()
    journal.remember("clb/lb-1", DEFAULT, discovered=False)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    journal.remember("clb/lb-1", DEFAULT, discovered=False)
    journal.forget("clb/other")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_entries_are_a_copy(open_journal):
    journal = open_journal()
    journal.entries["clb/lb-1"] = None
    assert journal.entries == {}


def test_a_journal_that_is_not_there_is_an_empty_one(open_journal, warnings, path: Path):
    assert open_journal().entries == {}
    assert warnings == []
    assert last_instance(path) is None
    assert last_registrations(path) is None


def test_a_journal_is_readable_by_its_owner_and_group_only(open_journal, path: Path):
    open_journal().remember("clb/lb-1", DEFAULT, discovered=False)
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_another_instances_journal_is_set_aside(open_journal, path: Path, warnings):
    """A disk image that was taken of a running VM: its registrations are not ours to remove."""
    open_journal().remember("clb/lb-1", DEFAULT, discovered=False)
    clone = open_journal(Instance("i-clone", "cn-hangzhou"))
    assert clone.entries == {}
    assert path.with_name("journal.json.set-aside").exists()
    assert "another instance" in warnings[0]

    clone.remember("clb/lb-1", DEFAULT, discovered=False)
    assert last_instance(path) == Instance("i-clone", "cn-hangzhou")


def _document(**changes: object) -> bytes:
    document = {
        "version": 1,
        "instance_id": "i-self",
        "region": "cn-hangzhou",
        "registrations": {},
    }
    return json.dumps({**document, **changes}).encode()


def _with_entry(**changes: object) -> bytes:
    spec = {
        "product": "clb",
        "load_balancer_id": "lb-1",
        "vserver_group_id": None,
        "port": None,
        "weight": 100,
        "description": None,
    }
    entry = {"spec": {**spec, **changes}, "served": True, "discovered": False}
    return _document(registrations={"clb/lb-1": entry})


DAMAGED = {
    "empty": b"",
    "binary": b"\xff\x00\xfe",
    "truncated": _with_entry()[:-30],
    "no object": b"[]",
    "null": b"null",
    "deep": b"[" * 200_000,
    "version": _document(version=2),
    "no version": b"{}",
    "registrations": _document(registrations=[]),
    "no registrations": json.dumps({"version": 1, "instance_id": "i-self"}).encode(),
    "entry": _document(registrations={"clb/lb-1": None}),
    "entry without spec": _document(registrations={"clb/lb-1": {"served": True}}),
    "unknown field": _with_entry(colour="red"),
    "weight": _with_entry(weight="100"),
    "port": _with_entry(port="80"),
    "id": _with_entry(load_balancer_id=["lb-1"]),
    "product": _with_entry(product=None),
    "too large": b" " * (journal_module.SIZE_LIMIT + 1),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_journal_is_set_aside_and_said(open_journal, path: Path, warnings, content):
    path.write_bytes(content)
    journal = open_journal()
    assert journal.entries == {}
    assert path.with_name("journal.json.set-aside").read_bytes() == content
    assert len(warnings) == 1
    assert "set aside" in warnings[0]

    journal.remember("clb/lb-1", DEFAULT, discovered=False)
    assert open_journal().entries["clb/lb-1"].spec == DEFAULT


def test_the_document_of_these_tests_is_a_good_one(open_journal, path: Path, warnings):
    path.write_bytes(_with_entry())
    assert open_journal().entries["clb/lb-1"].spec == DEFAULT
    assert warnings == []


def test_a_disk_that_fails_is_said_once_and_the_journal_goes_on(
    open_journal, path: Path, warnings, monkeypatch: pytest.MonkeyPatch
):
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    journal = open_journal()
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "write_whole", full)
        journal.remember("clb/lb-1", DEFAULT, discovered=False)
        journal.served("clb/lb-1")
    assert journal.entries["clb/lb-1"].served
    assert len(warnings) == 1
    assert "No space left" in warnings[0]

    journal.remember("clb/rsp-1:8080", VIRTUAL, discovered=False)
    assert set(open_journal().entries) == {"clb/lb-1", "clb/rsp-1:8080"}


def test_a_journal_that_cannot_be_read_is_said_and_left(open_journal, path: Path, warnings):
    path.mkdir()
    assert open_journal().entries == {}
    assert "cannot read the journal" in warnings[0]


def registered_before(open_journal: Callable[..., Journal]) -> None:
    first = open_journal()
    first.remember("clb/lb-1", DEFAULT, discovered=False)
    first.confirm("clb/lb-1")


def test_what_could_not_be_read_for_a_moment_is_not_written_over(
    open_journal, warnings, monkeypatch: pytest.MonkeyPatch
):
    """Found by reading: a group that nobody wants any more was never left."""
    registered_before(open_journal)
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "read_trusted", Mock(side_effect=OSError(errno.EIO, "I/O")))
        journal = open_journal()
        assert (journal.entries, journal.ever_confirmed) == ({}, True)
    journal.remember("clb/rsp-1:8080", VIRTUAL, discovered=False)
    assert set(journal.entries) == {"clb/lb-1", "clb/rsp-1:8080"}
    assert open_journal().entries == journal.entries
    assert not journal.is_confirmed("clb/rsp-1:8080")  # there is no doubt any more
    assert len(warnings) == 1


def test_what_is_gone_does_not_come_back_with_what_could_not_be_read(
    open_journal, monkeypatch: pytest.MonkeyPatch
):
    registered_before(open_journal)
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "read_trusted", Mock(side_effect=OSError(errno.EIO, "I/O")))
        journal = open_journal()
    journal.forget("clb/lb-1")
    assert open_journal().entries == journal.entries == {}


def test_what_cannot_be_read_at_all_is_kept_aside(
    open_journal, path: Path, monkeypatch: pytest.MonkeyPatch
):
    registered_before(open_journal)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "read_trusted", Mock(side_effect=OSError(errno.EIO, "I/O")))
        journal = open_journal()
        journal.remember("clb/rsp-1:8080", VIRTUAL, discovered=False)
    assert path.with_name("journal.json.set-aside").read_bytes() == before
    assert set(open_journal().entries) == {"clb/rsp-1:8080"}
    assert journal.is_confirmed("clb/lb-1")  # it may have told of that


def test_a_journal_tells_whether_it_was_written_since_the_boot(
    open_journal, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    registered_before(open_journal)
    assert is_of_this_boot(path)
    other = tmp_path / "boot_id"
    monkeypatch.setattr(journal_file, "BOOT_ID", other)
    assert not is_of_this_boot(path)  # Linux does not tell
    other.write_text("5b1c3a52-0e3f-4d4c-9e11-1f2a3b4c5d6e\n")
    assert not is_of_this_boot(path)
    open_journal()  # it is this VM's, as is known now
    assert is_of_this_boot(path)


def test_the_last_instance_and_count_are_known_without_asking_anyone(open_journal, path: Path):
    journal = open_journal()
    journal.remember("clb/lb-1", DEFAULT, discovered=False)
    assert last_instance(path) == ME
    assert last_registrations(path) == 1


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 200_000])
def test_a_damaged_journal_does_not_say_who_we_were(path: Path, content: bytes):
    path.write_bytes(content)
    assert last_instance(path) is None
    assert last_registrations(path) is None


def test_an_entry_of_the_earlier_form_is_read(open_journal, path: Path, warnings):
    """It knew of default groups and vServer groups only."""
    old = {"product": "clb", "load_balancer_id": None, "vserver_group_id": "rsp-1",
           "port": 8080, "weight": 30, "description": "web.前端"}  # fmt: skip
    entry = {"spec": old, "served": True, "discovered": False}
    document = {
        "version": 1,
        "instance_id": "i-self",
        "region": "cn-hangzhou",
        "registrations": {"clb/rsp-1:8080": entry},
    }
    path.write_text(json.dumps(document))
    (read,) = open_journal().entries.values()
    assert (read.spec, read.served, read.discovered) == (VIRTUAL, True, False)
    assert warnings == []


def test_as_which_server_it_was_registered_is_known_after_a_restart(open_journal):
    spec = GroupSpec(
        "nlb", None, None, 80, 100, None,
        server_group_id="sgp-1", server_type="eni", server_id="eni-1", server_ip="10.0.0.9",
    )  # fmt: skip
    open_journal().remember("nlb/sgp-1:80@eni-1/10.0.0.9", spec, discovered=False)
    (read,) = open_journal().entries.values()
    assert read.spec == spec


@pytest.mark.parametrize("field", ["server_group_id", "server_type", "server_id", "server_ip"])
def test_a_field_of_the_wrong_type_makes_a_journal_damaged(
    open_journal, path: Path, warnings, field: str
):
    open_journal().remember("clb/lb-1", DEFAULT, discovered=False)
    document = json.loads(path.read_text())
    document["registrations"]["clb/lb-1"]["spec"][field] = 7
    path.write_text(json.dumps(document))
    assert open_journal().entries == {}
    assert "damaged" in warnings[0]
