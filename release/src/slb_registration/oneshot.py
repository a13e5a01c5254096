"""Commands that only speak to the running agent: hold, resume, healthy, and pre-start's part.

An order is also a marker file, so that the agent finds it again after a restart. Nothing here needs
the SDK, which takes a tenth of a second to import: BOSH DNS asks `healthy` every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slb_registration import markers
from slb_registration.config import Config
from slb_registration.control import NotRunningError, ask, ask_status
from slb_registration.log import EventLog
from slb_registration.markers import Marker
from slb_registration.orders import Order
from slb_registration.status_document import read

POLL_SECONDS = 0.25
ASK_SECONDS = 5.0
"""How long an agent that hangs is waited for, where there is time for it."""

SETTLE_SECONDS = 15.0
"""How long hold and resume take to give the order, and to see what came of it."""


def hold(config: Config, log: EventLog) -> bool:
    """Weight 0 until `resume`; whether it is so already."""
    ends = time.monotonic() + SETTLE_SECONDS
    marker = markers.hold(config.data_dir, config.run_dir)
    write(marker, lambda: marker.set(time.time()), log)
    if not give(config, Order.HOLD):
        log.warning("no agent is running: it will hold this VM when it starts")
        return False
    return _seen(config, ends, log, lambda group: group["out"])


def resume(config: Config, log: EventLog) -> bool:
    """End a drain and a hold; whether this VM is in service again already."""
    ends = time.monotonic() + SETTLE_SECONDS
    for marker in (
        markers.draining(config.data_dir, config.run_dir),
        markers.hold(config.data_dir, config.run_dir),
    ):
        marker.clear()
    if not give(config, Order.RESUME):
        log.warning("no agent is running: it will serve when it starts")
        return False
    return _seen(config, ends, log, lambda group: group["in_service"] or not group["wanted"])


def prepare_start(config: Config) -> None:
    """What pre-start does beside checking: a new start ends a drain. Raises OSError."""
    markers.draining(config.data_dir, config.run_dir).clear()
    give(config, Order.START)


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


def write(marker: Marker, how: Callable[[], OSError | None], log: EventLog) -> None:
    """A marker that cannot be written stops no order: the agent that runs takes it all the same."""
    forgets = "a reboot"  # of what is kept in memory
    try:
        why = how()
    except OSError as error:
        why, forgets = error, "a restart"
    if why is not None:
        log.warning(f"cannot write {marker.path}: {why.strerror}; {forgets} will not know of it")


def give(config: Config, order: Order, *, timeout_seconds: float = ASK_SECONDS) -> bool:
    """Whether a running agent took the order."""
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


def _seen(
    config: Config, ends: float, log: EventLog, wanted: Callable[[Mapping[str, Any]], bool]
) -> bool:
    """Wait until every group is as wanted, and all are known; tells those that are not."""
    document: Mapping[str, Any] | None = None
    groups: list[Mapping[str, Any]] = []
    for document in statuses(config, ends, log):
        groups = [group for group in document["groups"] if not wanted(group)]
        if not groups and document["complete"]:
            return True
    if document is None:
        log.warning("the agent took the order, and does not tell what came of it")
        return False
    for group in groups:
        log.warning("not yet", group=group["name"], state=group["state"], error=group["last_error"])
    if not document["complete"]:
        because = document["error"] or document["under_way"]
        log.warning("not all server groups of this VM are known", because=because)
    return False
