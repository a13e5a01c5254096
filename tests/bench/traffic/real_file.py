"""Reads the file of `--cloud`: which load balancers to ask, which server groups to watch, what to
play. Its names are the job's properties where they mean the same.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mock_slb.core.documents import read_yaml
from mock_slb.core.fields import InputError
from slb_registration.config.credentials import credentials
from slb_registration.config.health_check import health_check
from slb_registration.config.loading import REGION
from slb_registration.config.reader import ABSOLUTE_PATH, ANY_TEXT, Problems, Section
from slb_registration.config.server_groups import groups
from slb_registration.model.configuration import CredentialConfig, GroupSpec
from slb_registration.support.files.small_files import read_open
from slb_registration.support.files.trust import check_way, open_trusted
from slb_registration.support.net import endpoint

SIZE_LIMIT = 1 << 20
_SECRETS = ("access_key", "secret_key", "security_token")
_PRODUCTS = ("slb", "alb", "nlb", "sts")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,40}")
_PATH = re.compile(r"/[!-~]*")
_MERELY_WATCHED = {"type": "none"}
"""What would check the servers of groups: nobody here."""


class RealCloudError(Exception):
    """Real load balancers cannot be asked; the message says why, and holds none of the keys."""


@dataclass(frozen=True)
class RealCloud:
    """What such a file says."""

    region: str
    credentials: CredentialConfig
    endpoints: Mapping[str, str | None]
    network: str
    ca_bundle: Path | None
    listeners: Mapping[str, tuple[str, int]]
    """Host and port by the name in the figures."""
    groups: tuple[GroupSpec, ...]
    plays: Mapping[str, str]
    """Shell commands by name, in the order of the file."""
    path: str | None
    """What is asked of any service; None: the bench's own runs there."""


def load(path: Path) -> RealCloud:
    """Read it. Raises RealCloudError with all that is wrong, a line each."""
    try:
        document = read_yaml(_text(path))
    except OSError as error:
        raise RealCloudError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RealCloudError(f"{path}: is not UTF-8") from None
    except InputError as error:
        raise RealCloudError(f"{path}: {_without_content(str(error))}") from None
    if not isinstance(document, dict):
        raise RealCloudError(f"{path}: must be a mapping: region, access_key, listeners, plays, …")
    if not _has_names_only(document):
        raise RealCloudError(f"{path}: every name in it must be text")
    problems = Problems(document.get(name) for name in _SECRETS)
    top = Section(document, problems)
    found = _real_cloud(top, problems)
    top.refuse_unknown()
    if problems.found:
        raise RealCloudError("\n".join(f"{path}: {problem}" for problem in problems.found))
    return found


def _text(path: Path) -> str:
    check_way(path.absolute())
    with os.fdopen(open_trusted(path), "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise RealCloudError(
                f"{path}: others may read it (mode {mode:04o}), and it is for keys: chmod 600 it"
            )
        return read_open(file, SIZE_LIMIT).decode()


def _without_content(said: str) -> str:
    """What YAML's reader says of a mistake, without the lines that it shows: a key may be there."""
    lines = [line.strip() for line in said.splitlines()]
    where = next(
        (re.search(r"line \d+", line) for line in reversed(lines) if "line " in line), None
    )
    return f"is not YAML, or gives a name twice{f': {where[0]}' if where else ''}"


def _has_names_only(document: object) -> bool:
    """Whether all mappings in it have texts as keys; aliases may lead back to where they stand."""
    seen: set[int] = set()
    todo = [document]
    while todo:
        value = todo.pop()
        if not isinstance(value, (list, dict)) or id(value) in seen:
            continue
        seen.add(id(value))
        todo += value
        if isinstance(value, dict):
            if not all(isinstance(name, str) for name in value):
                return False
            todo += value.values()
    return True


def _real_cloud(top: Section, problems: Problems) -> RealCloud:
    region = top.text("region", None, REGION, "the id of a region, such as cn-hangzhou")
    if not top.given("region"):
        top.problem("region", "is missing")
    check = health_check(Section(_MERELY_WATCHED, problems), Section({}, problems))
    ca_bundle = top.text("ca_bundle", None, ABSOLUTE_PATH, "an absolute path")
    return RealCloud(
        region=region or "",
        credentials=credentials(top),
        endpoints=_endpoints(top.section("endpoints")),
        network=top.choice("network", "internet", ("internet", "vpc")),
        ca_bundle=None if ca_bundle is None else Path(ca_bundle),
        listeners=_listeners(top),
        groups=groups(top, top.integer("port", None, 1, 65535), check),
        plays=_texts(top, top.section("plays"), "plays", "a shell command"),
        path=top.text("path", None, _PATH, "a path that starts with / and has no spaces"),
    )


def _endpoints(section: Section) -> dict[str, str | None]:
    return {name: _endpoint(section, name) for name in _PRODUCTS}


def _endpoint(section: Section, name: str) -> str | None:
    text = section.text(name, None, ANY_TEXT, "text")
    if text is None:
        return None
    try:
        return endpoint.slb_endpoint(text)
    except endpoint.EndpointError as error:
        section.problem(name, str(error))
        return None


def _listeners(top: Section) -> dict[str, tuple[str, int]]:
    section = top.section("listeners")
    found = {}
    for name, text in _texts(top, section, "listeners", "HOST:PORT").items():
        address = _address(text)
        if address is None:
            section.problem(name, f"must be HOST:PORT, not {section.shown(text)}")
        else:
            found[name] = address
    return found


def _texts(top: Section, section: Section, name: str, described: str) -> dict[str, str]:
    """A mapping of names to texts, of which there must be one at least."""
    given = top.value(name)
    if given is None or given == {}:
        top.problem(name, f"is missing: name at least one, NAME: {described}")
    found = {}
    for key in given if isinstance(given, dict) else ():
        if not _NAME.fullmatch(key):
            top.problem(name, f"{section.shown(key)} is no name: letters, digits, . _ : -")
        text = section.text(key, None, ANY_TEXT, described)
        if text is not None and text.strip():
            found[key] = text
        elif text is not None or not section.given(key):
            section.problem(key, f"is empty: must be {described}")
    return found


def _address(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    bare = endpoint.host(host)
    bracketed = host.startswith("[") == (bare is not None and ":" in bare)
    if bare is None or not bracketed or not re.fullmatch(r"[0-9]{1,5}", port):
        return None
    return (bare, int(port)) if 1 <= int(port) <= 65535 else None
