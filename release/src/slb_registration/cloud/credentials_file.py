"""Keys in a file that an outside process rotates."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

from slb_registration.cloud.credentials import (
    Credentials,
    CredentialsError,
    CredentialsState,
    Redaction,
)
from slb_registration.config.reader import Problems, Section
from slb_registration.support.files.small_files import Version, read_open, version_of
from slb_registration.support.files.trust import check_way, open_trusted
from slb_registration.support.json_objects import JsonError, NoObjectError, parse_object
from slb_registration.support.logs.event_log import EventLog

SIZE_LIMIT = 65536


class CredentialsFile:
    """A JSON object with access_key, secret_key and perhaps security_token.

    Looked at before each call, and read where it is another than before. One that cannot be used
    (half written, or readable by others) leaves the keys of before in force; that is said once for
    each reason, and it is read again each time, until it is good.
    """

    def __init__(self, path: Path, log: EventLog) -> None:
        self._path = path
        self._log = log
        self._redaction = Redaction(log)
        self._lock = threading.Lock()
        self._read: Version | None = None
        self._credentials: Credentials | None = None
        self._error: str | None = None

    def current(self) -> Credentials:
        """Return the keys to use now. Raises CredentialsError while there never were any."""
        with self._lock:
            try:
                self._look()
            except CredentialsError as error:
                self._failed(str(error))
            else:
                self._error = None
            if self._credentials is None:
                raise CredentialsError(self._error or "", lasting=True)
            return self._credentials

    def renew(self) -> bool:
        """Read it again, even if it looks the same."""
        with self._lock:
            self._read = None
        return True

    def state(self) -> CredentialsState:
        """Return why the file cannot be used, if it cannot."""
        return CredentialsState(error=self._error)

    def _look(self) -> None:
        try:
            status = self._path.stat()
            if self._read == version_of(status):
                return
            _refuse_open_to_others(self._path, status)
            check_way(self._path)
            with os.fdopen(open_trusted(self._path), "rb") as file:
                status = os.fstat(file.fileno())
                _refuse_open_to_others(self._path, status)
                content = read_open(file, SIZE_LIMIT)
        except OSError as error:
            raise CredentialsError(f"{self._path}: cannot be read: {error.strerror}") from None
        credentials = _parse(self._path, content)
        if credentials != self._credentials:
            self._redaction.cover(credentials)
            self._log.info("credentials read from the file", file=str(self._path))
        elif self._error is not None:
            self._log.info("the credentials file is good again", file=str(self._path))
        self._credentials = credentials
        self._read = version_of(status)

    def _failed(self, reason: str) -> None:
        self._read = None
        if reason == self._error:
            return
        self._error = reason
        if self._credentials is None:
            self._log.error("no credentials yet; trying again", error=reason)
        else:
            self._log.warning("going on with the credentials of before", error=reason)


def _refuse_open_to_others(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CredentialsError(f"{path}: is no file")
    mode = stat.S_IMODE(status.st_mode)
    # Who may read a file that is closed to group and others is its owner (or root).
    if mode & 0o077:
        raise CredentialsError(
            f"{path}: others may read or change it (mode {mode:04o}): it must belong to vcap alone,"
            " mode 0600"
        )


def _parse(path: Path, content: bytes) -> Credentials:
    try:
        document = parse_object(content)
    except NoObjectError as error:
        raise CredentialsError(f"{path}: {error} with access_key and secret_key") from None
    except JsonError:
        raise CredentialsError(f"{path}: is not valid JSON (yet?)") from None
    problems = Problems(document.values())
    section = Section(document, problems)
    keys = [section.secret(name) for name in ("access_key", "secret_key", "security_token")]
    for name, key in zip(("access_key", "secret_key"), keys, strict=False):
        if key is None:
            problems.add(name, "is missing")
    if problems.found:
        raise CredentialsError(f"{path}: {'; '.join(problems.found)}")
    return Credentials(keys[0] or "", keys[1] or "", keys[2])
