"""Follows the files of co-located jobs: what comes, changes or goes takes effect without a restart.

A file that cannot be used leaves in force what it said before. One that is missing is believed to
be gone only after a while: BOSH replaces the folders of jobs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from slb_registration.config import job_files
from slb_registration.config.job_files import GLOBS, TOO_MANY
from slb_registration.config.loading import ConfigError
from slb_registration.model.configuration import GroupSpec, HealthCheck
from slb_registration.support.files.small_files import Version, version_of
from slb_registration.support.logs.event_log import EventLog

LOOK_SECONDS = 5.0
"""How often the files are looked at, at most: polls that are more frequent set the pace."""

LOOKS_UNTIL_GONE = 3
"""For how many looks a file must be missing before its groups are left."""


@dataclass(frozen=True)
class FileState:
    """One file: what it asks for as far as it could be read, and what is wrong with it.

    `health_check` is None where the manifest's is meant, `port` is the default of its groups;
    `checks_known` is false as long as all that is known of the file is from the journal. `error`:
    why it cannot be read. `conflicts`: why some of its groups are not joined.
    """

    path: Path
    groups: tuple[GroupSpec, ...] = ()
    health_check: HealthCheck | None = None
    port: int | None = None
    checks_known: bool = False
    error: str | None = None
    conflicts: tuple[str, ...] = ()
    version: Version | None = None
    missing_since: float | None = None

    @property
    def problem(self) -> str | None:
        """Return what somebody should see to."""
        return "; ".join((*([self.error] if self.error else []), *self.conflicts)) or None


@dataclass(frozen=True)
class Asked:
    """A server group that a file asks for. `name`: as it was known when the file was looked at."""

    spec: GroupSpec
    state: FileState
    name: str

    def same_as(self, other: Asked | None) -> bool:
        """Return whether it is asked for in the same way, by the same file."""
        return other is not None and self.spec == other.spec and self.state.path == other.state.path


class JobFileGroups:
    """The server groups that files ask for. One thread looks; all may ask what it has seen."""

    def __init__(
        self,
        patterns: Iterable[str],
        default_port: int | None,
        default_check: HealthCheck,
        log: EventLog,
        *,
        name_of: Callable[[GroupSpec], str],
        join: Callable[[GroupSpec, Path], object],
        leave: Callable[[GroupSpec], None],
        settle: Callable[[], None] = lambda: None,
        taken: Callable[[], Collection[str]] = frozenset,
        known: Mapping[Path, tuple[GroupSpec, ...]] | None = None,
        look_seconds: float = LOOK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name_of` a group, as far as it is known as which server this VM stands there.

        `settle` is told after each look: all that is to be joined and left was named. `taken`: the
        names of the manifest's groups, which go before those of files. `known`: what the journal
        has of each file.
        """
        self._patterns = tuple(patterns)
        self._default_port = default_port
        self._default_check = default_check
        self._log = log
        self._name_of = name_of
        self._join = join
        self._leave = leave
        self._settle = settle
        self._taken = taken
        self._look_seconds = look_seconds
        self._clock = clock
        self._asked: Mapping[GroupSpec, Asked] = {}
        self._not_looked_at: FileState | None = None
        self._files: Mapping[Path, FileState] = {
            path: FileState(path, groups)
            for path, groups in (known or {}).items()
            if any(path.match(pattern) for pattern in self._patterns)
        }

    @property
    def files(self) -> list[tuple[FileState, list[str]]]:
        """Every file, and the names of the groups that are joined because of it.

        Where there are too many, dynamic_config.GLOBS comes last.
        """
        states = [state for _, state in sorted(self._files.items())]
        if self._not_looked_at is not None:
            states.append(self._not_looked_at)
        names = self._names()
        return [(state, names.get(state.path, [])) for state in states]

    @property
    def specs(self) -> tuple[GroupSpec, ...]:
        """The groups that are joined because of files."""
        return tuple(asked.spec for asked in self._asked.values())

    def check_for(self, path: Path, spec: GroupSpec) -> HealthCheck | None:
        """Return how the service behind a file's group is checked, None where that is not known
        (yet)."""
        state = self._files.get(path)
        if state is None or not state.checks_known:
            return None
        return (state.health_check or self._default_check).of(spec, state.port)

    def turn(self) -> float:
        """Look; returns the seconds until the next time."""
        self.look()
        return self._look_seconds

    def look(self) -> None:
        """Take in what the files say now."""
        now = self._clock()
        found, all_of_them = job_files.listed(self._patterns)
        self._count(all_of_them)
        paths = sorted({*found, *self._files})
        states = [state for path in paths if (state := self._state(path, now)) is not None]
        asked: dict[GroupSpec, Asked] = {}
        taken = dict.fromkeys(self._taken())
        files = {state.path: self._sorted_in(state, asked, taken) for state in states}
        asked_before, self._asked = self._asked, asked
        files_before, self._files = self._files, files
        try:
            for which in asked_before.keys() - asked.keys():
                self._leave(asked_before[which].spec)
            for which, one in asked.items():
                if not one.same_as(asked_before.get(which)):
                    self._join(one.spec, one.state.path)
        except BaseException:  # what has not been done yet is news at the next look, too
            self._asked, self._files = asked_before, files_before
            raise
        self._settle()
        self._tell(files_before, files)

    def _count(self, all_of_them: bool) -> None:
        """Say it once where files are not looked at."""
        if all_of_them:
            self._not_looked_at = None
        elif self._not_looked_at is None:
            self._not_looked_at = FileState(GLOBS, error=TOO_MANY)
            self._log.warning(
                "not all files of co-located jobs are looked at", file=str(GLOBS), because=TOO_MANY
            )

    # One file

    def _state(self, path: Path, now: float) -> FileState | None:
        """Return what is known of it now, None where it is gone."""
        before = self._files.get(path, FileState(path))
        try:
            version = version_of(path.stat())
        except (FileNotFoundError, NotADirectoryError):
            since = now if before.missing_since is None else before.missing_since
            gone = path not in self._files or now - since >= LOOKS_UNTIL_GONE * self._look_seconds
            return None if gone else replace(before, version=None, missing_since=since)
        except OSError as error:
            text = f"cannot be read: {error.strerror}"
            return replace(before, error=text, version=None, missing_since=None)
        if version == before.version:
            return before
        found = replace(before, version=version, missing_since=None)
        try:
            config = job_files.read(path, self._default_port, self._default_check)
        except ConfigError as error:
            text = "; ".join(error.problems)
            # What could not be read is tried again; what is wrong in it stays so until it changes.
            unread = isinstance(error, job_files.UnreadableError)
            return replace(found, error=text, version=None if unread else version)
        return replace(
            found,
            groups=config.groups,
            health_check=config.health_check,
            port=config.port,
            checks_known=True,
            error=None,
        )

    # All of them

    def _sorted_in(
        self, state: FileState, asked: dict[GroupSpec, Asked], taken: dict[str, Path | None]
    ) -> FileState:
        """Add the file's groups to those asked for; one that cannot be had becomes a conflict.

        `taken`: the names of groups, with the files that name them (None: the manifest).
        """
        conflicts = []
        for spec in state.groups:
            name = self._name_of(spec)
            if name not in taken:
                taken[name] = state.path
                asked[replace(spec, weight=0, description=None)] = Asked(spec, state, name)
            elif (other := taken[name]) is None:
                conflicts.append(f"{name} is named in the manifest, which goes before")
            else:
                conflicts.append(f"{name} is named by {other}, too")
        return replace(state, conflicts=tuple(conflicts))

    def _names(self) -> dict[Path, list[str]]:
        """The names of the groups that are asked for, by file."""
        found: dict[Path, list[str]] = {}
        for one in self._asked.values():
            found.setdefault(one.state.path, []).append(one.name)
        return found

    def _tell(self, before: Mapping[Path, FileState], now: Mapping[Path, FileState]) -> None:
        """Say what is new of each file, once."""
        for path in before.keys() - now.keys():
            self._log.info("a co-located job's file is gone", file=str(path))
        asked = self._names()
        for path, state in now.items():
            old = before.get(path, FileState(path))
            if state.problem is not None and state.problem != old.problem:
                self._log.warning(
                    "a co-located job's file cannot be used as it is",
                    file=str(path),
                    because=state.problem,
                )
            elif state.problem is None and (state.groups != old.groups or old.problem is not None):
                names = ", ".join(asked.get(path, ())) or "none"
                self._log.info("a co-located job's server groups", file=str(path), groups=names)
