"""Commands that only speak to the running agent: hold, resume, healthy, and pre-start's part.

An order is also a marker file, so that the agent finds it again after a restart. Nothing here needs
the SDK, which takes a tenth of a second to import: BOSH DNS asks `healthy` every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slb_registration.agent import readiness_address
from slb_registration.commands.client import NotRunningError, ask, ask_status
from slb_registration.commands.status_table import next_text
from slb_registration.instance import last_answer, markers
from slb_registration.instance.markers import Marker
from slb_registration.model.configuration import Config
from slb_registration.model.orders import Order
from slb_registration.reconcile.dry_run import OBSERVES, ObservesError
from slb_registration.reporting.received import read
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.timestamps import timestamp

POLL_SECONDS = 0.25
BEFORE_SECONDS = 1.0
"""How long an order may wait to be told what was before it."""

ASK_SECONDS = 5.0
"""How long an agent that hangs is waited for, where there is time for it."""

SETTLE_SECONDS = 15.0
"""How long hold and resume take to give the order, and to see what came of it."""


def hold(
    config: Config, log: EventLog, seconds: float | None = None, reason: str | None = None
) -> bool:
    """Weight 0 for so long (None: until `resume`), in place of any hold before.

    Returns whether it is so already. Tells what was, and what came of it. Raises ObservesError.
    """
    if config.observes:
        raise ObservesError("nothing is held; take this VM out with what has registered it")
    ends = time.monotonic() + SETTLE_SECONDS
    _tell_before(config, log)
    marker = markers.hold(config.data_dir, config.run_dir)
    now = time.time()
    until = None if seconds is None else now + seconds
    written = write(marker, lambda: marker.begin(now, until, reason), log)
    if written and until is not None:
        log.info("the agent resumes by itself", at=timestamp(until))
    elif until is not None:
        log.warning("nor can its end be noted: it lasts until resume, or as the one before it")
    if not give(config, Order.HOLD):
        log.warning("no agent is running: it will hold this VM when it starts")
        return False
    return _seen(config, ends, log, lambda group: group["out"], "out of rotation")


def resume(config: Config, log: EventLog) -> bool:
    """End a drain and a hold; whether this VM is in service again already. Tells as `hold` does.

    One that only observes stays as it is registered.
    """
    ends = time.monotonic() + SETTLE_SECONDS
    _tell_before(config, log)
    for marker in (
        markers.draining(config.data_dir, config.run_dir),
        markers.hold(config.data_dir, config.run_dir),
    ):
        marker.clear()
    if not give(config, Order.RESUME):
        log.warning("no agent is running: it will serve when it starts")
        return False
    if config.observes:
        log.info(OBSERVES)
        return True
    return _seen(
        config, ends, log, lambda group: group["in_service"] or not group["wanted"], "in service"
    )


def prepare_start(config: Config) -> None:
    """Begin a new start, as pre-start does beside checking: it ends a drain. Raises OSError, and
    readiness_address.CannotListenError."""
    markers.draining(config.data_dir, config.run_dir).clear()
    if not give(config, Order.START):
        last_answer.forget(config.run_dir)
        readiness_address.try_out(config)


def healthy(config: Config) -> bool:
    """For BOSH DNS: false only while draining or when the local check fails."""
    if not config.dns_enabled:
        return True
    if markers.draining(config.data_dir, config.run_dir).since() is not None:
        return False
    try:
        document = read(ask_status(config.run_dir / "agent.sock"))
    except NotRunningError:
        return True
    failing = any(check["health"] == "unhealthy" for check in document["local_checks"])
    return document["drain"] is None and not failing


def write(marker: Marker, how: Callable[[], OSError | None], log: EventLog) -> bool:
    """Return whether it could be written, perhaps to memory only.

    A marker that cannot be written stops no order: the agent that runs takes it all the same.
    """
    forgets, written = "a reboot", True  # of what is kept in memory
    try:
        why = how()
    except OSError as error:
        why, forgets, written = error, "a restart", False
    if why is not None:
        log.warning(f"cannot write {marker.path}: {why.strerror}; {forgets} will not know of it")
    return written


def give(config: Config, order: Order, *, timeout_seconds: float = ASK_SECONDS) -> bool:
    """Return whether a running agent took the order."""
    socket = config.run_dir / "agent.sock"
    try:
        ask(socket, "POST", f"/{order.value}", timeout_seconds=timeout_seconds)
    except NotRunningError:
        return False
    return True


def statuses(config: Config, ends: float, log: EventLog) -> Iterator[Mapping[str, Any]]:
    """The agent's status again and again until it stops answering; tells the progress."""
    said: object = None
    while (left := ends - time.monotonic()) > 0:
        try:
            # Half of what is left: without an answer there is the rest to do without the agent.
            patience = min(ASK_SECONDS, left / 2)
            document = read(ask_status(config.run_dir / "agent.sock", timeout_seconds=patience))
        except NotRunningError:
            return
        drain = document["drain"]
        if drain is not None:
            news = {"stage": drain["stage"], "connections": drain["connections"]}
            if news != said:
                log.info("drain", **news)
                said = news
        yield document
        time.sleep(max(0.0, min(POLL_SECONDS, ends - time.monotonic())))


def _tell_before(config: Config, log: EventLog) -> None:
    """In which state the order finds this VM; an agent that hangs does not delay it for long."""
    try:
        socket = config.run_dir / "agent.sock"
        document = read(ask_status(socket, timeout_seconds=BEFORE_SECONDS))
    except NotRunningError:
        return  # which giving the order tells
    but = {"but": document["although"]} if document["although"] else {}
    log.info("before this order", state=document["state"], **but)


def _seen(
    config: Config,
    ends: float,
    log: EventLog,
    wanted: Callable[[Mapping[str, Any]], bool],
    what: str,
) -> bool:
    """Wait until every group is as wanted, and all are known; tells `what` of each that is, and
    why of each that is not."""
    document: Mapping[str, Any] | None = None
    done = False
    for document in statuses(config, ends, log):
        done = bool(document["complete"]) and all(map(wanted, document["groups"]))
        if done:
            break
    if document is None:
        log.warning("the agent took the order, and does not tell what came of it")
        return False
    for group in document["groups"]:
        if not wanted(group):
            _tell_what_hinders(group, document["time_seconds"], log)
        elif group["wanted"]:
            log.info(what, group=group["name"], weight=group["weight"])
    if not document["complete"]:
        because = document["error"] or document["under_way"]
        log.warning("not all server groups of this VM are known", because=because)
    if done:
        everywhere = f"{what} in every server group"
        log.info(everywhere if document["groups"] else "this VM is in no server group")
    else:
        log.info("the order stands, and the agent goes on with it")
    return done


def _tell_what_hinders(group: Mapping[str, Any], now: float | None, log: EventLog) -> None:
    because = group["reason"] if group["reason"] != group["last_error"] else None
    fields = {
        "weight": group["weight"],
        "error": group["last_error"],
        "because": because,
        "next": None if group["next"] is None else next_text(group["next"], now),
    }
    told = {name: value for name, value in fields.items() if value is not None}
    log.warning("not yet", group=group["name"], state=group["state"], **told)
