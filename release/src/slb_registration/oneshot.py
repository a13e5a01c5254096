"""Commands that give the running agent an order and see it through: drain, hold, resume, wait.

Each works from the marker files, so that the agent finds its orders again after a restart; a
drain does the work itself where no agent answers.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from slb_registration import markers
from slb_registration.agent import Agent
from slb_registration.config import Config
from slb_registration.control import NotRunningError, ask, ask_status
from slb_registration.instance import IdentityError, MetadataError
from slb_registration.journal import FILE_NAME, last_registrations
from slb_registration.log import EventLog
from slb_registration.markers import Marker
from slb_registration.phases import Order

POLL_SECONDS = 0.25
OUTER_SECONDS = 1.0
OUTER_SHARE = 0.1
"""Of a drain's time, what is kept for the start and the end of this process: a share, this much
at most."""

LAST_SECONDS = 0.5
"""With less than this left, draining without the agent is not begun any more."""

CLOSING_SECONDS = 2.5
"""Of a drain's time, what is left for calls under way when it is broken off."""

QUICK_SECONDS = 8.0
METADATA_SECONDS = 5.0
ASK_SECONDS = 5.0
"""How long an agent that hangs is waited for, where there is time for it."""

SETTLE_SECONDS = 15.0
"""How long hold and resume wait to see what came of it."""

EVERYONE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def drain(config: Config, log: EventLog) -> bool:
    """Take the VM out; whether it is out. Ends within drain.timeout."""
    timeout = config.drain.timeout_seconds
    ends = time.monotonic() + timeout - _outer(timeout)
    _set(markers.draining(config.data_dir), log)
    if not config.register:
        return True
    knows_by = time.monotonic() + min(METADATA_SECONDS, timeout / 4)
    if _order(config, Order.DRAIN, timeout_seconds=min(ASK_SECONDS, timeout / 4)):
        last = None
        for document in _statuses(config, ends, log):
            if document["state"] == "drained":
                log.info("drained")
                return True
            if time.monotonic() + POLL_SECONDS >= ends:
                _tell_what_remains(document, log)
                return False
            if document["instance_id"] is None and time.monotonic() >= knows_by:
                log.warning("the agent does not know which VM this is: draining without it")
                return _drain_here(config, log, ends - time.monotonic())
            last = document
        if last is not None and ends - time.monotonic() < LAST_SECONDS:
            _tell_what_remains(last, log)  # it may just be slow, and nothing more can be done
            return False
        log.warning("the agent has gone: draining without it")
    else:
        log.warning("no agent is running: draining without it")
    return _drain_here(config, log, ends - time.monotonic())


def remove_what_is_left(config: Config, log: EventLog) -> bool:
    """After the stop: take the VM out if a drain was skipped, at once and best effort."""
    if not config.register or last_registrations(config.data_dir / FILE_NAME) == 0:
        return True
    quick = replace(
        config.drain,
        timeout_seconds=QUICK_SECONDS,
        min_wait_seconds=0.0,
        method="remove",
        ignore_cidrs=EVERYONE,  # nobody is waited for
    )
    return _drain_here(replace(config, drain=quick), log, QUICK_SECONDS)


def hold(config: Config, log: EventLog) -> bool:
    """Weight 0 until `resume`; whether it is so already."""
    _set(markers.hold(config.data_dir), log)
    if not _order(config, Order.HOLD):
        log.warning("no agent is running: it will hold this VM when it starts")
        return False
    return _seen(config, log, _is_held)


def _is_held(group: Mapping[str, Any]) -> bool:
    """Whether it gets no new connections, or nothing can be done about it."""
    return group["weight"] in (None, 0) or bool(group.get("read_only"))


def resume(config: Config, log: EventLog) -> bool:
    """End a drain and a hold; whether the agent took it."""
    for marker in (markers.draining(config.data_dir), markers.hold(config.data_dir)):
        marker.clear()
    if not _order(config, Order.RESUME):
        log.warning("no agent is running: it will serve when it starts")
        return False
    return _seen(config, log, lambda group: group["in_service"] or not group["wanted"])


def prepare_start(config: Config) -> None:
    """What pre-start does beside checking: a new start ends a drain. Raises OSError."""
    markers.draining(config.data_dir).clear()
    _order(config, Order.START)


def wait(config: Config, log: EventLog) -> bool:
    """Until the VM is in service in every server group, for post_start.timeout at most."""
    if not config.register:
        return True
    ends = time.monotonic() + config.post_start.timeout_seconds
    said: list[str] = []
    while True:
        reasons, bad_files = _not_ready(config)
        if not reasons:
            for file in bad_files:
                log.warning("not all of a co-located job's file counts", **file)
            log.info("in service in every server group")
            return True
        if reasons != said:
            log.info("waiting to be in service", because="; ".join(reasons))
            said = reasons
        if time.monotonic() + POLL_SECONDS >= ends:
            for reason in reasons:
                log.error("not in service", because=reason)
            return False
        time.sleep(POLL_SECONDS)


def healthy(config: Config) -> bool:
    """For BOSH DNS: false only while draining or when the local check fails."""
    if not config.dns_enabled:
        return True
    if markers.draining(config.data_dir).since() is not None:
        return False
    try:
        document = ask_status(config.run_dir / "agent.sock")
    except NotRunningError:
        return True
    failing = any(check["health"] == "unhealthy" for check in document["local_checks"])
    return document["drain"] is None and not failing


