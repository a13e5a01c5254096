"""post-start: waits until this VM is in service in every server group, or that is hopeless.

An operator sees its stderr only, and often nothing else of this VM: each reason stands there once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slb_registration.commands.client import TIMEOUT_SECONDS, NotRunningError, ask_status
from slb_registration.model.configuration import Config
from slb_registration.reconcile.dry_run import OBSERVES
from slb_registration.reporting.received import read
from slb_registration.support.logs.event_log import EventLog

POLL_SECONDS = 0.25
HOPELESS_SECONDS = 30.0
"""For so long the same answer must have stood that only a person can mend: a RAM policy takes a
while to spread. The agent asks again every few seconds meanwhile."""

AGENT_LOGS = "/var/vcap/sys/log/slb-registration-test/agent.*.log"


@dataclass(frozen=True)
class Obstacle:
    """Why this VM is not in service in `group`, or (None) in none.

    `lasting`: of an answer that only a person can mend, what is the same as long as it stands.
    """

    reason: str
    group: str | None = None
    lasting: str | None = None

    def __str__(self) -> str:
        """As an operator reads it."""
        return self.reason if self.group is None else f"{self.group}: {self.reason}"


def wait(config: Config, log: EventLog) -> bool:
    """Until this VM is in service everywhere, for post_start.timeout at most; whether it is.

    One group that is hopeless is enough to end it: the VM cannot be in service everywhere.
    """
    if not config.register:
        return True
    if config.observes:
        look_everywhere(config, log)
        return True
    ends = time.monotonic() + config.post_start.timeout_seconds
    since: dict[tuple[str | None, str], float] = {}
    said: list[Obstacle] = []
    while True:
        document, obstacles = _look(config, ends - time.monotonic())
        now = time.monotonic()
        lasting = [(one.group, one.lasting) for one in obstacles if one.lasting is not None]
        since = {key: since.get(key, now) for key in lasting}
        hopeless = any(now - began >= HOPELESS_SECONDS for began in since.values())
        # As long as a look may take at least: one that is cut short tells of no obstacle.
        if not obstacles or hopeless or now + 2 * POLL_SECONDS >= ends:
            break
        for one in [one for one in obstacles if one not in said]:
            log.debug("waiting to be in service", because=str(one))
        said = obstacles
        time.sleep(POLL_SECONDS)
    _report(document, obstacles, log)
    return not obstacles


def look_everywhere(config: Config, log: EventLog) -> None:
    """Until a VM that only observes has looked everywhere, for HOPELESS_SECONDS at most.

    Tells what differs, and what could not be looked at: none of that fails a deploy.
    """
    ends = time.monotonic() + min(HOPELESS_SECONDS, config.post_start.timeout_seconds)
    while True:
        document, obstacles = _look(config, ends - time.monotonic())
        looked = _has_looked(document)
        if looked or time.monotonic() + 2 * POLL_SECONDS >= ends:
            break
        time.sleep(POLL_SECONDS)
    differences = [*map(str, obstacles), *_would_be_left(document)]
    for one in differences:
        log.warning(OBSERVES, because=one)
    _tell_of_the_rest(document, log)
    unknown = document.get("error") or (not looked and "it takes longer: see status")
    if unknown and not obstacles:
        log.warning("mode is observe: not all was looked at", because=unknown)
    elif not differences:
        log.info("mode is observe: nothing would be changed in any server group")


def _would_be_left(document: Mapping[str, Any]) -> Iterator[str]:
    """Return what would be done where this VM is and is not wanted any more."""
    for group in document.get("groups", ()):
        if group["would"] is not None and not group["wanted"]:
            yield f"{group['name']}: it would {group['would']['text']}"


def _has_looked(document: Mapping[str, Any]) -> bool:
    """Return whether nothing more is to be learnt soon: what only a person can mend is not waited
    for."""
    if not document or any(check["health"] == "unknown" for check in document["local_checks"]):
        return False
    groups = [group for group in document["groups"] if group["wanted"]]
    known = bool(groups) and bool(document["complete"])
    return (known or bool(document["needs_repair"])) and all(map(_is_looked_at, groups))


def _is_looked_at(group: Mapping[str, Any]) -> bool:
    if group["needs_repair"]:
        return True
    read = group["last_read_seconds"] is not None and group["last_error"] is None
    return read and (group["health_known"] or not group["weight"])


def _look(config: Config, left_seconds: float) -> tuple[Mapping[str, Any], list[Obstacle]]:
    patience = min(TIMEOUT_SECONDS, left_seconds)
    try:
        socket = config.run_dir / "agent.sock"
        document = read(ask_status(socket, timeout_seconds=patience, waiting=True))
    except NotRunningError as error:
        return {}, [Obstacle(f"{error}; what it said last is in {AGENT_LOGS}")]
    return document, list(_obstacles(document))


def _obstacles(document: Mapping[str, Any]) -> Iterator[Obstacle]:
    groups = [group for group in document["groups"] if group["wanted"]]
    for group in groups:
        reason = group["reason"]
        if not reason and not group["in_service"]:
            reason = f"it is {group['state']}"  # says an agent of another version
        if reason and not _is_held(document, group):
            lasting = group["last_error_code"] if group["needs_repair"] else None
            yield Obstacle(reason, group["name"], lasting)
    if not groups:
        reason = document["error"] or document["under_way"] or "about to join the server groups"
        yield Obstacle(reason, lasting="joining" if document["needs_repair"] else None)


def _is_held(document: Mapping[str, Any], group: Mapping[str, Any]) -> bool:
    """Return whether an operator wants it out of rotation, and there it is: no reason to fail a
    deploy."""
    held = document["held_since"] is not None
    return held and group["last_error"] is None and bool(group["out"])


def _report(document: Mapping[str, Any], obstacles: list[Obstacle], log: EventLog) -> None:
    for one in obstacles:
        what = "not in service" if one.lasting is None else "not in service until it is mended"
        log.error(what, because=str(one))
    _tell_of_the_rest(document, log)
    if obstacles:
        return
    if document["error"]:
        log.warning("not all that may be this VM's is joined", because=document["error"])
    if document["held_since"] is not None:
        message = (
            "held out of rotation, as an operator wants it: slb-registration resume puts it back"
        )
        told = {"until": document["held_until"], "reason": document["held_reason"]}
        told = {name: text for name, text in told.items() if text is not None}
        log.warning(message, since=document["held_since"], **told)
    else:
        log.info("in service in every server group")


def _tell_of_the_rest(document: Mapping[str, Any], log: EventLog) -> None:
    """Tell what fails no deploy."""
    for file in document.get("dynamic_configs", ()):
        if file["problem"]:  # fails no deploy: what it may ask for is not known
            what = "not all of a co-located job's file counts"
            log.warning(what, file=file["file"], because=file["problem"])
    if document.get("remark"):
        log.warning(document["remark"])
