"""The errand: asks SLB, not the agent, who is registered where, with which weight and health."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from slb_registration.cloud import Cloud
from slb_registration.config import Config, GroupSpec
from slb_registration.credentials import Static
from slb_registration.discovery import specs, tags_text
from slb_registration.errors import ApiError
from slb_registration.instance import Instance, Metadata, identify
from slb_registration.report import health_text, table
from slb_registration.server_groups import BackendServer, ListenerHealth, Members, ServerGroup
from slb_registration.server_groups.clb import tagged_load_balancers
from slb_registration.server_groups.open import open_group

_Answer = TypeVar("_Answer")

PATIENCE_SECONDS = 30.0
"""How long one question is repeated while the API is busy or does not answer."""


@dataclass(frozen=True)
class Finding:
    """One server in one group, or its absence; `problem` is None where all is as it should be."""

    group: str
    server_id: str
    port: int | None
    weight: int | None
    health: tuple[ListenerHealth, ...]
    problem: str | None


def check(config: Config, stop: threading.Event, on_retry: Callable[[str], None]) -> list[Finding]:
    """Judge this VM in every group it should be in (`register: false`: every server of them).

    Raises IdentityError and MetadataError; what the API refuses becomes a finding.
    """
    instance = _who(config, stop, on_retry)
    cloud = Cloud(Static(config.keys), instance.region, slb_endpoint=config.endpoints.slb)
    wanted = list(config.groups)
    if config.discovery.enabled:
        try:
            wanted += _discovered(config, cloud)
        except ApiError as error:
            return [Finding("(discovery)", instance.instance_id, None, None, (), str(error))]
    findings: list[Finding] = []
    for spec in wanted:
        findings.extend(_judged(cloud, spec, instance.instance_id, everyone=not config.register))
    if not findings:
        what = f"no load balancer in region {instance.region} carries the tags " + tags_text(
            config.discovery
        )
        findings = [Finding("(none)", instance.instance_id, None, None, (), what)]
    return findings


def render(findings: Sequence[Finding]) -> str:
    """The table."""
    headings = ("SERVER GROUP", "SERVER", "PORT", "WEIGHT", "HEALTH", "RESULT")
    return "\n".join(table(headings, [_row(finding) for finding in findings])) + "\n"


def _row(finding: Finding) -> tuple[str, ...]:
    health = health_text(
        (f"{item.protocol}:{item.listener_port}", item.status) for item in finding.health
    )
    return (
        finding.group,
        finding.server_id,
        "-" if finding.port is None else str(finding.port),
        "-" if finding.weight is None else str(finding.weight),
        health,
        "ok" if finding.problem is None else "FAILED",
    )


def _who(config: Config, stop: threading.Event, on_retry: Callable[[str], None]) -> Instance:
    return identify(
        Metadata(config.endpoints.metadata),
        region=config.region,
        instance_id=config.instance_id,
        stop=stop,
        patience_seconds=PATIENCE_SECONDS,
        on_retry=on_retry,
    )


def _discovered(config: Config, cloud: Cloud) -> tuple[GroupSpec, ...]:
    ids = _patiently(lambda: tagged_load_balancers(cloud, config.discovery.tags))
    named = {spec.load_balancer_id for spec in config.groups if spec.vserver_group_id is None}
    return specs(tuple(id_ for id_ in ids if id_ not in named))


def _judged(cloud: Cloud, spec: GroupSpec, me: str, *, everyone: bool) -> list[Finding]:
    group: ServerGroup = open_group(cloud, spec)
    try:
        members = _patiently(group.find)
        health = _patiently(group.health)
    except ApiError as error:
        return [Finding(group.name, me, spec.port, None, (), str(error))]
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
    mine = members.get(me, group.port)
    if mine is None:
        return Finding(group.name, me, group.port, None, (), "this VM is not registered")
    own = _of(mine, health)
    problem = _unhealthy(own)
    if mine.weight != spec.weight:
        problem = f"the weight is {mine.weight} and should be {spec.weight}"
    return Finding(group.name, me, group.port, mine.weight, own, problem)


def _judge_all(
    name: str, spec: GroupSpec, members: Members, health: tuple[ListenerHealth, ...]
) -> list[Finding]:
    if not members.servers:
        return [Finding(name, "-", spec.port, None, (), "no server is registered")]
    findings = []
    for server in members.servers:
        own = _of(server, health)
        problem = "the weight is 0" if server.weight == 0 else _unhealthy(own)
        findings.append(Finding(name, server.server_id, server.port, server.weight, own, problem))
    return findings


def _of(server: BackendServer, health: tuple[ListenerHealth, ...]) -> tuple[ListenerHealth, ...]:
    return tuple(
        item
        for item in health
        if item.server_id == server.server_id and server.port in (None, item.port)
    )


def _unhealthy(health: tuple[ListenerHealth, ...]) -> str | None:
    """`unavailable` is no verdict: the listener's check is off, or has not finished."""
    bad = [f"{item.protocol}:{item.listener_port}" for item in health if item.status == "abnormal"]
    return f"SLB reports it as abnormal on {', '.join(bad)}" if bad else None


def _patiently(question: Callable[[], _Answer]) -> _Answer:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, ApiError) and not error.hopeless
        ),
        wait=tenacity.wait_exponential_jitter(initial=0.5, max=8.0),
        stop=tenacity.stop_before_delay(PATIENCE_SECONDS),
        reraise=True,
    )(question)
