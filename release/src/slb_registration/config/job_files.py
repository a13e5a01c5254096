"""Reads the files of co-located jobs, which ask for server groups, and for checks of a service.

Such a file holds a JSON object with the properties load_balancer_id, server_groups, port and
health_check, which mean what they mean in the manifest.
"""

from __future__ import annotations

import glob
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from slb_registration.config.health_check import health_check
from slb_registration.config.loading import ConfigError
from slb_registration.config.reader import Problems, Section
from slb_registration.config.server_groups import groups
from slb_registration.model.configuration import GroupSpec, HealthCheck
from slb_registration.support.files.trust import read_trusted
from slb_registration.support.json_objects import JsonError, parse_object

SIZE_LIMIT = 1 << 20
MOST_FILES = 100
"""More are not looked at: a pattern that matches so much is a mistake."""

GLOBS = Path("dynamic_config_globs")
"""What is wrong with the patterns is told under the name of their property, in a file's place."""

TOO_MANY = (
    f"more than {MOST_FILES} files match: those after the first {MOST_FILES}, by their names, are "
    "not looked at; make the patterns match fewer"
)


class UnreadableError(ConfigError):
    """The file is there and cannot be read, now: what stands in it is not known."""


@dataclass(frozen=True)
class JobFile:
    """All that one file asks for. `health_check` is None where that of the manifest is meant.

    `port`: the default of its groups.
    """

    groups: tuple[GroupSpec, ...]
    health_check: HealthCheck | None
    port: int | None


def listed(patterns: Iterable[str]) -> tuple[list[Path], bool]:
    """Return the files that match any of the patterns, in the order of their names.

    They are MOST_FILES at most; also returns whether they are all that match.
    """
    # Unlike Path.glob, this takes ** for *: nothing makes it walk the whole disk.
    every = (map(Path, glob.iglob(pattern)) for pattern in patterns)  # noqa: PTH207
    # Of each no more than counts, and one: a pattern may match a disk full of files.
    found = {path for some in every for path in heapq.nsmallest(MOST_FILES + 1, some)}
    return sorted(found)[:MOST_FILES], len(found) <= MOST_FILES


def read(path: Path, default_port: int | None, default_check: HealthCheck) -> JobFile:
    """Read and check one file; raises ConfigError with every problem of it, or UnreadableError.

    `default_port` is taken where a server group needs a port and neither it nor the file has one,
    `default_check` is that of the manifest.
    """
    try:
        content = read_trusted(path, SIZE_LIMIT)
    except OSError as error:
        raise UnreadableError([f"cannot be read: {error.strerror}"]) from None
    try:
        document = parse_object(content)
    except JsonError as error:
        raise ConfigError([str(error)]) from None
    return _parsed(document, default_port, default_check)


def read_all(
    patterns: Iterable[str], default_port: int | None, default_check: HealthCheck
) -> Iterator[tuple[Path, JobFile | ConfigError]]:
    """Read every file that matches: what it asks for, or what is wrong with it.

    Of GLOBS comes what is wrong with the patterns.
    """
    files, all_of_them = listed(patterns)
    for path in files:
        try:
            yield path, read(path, default_port, default_check)
        except ConfigError as error:
            yield path, error
    if not all_of_them:
        yield GLOBS, ConfigError([TOO_MANY])


def _parsed(
    document: dict[str, object], default_port: int | None, default_check: HealthCheck
) -> JobFile:
    problems = Problems()
    top = Section(document, problems)
    port = top.integer("port", default_port, 1, 65535)
    own = top.given("health_check")
    own_check = health_check(top.section("health_check"), Section({}, problems))
    check = own_check if own else None
    config = JobFile(groups(top, port, check or default_check), check, port)
    if not (top.given("load_balancer_id") or top.given("server_groups")):
        top.problem("server_groups", "is missing: give it, or load_balancer_id")
    top.refuse_unknown()
    if problems.found:
        raise ConfigError(problems.found)
    return config
