"""Whose files are believed, and that each reader asks it of the file that it has opened."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slb_registration.cloud.credentials import CredentialsError
from slb_registration.cloud.credentials_file import CredentialsFile
from slb_registration.config.job_files import read
from slb_registration.config.loading import ConfigError, load
from slb_registration.instance.journal import Journal
from slb_registration.instance.journal_file import last_instance, unconfirmed
from slb_registration.instance.metadata import Instance
from slb_registration.model.configuration import GroupSpec, HealthCheck
from slb_registration.probes.script import run_script
from slb_registration.support.files import trust
from slb_registration.support.files.trust import UntrustedError, check_way, open_trusted
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.net.authorities import AuthoritiesError, trusting

STRANGER = 64999
OURS = Instance("i-1", "cn-hangzhou")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def of_a_stranger(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER)


def for_a_strangers_group(path: Path) -> None:
    os.chown(path, 0, STRANGER)
    path.chmod(0o660)


def writable_for_all(path: Path) -> None:
    path.chmod(0o606)


WAYS = [
    pytest.param(of_a_stranger, marks=needs_root),
    pytest.param(for_a_strangers_group, marks=needs_root),
    writable_for_all,
]
open_to_others = pytest.mark.parametrize("give", WAYS)
Give = Callable[[Path], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("as it was")
    path.chmod(0o640)
    return path


def test_what_is_ours_is_believed(file: Path):
    assert os.read(open_trusted(file), 100) == b"as it was"


def test_so_is_what_our_group_may_write_which_may_read_the_keys_as_well(file: Path):
    file.chmod(0o660)
    assert open_trusted(file)


@open_to_others
def test_what_others_could_have_written_is_not(file: Path, give: Give):
    give(file)
    with pytest.raises(UntrustedError) as caught:
        open_trusted(file)
    said = str(caught.value.strerror)
    assert "others could have written it" in said
    assert "it must belong to root" in said


@needs_root
def test_it_counts_whose_the_file_is_that_was_opened_not_whose_the_link(file: Path):
    link = file.with_name("link")
    link.symlink_to(file)
    of_a_stranger(file)
    with pytest.raises(UntrustedError):
        open_trusted(link)


@needs_root
def test_an_agent_of_another_user_believes_root(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trust.os, "geteuid", lambda: STRANGER)
    assert open_trusted(file)
    of_a_stranger(file)
    assert open_trusted(file)


# The way to a file


@pytest.fixture
def way(tmp_path: Path) -> Path:
    path = tmp_path / "one/two/file"
    path.parent.mkdir(parents=True, mode=0o755)
    path.write_text("here")
    return path


def test_folders_of_ours_are_a_way(way: Path):
    check_way(way)


@open_to_others
@pytest.mark.parametrize("name", ["one", "one/two"])
def test_a_folder_in_which_others_could_exchange_what_follows_is_none(
    tmp_path: Path, way: Path, name: str, give: Give
):
    give(tmp_path / name)
    with pytest.raises(UntrustedError, match=f"the folder .*{name} is open"):
        check_way(way)


def test_in_a_sticky_folder_what_is_ours_stays(tmp_path: Path, way: Path):
    (tmp_path / "one").chmod(0o1777)
    check_way(way)


@needs_root
def test_and_what_is_a_strangers_does_not(tmp_path: Path, way: Path):
    (tmp_path / "one").chmod(0o1777)
    of_a_stranger(tmp_path / "one/two")
    with pytest.raises(UntrustedError):
        check_way(way)


@needs_root
@pytest.mark.parametrize("absolute", [True, False])
def test_links_are_followed_folder_by_folder(tmp_path: Path, way: Path, absolute: bool):
    link = tmp_path / "link"
    link.symlink_to(way.parent if absolute else "one/../one/two")
    check_way(link / "file")

    of_a_stranger(tmp_path / "one")

    with pytest.raises(UntrustedError, match=r"the folder .*one is open"):
        check_way(link / "file")


def test_a_link_to_itself_is_an_error(tmp_path: Path):
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(OSError, match="symbolic links"):
        check_way(tmp_path / "link")


# Who asks


def said(file: Path, read_it: Callable[[Path], object]) -> str:
    try:
        return str(read_it(file))
    except (ConfigError, CredentialsError, AuthoritiesError) as error:
        return str(error)


def journal(path: Path) -> str:
    warnings: list[str] = []
    Journal(path, OURS, warnings.append)
    return "; ".join(warnings)


TCP = HealthCheck("tcp", "127.0.0.1", 80, "/", frozenset({200}), False, None, 5, 2, 2, 3)
READERS: dict[str, Callable[[Path], object]] = {
    "agent.json": load,
    "a co-located job's file": lambda path: read(path, 80, TCP),
    "credentials_file": lambda path: CredentialsFile(path, EventLog(io.StringIO())).current(),
    "ca_bundle": trusting,
    "health_check.script": lambda path: run_script(str(path), 5, lambda: False),
    "the journal": journal,
}


@needs_root
@pytest.mark.parametrize("who", READERS)
def test_every_reader_says_that_others_could_have_written_it(file: Path, who: str):
    file.chmod(0o700)
    of_a_stranger(file)
    text = said(file, READERS[who])
    assert f"others could have written it (owner uid {STRANGER}, mode 0700)" in text


@needs_root
def test_a_credentials_file_in_a_folder_of_a_strangers_is_refused(way: Path):
    way.write_text(json.dumps({"access_key": "key", "secret_key": "secret"}))
    way.chmod(0o600)
    source = CredentialsFile(way, EventLog(io.StringIO()))
    source.current()
    of_a_stranger(way.parent)
    with pytest.raises(CredentialsError, match="others could put another file in its place"):
        CredentialsFile(way, EventLog(io.StringIO())).current()


@needs_root
def test_a_journal_of_a_strangers_tells_nothing_and_is_set_aside(tmp_path: Path):
    path = tmp_path / "journal.json"
    written = Journal(path, OURS, print)
    written.remember("clb:lb-1", GroupSpec("clb", "lb-1", None, None, 100, None), discovered=False)
    of_a_stranger(path)

    assert last_instance(path) is None
    assert unconfirmed(path) is None
    found = Journal(path, OURS, lambda _: None)

    assert found.entries == {}
    assert found.ever_confirmed
    assert path.with_name("journal.json.set-aside").exists()
