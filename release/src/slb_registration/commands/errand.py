"""The errand: asks SLB, not the agent, who is registered where, with which weight and health."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from slb_registration.cloud.client import Cloud
from slb_registration.cloud.connect import connect, metadata_of
from slb_registration.commands.status_table import health_text, table
from slb_registration.config import job_files
from slb_registration.config.loading import ConfigError
from slb_registration.discovery.capacity import described
from slb_registration.discovery.discoverer import nothing_found
from slb_registration.discovery.selection import Choice, Chooser, named_ids
from slb_registration.instance import markers
from slb_registration.instance.metadata import (
    IdentityError,
    Instance,
    Metadata,
    MetadataError,
    identify,
)
from slb_registration.instance.own_server import resolved, vpc_id
from slb_registration.membership.startup import nothing_named
from slb_registration.model.configuration import MOST_GROUPS, Config, GroupSpec
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.server_group import (
    ABNORMAL,
    AVAILABLE,
    BackendServer,
    ListenerHealth,
    Members,
    ServerGroup,
)
from slb_registration.preflight import SettingWarning
from slb_registration.preflight.survey import Survey
from slb_registration.reconcile.dry_run import OBSERVES
from slb_registration.server_groups.open import open_group
from slb_registration.server_groups.tagged import listings
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.printable import printable
from slb_registration.support.logs.timestamps import timestamp

_Answer = TypeVar("_Answer")

PATIENCE_SECONDS = 30.0
"""How long one question is repeated while the API is busy or does not answer."""

FEW_TRIES = 4
"""How often it is asked where the API refuses with a code that we do not know, or where it is most
likely a person who has to mend it (a name that there is not, a wrong clock): for 3 to 4 s."""


@dataclass(frozen=True)
class Finding:
    """One server in one group, or its absence; `problem` is None where all is as it should be."""

    group: str
    server_id: str
    port: int | None
    weight: int | None
    health: tuple[ListenerHealth, ...]
    problem: str | None


@dataclass(frozen=True)
class Checked:
    """The findings, and warnings of what is set on the load balancers and would hurt."""

    findings: list[Finding]
    warnings: list[SettingWarning]


def check(config: Config, stop: threading.Event, log: EventLog) -> Checked:
    """Judge this VM in every group it should be in (`register: false`: every server of them).

    Raises IdentityError and MetadataError where it is not known who this VM is; what is not known
    of one group, or refused by the API, becomes a finding.
    """
    instance = who(config, stop, log.warning)
    me = instance.instance_id
    cloud = connect(config, instance.region, log)
    groups, findings = known_groups(config, cloud, me, log)
    survey = Survey(config, metadata_of(config), cloud)
    for spec in groups:
        findings += _judged(cloud, spec, me, survey, everyone=not config.register)
    if not findings:
        findings = [Finding("(none)", me, None, None, (), none_known(config, instance.region))]
    return Checked(findings, survey.warnings)


def known_groups(
    config: Config, cloud: Cloud, me: str, log: EventLog
) -> tuple[list[GroupSpec], list[Finding]]:
    """The groups of the manifest, of co-located jobs' files and of tags, and what hinders.

    Raises IdentityError and MetadataError where a server type needs what is not to be had.
    """
    metadata = metadata_of(config)
    by_files, findings = _by_files(config, me)
    wanted = [*config.groups, *by_files]
    if config.discovery.enabled:
        by_tags, not_found = _by_tags(config, cloud, metadata, wanted, me=me, log=log)
        wanted += by_tags
        findings += not_found
    groups: dict[str, GroupSpec] = {}
    for spec in wanted:
        try:
            server = resolved(spec, metadata)
        except (IdentityError, MetadataError) as error:
            name = open_group(cloud, spec).name
            findings.append(Finding(name, me, spec.port, None, (), str(error)))
            continue
        # The first to name a group counts: the manifest, then the files in their order.
        groups.setdefault(open_group(cloud, server).name, server)
    rest = list(groups)[MOST_GROUPS:]
    if rest:
        findings.append(Finding("(too many)", me, None, None, (), described(rest)))
    return list(groups.values())[:MOST_GROUPS], findings


def none_known(config: Config, region: str) -> str:
    """Return what to say where there is no group at all."""
    if config.discovery.enabled:
        return nothing_found(config.discovery, region)
    return nothing_named(config)


def _by_files(config: Config, me: str) -> tuple[list[GroupSpec], list[Finding]]:
    """Return what co-located jobs ask for, and the files that cannot be used."""
    specs: list[GroupSpec] = []
    findings = []
    globs, check = config.dynamic_config_globs, config.health_check
    for path, found in job_files.read_all(globs, config.port, check):
        if isinstance(found, ConfigError):
            findings.append(Finding(str(path), me, None, None, (), "; ".join(found.problems)))
        else:
            specs += found.groups
    return specs, findings


def _by_tags(
    config: Config,
    cloud: Cloud,
    metadata: Metadata,
    named: Sequence[GroupSpec],
    *,
    me: str,
    log: EventLog,
) -> tuple[list[GroupSpec], list[Finding]]:
    """Return what carries the tags, and what hinders: looking for it, or joining what was found."""
    specs: list[GroupSpec] = []
    findings: list[Finding] = []
    left_out: list[str] = []
    refused: list[ApiError] = []
    for found in _discovered(config, cloud, metadata, named_ids(named)):
        if isinstance(found, ApiError):
            refused.append(found)
        elif found.spec is not None:
            specs.append(found.spec)
        elif not found.problem:
            left_out.append(found.told)
        else:
            name = f"{found.thing.product}/{found.thing.id}"
            findings.append(Finding(name, me, None, None, (), found.why))
    for error in refused:
        if (named or specs) and error.hopeless:
            # A RAM policy without a product that is not used is no fault of this VM.
            log.warning("cannot look for one product", error=str(error))
        else:
            findings.append(Finding("(discovery)", me, None, None, (), str(error)))
    if left_out and not (named or specs or findings):
        findings.append(Finding("(discovery)", me, None, None, (), "; ".join(left_out)))
    return specs, findings


def order_in_force(config: Config) -> str | None:
    """Return what on this VM explains that it is not as it should be, None where nothing does."""
    if config.observes:
        return f"{OBSERVES}, and with mode: register the agent puts this right"
    if markers.draining(config.data_dir, config.run_dir).since() is not None:
        return "this VM is draining or drained: a new start or resume puts it back"
    held = markers.hold(config.data_dir, config.run_dir).held()
    if held is None or held.is_past(time.time()):
        return None
    until = "" if held.until is None else f" until {timestamp(held.until)}"
    because = f" ({held.reason})" if held.reason else ""
    return f"this VM is held by an operator{until}{because}: resume puts it back"


def render(findings: Sequence[Finding]) -> str:
    """The table."""
    headings = ("SERVER GROUP", "SERVER", "PORT", "WEIGHT", "HEALTH", "RESULT")
    rows = [tuple(map(printable, _row(finding))) for finding in findings]
    return "\n".join(table(headings, rows)) + "\n"


def _row(finding: Finding) -> tuple[str, ...]:
    health = health_text((item.listener, item.status) for item in finding.health)
    return (
        finding.group,
        finding.server_id,
        "-" if finding.port is None else str(finding.port),
        "-" if finding.weight is None else str(finding.weight),
        health,
        "ok" if finding.problem is None else "FAILED",
    )


def who(config: Config, stop: threading.Event, on_retry: Callable[[str], None]) -> Instance:
    """Return which VM this is. Raises IdentityError and MetadataError."""
    return identify(
        metadata_of(config),
        region=config.region,
        instance_id=config.instance_id,
        stop=stop,
        patience_seconds=PATIENCE_SECONDS,
        on_retry=on_retry,
        on_remark=on_retry,
    )


def _discovered(
    config: Config, cloud: Cloud, metadata: Metadata, named: Collection[str]
) -> Iterator[Choice | ApiError]:
    """Return what carries the tags, product by product: one that is refused does not stop the
    others."""
    discovery = config.discovery
    vpc = functools.cache(lambda: vpc_id(metadata))
    chooser = Chooser(discovery, config.port, config.health_check, vpc, lambda: named)
    for listing in listings(cloud, discovery.products, discovery.tags).values():
        try:
            yield from map(chooser.choose, patiently(listing.tagged))
        except ApiError as error:
            yield error


def _judged(
    cloud: Cloud, spec: GroupSpec, instance_id: str, survey: Survey, *, everyone: bool
) -> list[Finding]:
    group: ServerGroup = open_group(cloud, spec)
    me = spec.server_id or instance_id
    try:
        members = patiently(group.find)
        health = patiently(group.health) or ()  # whole: nothing here is more urgent
    except ApiError as error:
        return [Finding(group.name, me, spec.port, None, (), str(error))]
    survey.look(spec, group)
    if everyone:
        return _judge_all(group.name, spec, members, health)
    return [_judge_me(group, spec, members, health, me)]


def _judge_me(
    group: ServerGroup,
    spec: GroupSpec,
    members: Members,
    health: tuple[ListenerHealth, ...],
    me: str,
) -> Finding:
    mine = members.get(me, group.port, spec.server_ip or "")
    if mine is None:
        reason = f"; {group.read_only}" if group.read_only else ""
        what = f"this VM is not registered{reason}"
        return Finding(group.name, me, group.port, None, (), what)
    own = health_of(mine, health)
    problem = _unhealthy(own)
    if mine.state != AVAILABLE:
        problem = f"it is {mine.state}: the change is not finished"
    if mine.weight != spec.weight and group.read_only is None:
        problem = f"the weight is {mine.weight} and should be {spec.weight}"
    return Finding(group.name, me, group.port, mine.weight, own, problem)


def _judge_all(
    name: str, spec: GroupSpec, members: Members, health: tuple[ListenerHealth, ...]
) -> list[Finding]:
    if not members.servers:
        return [Finding(name, "-", spec.port, None, (), "no server is registered")]
    findings = []
    for server in members.servers:
        own = health_of(server, health)
        problem = "the weight is 0" if server.weight == 0 else _unhealthy(own)
        findings.append(Finding(name, server.server_id, server.port, server.weight, own, problem))
    return findings


def health_of(
    server: BackendServer, health: Iterable[ListenerHealth]
) -> tuple[ListenerHealth, ...]:
    """Return what is said of this server."""
    return tuple(
        item for item in health if item.is_of(server.server_id, server.port, server.server_ip)
    )


def _unhealthy(health: tuple[ListenerHealth, ...]) -> str | None:
    """`unavailable` without a reason is no verdict: the check is off, or has not finished."""
    bad = [item for item in health if item.status == ABNORMAL or item.reason]
    told = [f"{item.status} on {item.listener}{item.why}" for item in bad]
    return f"SLB reports it as {', '.join(told)}" if bad else None


def may_pass(state: tenacity.RetryCallState) -> bool:
    """Return whether a question that was refused is worth repeating."""
    error = None if state.outcome is None else state.outcome.exception()
    if not isinstance(error, ApiError) or error.hopeless:
        return False
    patient = error.kind is not Kind.UNKNOWN and not error.barred
    return patient or state.attempt_number < FEW_TRIES


def patiently(question: Callable[[], _Answer]) -> _Answer:
    """Ask again while the API is busy or does not answer. Raises its last ApiError."""
    return tenacity.Retrying(
        retry=may_pass,
        wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=8.0),
        stop=tenacity.stop_before_delay(PATIENCE_SECONDS),
        reraise=True,
    )(question)
