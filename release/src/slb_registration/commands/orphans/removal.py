"""Takes out the orphans that an operator names, each after another look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import tenacity

from slb_registration.cloud.client import Cloud
from slb_registration.commands.errand import may_pass
from slb_registration.commands.orphans import (
    ORPHANS,
    Entry,
    Finding,
    Outcome,
    Refused,
    Survey,
    Verdict,
)
from slb_registration.commands.orphans.find import look
from slb_registration.commands.orphans.instances import ask_once
from slb_registration.model.errors import ApiError
from slb_registration.model.server_group import ABNORMAL, AVAILABLE, GOING, NORMAL, BackendServer
from slb_registration.server_groups.open import open_group
from slb_registration.support.logs.event_log import EventLog

SEEN_SECONDS = 60.0
"""How long a removal is tried, and looked for in the group. ALB and NLB make it within seconds."""

LOOKS = 5
"""So often a removal that was accepted is looked for, within 5 s or so: then one that is not being
made is asked for again, and one that goes on for long counts, since it waits for connections."""

NOT_THERE = "no entry of any server group that was read is its"


class NotNowError(Exception):
    """A second look has shown that it must stay; the text says why."""


def remove_named(
    cloud: Cloud, survey: Survey, named: Iterable[str], log: EventLog
) -> Iterator[Outcome | Refused]:
    """Remove what is named, and is an orphan, from every group that it was found in."""
    for server_id in dict.fromkeys(named):
        orphans = [
            one
            for one in survey.findings
            if one.entry.server.server_id == server_id and one.verdict in ORPHANS
        ]
        if not orphans:
            yield Refused(server_id, survey.elsewhere.get(server_id, NOT_THERE))
        for finding in orphans:
            yield _removed(cloud, survey, finding, log)


def _removed(cloud: Cloud, survey: Survey, finding: Finding, log: EventLog) -> Outcome:
    entry = finding.entry
    told = {"group": entry.group, "server_id": entry.server.server_id, "port": entry.server.port}
    try:
        _take_out(cloud, survey, finding)
    except (ApiError, NotNowError) as error:
        problem = log.redact(str(error))
        log.warning("an orphan was not removed", **told, because=problem)
        return Outcome(finding, problem)
    log.info("an orphan was removed", **told, description=entry.server.description)
    return Outcome(finding)


def _take_out(cloud: Cloud, survey: Survey, finding: Finding) -> None:
    """Raises ApiError and NotNowError."""
    group = open_group(cloud, finding.entry.spec)
    if group.read_only is not None:
        raise NotNowError(group.read_only)
    attempt = _Attempt(cloud, survey, finding)
    try:
        tenacity.Retrying(
            retry=tenacity.retry_any(may_pass, tenacity.retry_if_result(lambda out: not out)),
            wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=4.0),
            stop=tenacity.stop_before_delay(SEEN_SECONDS),
            reraise=True,
        )(attempt)
    except tenacity.RetryError:
        raise NotNowError(
            "its removal was asked for, and the group still lists it: look again"
        ) from None


class _Attempt:
    """Looks, asks for the removal until that is accepted, and tells whether the server is out."""

    def __init__(self, cloud: Cloud, survey: Survey, finding: Finding) -> None:
        self._cloud = cloud
        self._survey = survey
        self._finding = finding
        self._group = open_group(cloud, finding.entry.spec)
        self._accepted = False
        self._looks = 0  # since the removal was accepted, or SLB was seen to make it

    def __call__(self) -> bool:
        entry = self._finding.entry
        members = self._group.find()
        now = members.get(entry.server.server_id, entry.server.port, entry.server.server_ip)
        if now is None:
            if members.implied and not self._accepted:
                raise NotNowError("the group's answer has no list of servers")
            return True
        self._looks += 1
        if now.state in GOING:
            return self._looks > LOOKS
        under_way = now.state != AVAILABLE or members.busy or self._looks <= LOOKS
        if self._accepted and under_way:
            return False
        self._confirm(entry, now)
        self._group.remove(now)
        self._accepted, self._looks = True, 0
        return False

    def _confirm(self, entry: Entry, now: BackendServer) -> None:
        """Raises NotNowError where it is not what it was when it was listed."""
        if now != entry.server:
            raise NotNowError("it has changed since it was listed")
        health = {one.status for one in look(self._cloud, entry.spec).get(now, ())}
        if NORMAL in health:
            raise NotNowError("SLB reports it as normal now")
        if self._finding.verdict is Verdict.GONE:
            self._still_gone(entry)
        elif ABNORMAL not in health:
            raise NotNowError("that it is gone was a guess, and SLB reports it as abnormal no more")

    def _still_gone(self, entry: Entry) -> None:
        instances = ask_once(self._cloud, [entry.server.server_id], self._survey.me)
        if entry.server.server_id in instances.present:
            raise NotNowError("ECS has it now")
        if entry.server.server_id not in instances.absent:
            raise NotNowError(f"ECS does not say any more that it is gone: {instances.silent}")