def _set(marker: Marker, log: EventLog) -> None:
    try:
        marker.set(time.time())
    except OSError as error:
        log.warning(f"cannot write {marker.path}: {error.strerror}; a restart will not know of it")


def _order(config: Config, order: Order, *, timeout_seconds: float = ASK_SECONDS) -> bool:
    """Whether a running agent took the order."""
    socket = config.run_dir / "agent.sock"
    try:
        ask(socket, "POST", f"/{order.value}", timeout_seconds=timeout_seconds)
    except NotRunningError:
        return False
    return True


def _outer(timeout_seconds: float) -> float:
    return min(OUTER_SECONDS, timeout_seconds * OUTER_SHARE)


def _statuses(config: Config, ends: float, log: EventLog) -> Iterator[Mapping[str, Any]]:
    """The agent's status again and again until it stops answering; tells the progress."""
    said: object = None
    while (left := ends - time.monotonic()) > 0:
        try:
            # Half of what is left: without an answer there is the rest to do without the agent.
            patience = min(ASK_SECONDS, left / 2)
            document = ask_status(config.run_dir / "agent.sock", timeout_seconds=patience)
        except NotRunningError:
            return
        drain = document["drain"]
        if drain is not None:
            news = {"stage": drain["stage"], "connections": drain["connections"]}
            if news != said:
                log.info("drain", **news)
                said = news
        yield document
        time.sleep(POLL_SECONDS)


def _drain_here(config: Config, log: EventLog, seconds: float) -> bool:
    """Drain in this process; `seconds` bounds it, whatever hangs."""
    # The removal must begin before the drain is broken off.
    timeout = config.drain.timeout_seconds
    timeout = max(0.1, timeout - _outer(timeout) - CLOSING_SECONDS)
    agent = Agent(replace(config, drain=replace(config.drain, timeout_seconds=timeout)), log)
    stop = threading.Event()
    attempt = _Attempt(
        lambda: agent.drain(stop, patience_seconds=min(METADATA_SECONDS, seconds / 4))
    )
    attempt.start()
    closing = min(CLOSING_SECONDS, max(0.1, seconds / 2))
    attempt.join(max(0.1, seconds - closing))
    stop.set()
    attempt.join(closing)
    if isinstance(attempt.error, (IdentityError, MetadataError)):
        log.error(f"cannot drain: {attempt.error}")
        return False
    if attempt.error is not None:
        raise attempt.error
    document = agent.document()
    if document["state"] == "drained":
        log.info("drained")
        return True
    _tell_what_remains(document, log)
    return False


class _Attempt(threading.Thread):
    """Something that may hang, for a caller who has only so much time."""

    def __init__(self, task: Callable[[], None]) -> None:
        super().__init__(name="attempt", daemon=True)
        self.error: Exception | None = None
        self._task = task

    def run(self) -> None:
        """Do it, and keep what it raises for the caller."""
        try:
            self._task()
        except Exception as error:  # noqa: BLE001 - the caller raises it
            self.error = error


def _tell_what_remains(document: Mapping[str, Any], log: EventLog) -> None:
    # A group that was never read is one of them.
    left = [group for group in document["groups"] if group["state"] != "drained"]
    for group in left:
        log.error(
            "not drained in time: this VM may still be in rotation",
            group=group["name"],
            weight=group["weight"],
            error=group["last_error"],
        )
    if not left:
        log.error(
            "not drained in time: not all server groups of this VM are known",
            error=document["error"],
        )


def _seen(config: Config, log: EventLog, wanted: Callable[[Mapping[str, Any]], bool]) -> bool:
    """Wait until every group is as wanted; tells those that are not."""
    ends = time.monotonic() + SETTLE_SECONDS
    groups: list[Mapping[str, Any]] = []
    for document in _statuses(config, ends, log):
        groups = [group for group in document["groups"] if not wanted(group)]
        if not groups:
            return True
    for group in groups:
        log.warning("not yet", group=group["name"], state=group["state"], error=group["last_error"])
    return False


def _not_ready(config: Config) -> tuple[list[str], list[dict[str, str]]]:
    """Why the VM is not in service everywhere, one reason a group; and the files that are bad.

    A bad file of a co-located job fails no deploy: what it may ask for is not known.
    """
    try:
        document = ask_status(config.run_dir / "agent.sock")
    except NotRunningError as error:
        return [str(error)], []
    groups = [group for group in document["groups"] if group["wanted"]]
    reasons = [f"{group['name']}: {why}" for group in groups if (why := _why(group))]
    if not groups:
        reasons.append(document["error"] or "no server group is known yet")
    files = document["dynamic_configs"]
    return reasons, [
        {"file": file["file"], "because": file["problem"]} for file in files if file["problem"]
    ]


def _why(group: Mapping[str, Any]) -> str | None:
    if group["last_error"]:
        return str(group["last_error"])
    if not group["in_service"]:
        return f"{group['state']}, weight {group['weight']}"
    if group["weight"] == 0:
        return None  # as configured; SLB may not check such a server at all
    if not group["health_known"]:
        return "what SLB says of its health is not known yet"
    waiting = [
        f"{item['listener']} is {item['status']}"
        for item in group["health"]
        if item["status"] not in ("normal", "not checked")
    ]
    return ", ".join(waiting) or None
