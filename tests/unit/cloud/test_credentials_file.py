"""Keys in a file that somebody else rotates, at any moment and in any way."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from slb_registration.cloud.credentials import Credentials, CredentialsError
from slb_registration.cloud.credentials_file import CredentialsFile
from slb_registration.support.logs.event_log import EventLog

ONE = {"access_key": "key-number-one", "secret_key": "secret-number-one"}
TWO = {"access_key": "key-number-two", "secret_key": "secret-number-two", "security_token": "tok2"}


class Folder:
    """The file, and the source that reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.out = io.StringIO()
        self.log = EventLog(self.out)
        self.source = CredentialsFile(path, self.log)

    def write(self, content: object, mode: int = 0o600) -> None:
        """In place, as a careless process does."""
        text = content if isinstance(content, str) else json.dumps(content)
        self.path.touch(mode=mode)
        self.path.write_text(text)

    def replace(self, content: object) -> None:
        """As a careful one does."""
        new = self.path.with_name("new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(content))
        new.replace(self.path)

    def said(self, level: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.out.getvalue().splitlines()]
        return [event for event in events if event["level"] == level]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "keys.json")


def test_the_keys_of_the_file_are_used(folder: Folder):
    folder.write(TWO)
    assert folder.source.current() == Credentials("key-number-two", "secret-number-two", "tok2")


def test_a_token_is_not_needed_and_what_is_not_ours_is_left_alone(folder: Folder):
    folder.write({**ONE, "expiration": "2026-11-23T10:00:00Z", "rotated_by": {"a": 1}})
    assert folder.source.current() == Credentials("key-number-one", "secret-number-one", None)


@pytest.mark.parametrize("how", ["write", "replace"])
def test_a_file_that_changes_is_read_again(folder: Folder, how: str):
    folder.write(ONE)
    folder.source.current()
    getattr(folder, how)(TWO)
    assert folder.source.current().access_key == "key-number-two"


def test_a_file_that_does_not_change_is_not_read_again(folder: Folder, monkeypatch):
    folder.write(ONE)
    first = folder.source.current()

    def must_not(*_: object) -> None:
        raise AssertionError("the file is read")

    monkeypatch.setattr(Path, "open", must_not)
    assert folder.source.current() is first


HALF = {
    "half": '{"access_key": "key-number-two", "secr',
    "empty": "",
    "no JSON": "access_key=key-number-two",
    "a list": '["key-number-two"]',
    "no secret": '{"access_key": "key-number-two"}',
    "of another type": '{"access_key": "key-number-two", "secret_key": 12345678}',
    "with a line end": '{"access_key": "key-number-two\\n", "secret_key": "secret-number-two"}',
    "nested": "[" * 100_000,
    "too long": json.dumps({**TWO, "rest": "x" * 70_000}),
}


@pytest.mark.parametrize("text", HALF.values(), ids=HALF.keys())
def test_a_file_that_cannot_be_used_keeps_the_keys_of_before_and_is_said_once(
    folder: Folder, text: str
):
    folder.write(ONE)
    first = folder.source.current()
    folder.write(text)
    for _ in range(5):
        assert folder.source.current() == first

    (warning,) = folder.said("warning")
    assert str(folder.path) in warning["error"]
    assert "number-two" not in folder.out.getvalue()
    assert "12345678" not in folder.out.getvalue()

    folder.write(TWO)
    assert folder.source.current().access_key == "key-number-two"


def test_a_file_that_is_whole_again_as_it_was_is_said_to_be_good(folder: Folder):
    folder.write(ONE)
    folder.source.current()
    folder.write("{")
    folder.source.current()
    folder.write(ONE)
    folder.source.current()
    assert folder.said("info")[-1]["message"] == "the credentials file is good again"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o610])
def test_a_file_that_others_may_read_or_change_is_refused(folder: Folder, mode: int):
    folder.write(ONE)
    folder.path.chmod(mode)
    with pytest.raises(CredentialsError, match=f"mode {mode:04o}.*mode 0600"):
        folder.source.current()

    folder.path.chmod(0o400)
    assert folder.source.current().access_key == "key-number-one"


def test_a_file_that_is_opened_to_others_later_is_not_read_again(folder: Folder):
    folder.write(ONE)
    folder.source.current()
    folder.write(TWO)
    folder.path.chmod(0o644)
    assert folder.source.current().access_key == "key-number-one"
    assert "mode 0644" in folder.said("warning")[0]["error"]


def test_a_missing_file_is_an_error_that_names_it_and_ends_when_it_comes(folder: Folder):
    for _ in range(3):
        with pytest.raises(CredentialsError, match=r"keys\.json: cannot be read: No such file"):
            folder.source.current()
    assert len(folder.said("error")) == 1
    folder.write(ONE)
    assert folder.source.current().access_key == "key-number-one"


def test_a_file_that_goes_away_leaves_its_keys_in_force(folder: Folder):
    folder.write(ONE)
    first = folder.source.current()
    folder.path.unlink()
    assert folder.source.current() == first
    assert "cannot be read" in folder.said("warning")[0]["error"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_without_waiting_for_it(folder: Folder, make):
    make(folder.path, 0o600)
    with pytest.raises(CredentialsError, match="is no file"):
        folder.source.current()


def test_a_link_to_the_file_is_followed_to_wherever_it_points_now(folder: Folder, tmp_path: Path):
    for name, content in (("one", ONE), ("two", TWO)):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(json.dumps(content))
    folder.path.symlink_to("one")
    assert folder.source.current().access_key == "key-number-one"
    folder.path.unlink()
    folder.path.symlink_to("two")
    assert folder.source.current().access_key == "key-number-two"


def test_keys_that_are_refused_are_read_again_even_if_the_file_looks_the_same(
    folder: Folder, monkeypatch
):
    folder.write(ONE)
    folder.source.current()
    monkeypatch.setattr("slb_registration.cloud.credentials_file.version_of", lambda _: (1,))
    folder.source.renew()
    folder.source.current()
    folder.write(TWO)
    assert folder.source.current().access_key == "key-number-one"
    folder.source.renew()
    assert folder.source.current().access_key == "key-number-two"


def test_keys_are_kept_out_of_the_log_before_they_are_used(folder: Folder):
    folder.write(TWO)
    folder.source.current()
    for secret in TWO.values():
        assert folder.log.redact(f"a {secret} b") == "a [redacted] b"
