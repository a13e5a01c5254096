"""Reads the server groups that this VM can know of, and judges the entries with our marker."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from slb_registration.cloud.client import Cloud
from slb_registration.cloud.connect import connect
from slb_registration.commands.errand import health_of, known_groups, none_known, patiently, who
from slb_registration.commands.orphans import Entry, Problem, Survey, Verdict, marked_by
from slb_registration.commands.orphans.instances import Instances, ask
from slb_registration.commands.orphans.verdicts import instance_of, judge
from slb_registration.instance.journal_file import (
    FILE_NAME,
    SIZE_LIMIT,
    AnotherInstanceError,
    parse,
)
from slb_registration.model.configuration import Config, GroupSpec
from slb_registration.model.errors import ApiError
from slb_registration.model.server_group import GOING, NORMAL, BackendServer, ListenerHealth
from slb_registration.server_groups.open import open_group
from slb_registration.support.files.trust import read_trusted
from slb_registration.support.logs.event_log import EventLog

Health = tuple[ListenerHealth, ...]
"""What the listeners say of one server."""


@dataclass
class _Read:
    """All that was read so far."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    normal: set[str] = field(default_factory=set)
    elsewhere: dict[str, str] = field(default_factory=dict)
    groups: int = 0
    own: int = 0
    unmarked: int = 0
    going: int = 0


def find(config: Config, log: EventLog) -> tuple[Survey, Cloud]:
    """Judge every entry with our marker in every group that is known; and what was asked.

    Raises IdentityError and MetadataError; what the API refuses becomes a problem.
    """
    instance = who(config, threading.Event(), log.warning)
    me = instance.instance_id
    cloud = connect(config, instance.region, log)
    read = _Read()
    for specs in _groups(config, cloud, me, log, read.problems).values():
        _sort(cloud, specs, me, config.spec.id, read)
    if not read.groups and not read.problems:
        read.problems.append(Problem("(none)", none_known(config, instance.region)))
    instances = _instances(config, cloud, me, read.entries)
    findings = judge(read.entries, instances, read.normal, config.spec.id)
    if instances.failed and instances.silent:
        read.problems.append(Problem("(ECS)", instances.silent))
    for one in findings:
        read.elsewhere[one.entry.server.server_id] = one.because
    survey = Survey(
        region=instance.region,
        me=me,
        findings=tuple(one for one in findings if one.verdict is not Verdict.ALIVE),
        problems=tuple(replace(one, text=log.redact(one.text)) for one in read.problems),
        ecs=None if instances.silent is None else log.redact(instances.silent),
        groups=read.groups,
        alive=sum(one.verdict is Verdict.ALIVE for one in findings) + read.going,
        own=read.own,
        unmarked=read.unmarked,
        elsewhere=read.elsewhere,
    )
    return survey, cloud


def name_of(spec: GroupSpec) -> str:
    """The group's name without a port: here all of its servers count."""
    return f"{spec.product}/{_id_of(spec)}"


def look(cloud: Cloud, spec: GroupSpec) -> dict[BackendServer, Health]:
    """All servers of a group, with what its listeners say of each. Raises ApiError."""
    group = open_group(cloud, spec)
    servers = patiently(group.find).servers
    groups = [group]
    if spec.vserver_group_id is not None:  # whose adapter reads the health of one port
        others = {one.port or 0 for one in servers if marked_by(one)} - {group.port}
        groups += [open_group(cloud, replace(spec, port=port)) for port in sorted(others)]
    told: list[ListenerHealth] = []
    for one in groups:
        health: Health | None = patiently(one.health)  # whole: nothing here is more urgent
        told += health or ()
    return {server: health_of(server, told) for server in servers}


def _id_of(spec: GroupSpec) -> str:
    ids = (
        spec.vserver_group_id,
        spec.active_standby_group_id,
        spec.server_group_id,
        spec.load_balancer_id,
    )
    return next(filter(None, ids), "")


def _groups(
    config: Config, cloud: Cloud, me: str, log: EventLog, problems: list[Problem]
) -> dict[str, list[GroupSpec]]:
    """All that is known, by name: a group may be named with several ports and server types."""
    specs, hindered = known_groups(config, cloud, me, log)
    problems += [Problem(one.group, one.problem or "") for one in hindered]
    specs += _journaled(config.data_dir / FILE_NAME, me, problems)
    found: dict[str, list[GroupSpec]] = {}
    for spec in specs:
        found.setdefault(name_of(spec), []).append(spec)
    return found


def _journaled(path: Path, me: str, problems: list[Problem]) -> list[GroupSpec]:
    """Return what the journal tells of; the file is the agent's, and stays as it is."""
    try:
        entries = parse(read_trusted(path, SIZE_LIMIT), me)
    except (FileNotFoundError, AnotherInstanceError):
        return []
    except OSError as error:
        problems.append(Problem(str(path), f"the journal cannot be read: {error.strerror}"))
        return []
    except ValueError as error:
        problems.append(
            Problem(str(path), f"the journal {error}: groups that only it names are not looked at")
        )
        return []
    return [entry.spec for entry in entries.values()]


def _sort(cloud: Cloud, specs: Sequence[GroupSpec], me: str, spec_id: str, read: _Read) -> None:
    """Sort the servers of one group."""
    name = name_of(specs[0])
    try:
        found = look(cloud, specs[0])
    except ApiError as error:
        read.problems.append(Problem(name, str(error)))
        return
    read.groups += 1
    for server, health in found.items():
        if any(one.status == NORMAL for one in health):
            read.normal.add(server.server_id)
        if _is_own(server, specs, me, spec_id):
            read.own += 1
            read.elsewhere[server.server_id] = "it is this VM"
        elif marked_by(server) is None:
            read.unmarked += 1
            read.elsewhere.setdefault(
                server.server_id, "its description does not begin with bosh/ and an id"
            )
        elif server.state in GOING:
            read.going += 1
            read.elsewhere.setdefault(server.server_id, f"SLB is taking it out ({server.state})")
        else:
            read.entries.append(Entry(name, specs[0], server, health))


def _is_own(server: BackendServer, specs: Iterable[GroupSpec], me: str, spec_id: str) -> bool:
    """Return whether it is this VM.

    Of its marker at an interface or an address nobody else can tell whether it is this VM's or its
    predecessor's: that is its agent's matter.
    """
    if server.server_id == me or server.server_id in {one.server_id for one in specs}:
        return True
    return server.server_type != "ecs" and marked_by(server) == spec_id


def _instances(config: Config, cloud: Cloud, me: str, entries: Sequence[Entry]) -> Instances:
    wanted = [id_ for id_ in (instance_of(one.server) for one in entries) if id_ is not None]
    if not wanted:
        return Instances()
    if config.endpoints.slb is not None and config.endpoints.ecs is None:
        return Instances(silent="it is not asked: endpoints.slb is given, and endpoints.ecs is not")
    return ask(cloud, wanted, me)
