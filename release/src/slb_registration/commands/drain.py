"""Taking this VM out: by the agent that runs, or in this process where none answers.

Only the latter needs the SDK, which takes a tenth of a second to import: it is imported there.
"""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slb_registration.commands.orders import ASK_SECONDS, POLL_SECONDS, give, statuses, write
from slb_registration.instance import markers
from slb_registration.instance.markers import Stop
from slb_registration.model.configuration import Config
from slb_registration.model.orders import Order
from slb_registration.reconcile.dry_run import OBSERVES
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.threads import NoThreadError, spawn

OUTER_SECONDS = 1.0
OUTER_SHARE = 0.1
"""Of a drain's time, what is kept for the start and the end of this process: a share, this much
at most."""

LAST_SECONDS = 0.5
"""With less than this left, draining without the agent is not begun any more."""

CLOSING_SECONDS = 2.5
"""Of a drain's time, what is left for calls under way when it is broken off."""

LAST_TRY_SHARE = 0.1
"""Of a drain's time, what pre-stop leaves for a last try by the drain after it: a share, as much as
the closing takes at most."""

NEVER_IN = "nothing to drain: no registration of this VM was ever confirmed"
"""What is said of a VM that never got in, and cannot be looked up: that must not keep it from being
stopped, and so repaired."""

MAY_BE_IN = "a call that registers it was not answered, so it may be in"

QUICK_SECONDS = 8.0
METADATA_SECONDS = 5.0
EVERYONE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


AWAITING_DRAIN = "awaiting drain"
"""The value of drain.Stage for that; this module does without what the drain needs."""


class Caller(enum.Enum):
    """The caller of a drain.

    BOSH runs every job's pre-stop and then every job's drain, and they have one drain.timeout
    together; what other jobs take in between is not of it.
    """

    PRE_STOP = "pre-stop"  # until no new connections come
    DRAIN = "drain"  # goes on with what is left of the time
    BY_HAND = "by hand"

    @property
    def order(self) -> Order:
        """Return what the agent is told."""
        return Order.PRE_STOP if self is Caller.PRE_STOP else Order.DRAIN


def drain(
    config: Config, log: EventLog, caller: Caller = Caller.BY_HAND, *, returns: bool = False
) -> bool:
    """Take the VM out, or only out of rotation before a stop; whether it is.

    `returns`: this VM comes back (in pre-stop), and this job on it (in drain): then it may keep its
    place. Ends within drain.timeout, or what is left of it.
    """
    if config.observes:  # and leaves no marker of a drain that nobody makes
        log.info(OBSERVES, because="who registered this VM takes it out")
        return True
    began = time.monotonic()
    seconds = _seconds(config, log, caller, returns=returns)
    if not config.register:
        return True
    done = False
    try:
        done = _drain(config, log, caller, began + seconds)
    finally:
        _note_the_end(config, caller, time.monotonic() - began, done=done)
    return done


def _drain(config: Config, log: EventLog, caller: Caller, ends: float) -> bool:
    seconds = ends - time.monotonic()
    knows_by = time.monotonic() + min(METADATA_SECONDS, seconds / 4)
    if give(config, caller.order, timeout_seconds=min(ASK_SECONDS, seconds / 4)):
        last = None
        for document in statuses(config, ends, log):
            if _is_done(caller, document):
                _tell_the_end(document, log)
                return True
            if last is not None and last["drain"] is not None and _is_over(config, document):
                log.warning("an operator ended this drain with resume: the VM stays in rotation")
                return False
            if time.monotonic() + POLL_SECONDS >= ends:
                _tell_what_remains(caller, document, log)
                return False
            if document["instance_id"] is None and time.monotonic() >= knows_by:
                log.warning("the agent does not know which VM this is: draining without it")
                return _drain_here(config, log, caller, ends)
            last = document
        if last is not None and ends - time.monotonic() < LAST_SECONDS:
            # It may just be slow, and nothing more can be done.
            _tell_what_remains(caller, last, log)
            return False
        log.warning("the agent has gone: draining without it")
    else:
        log.warning("no agent is running: draining without it")
    return _drain_here(config, log, caller, ends)


def _is_done(caller: Caller, document: Mapping[str, Any]) -> bool:
    drain = document["drain"]
    if caller is Caller.PRE_STOP and drain is not None and drain["stage"] == AWAITING_DRAIN:
        return True
    return bool(document["state"] == "drained")


def _is_over(config: Config, document: Mapping[str, Any]) -> bool:
    """Return whether a drain was ended. An agent that has just started may not know of it yet."""
    marker = markers.draining(config.data_dir, config.run_dir)
    return document["drain"] is None and marker.since() is None


def _seconds(config: Config, log: EventLog, caller: Caller, *, returns: bool) -> float:
    """Return how long this process may take; writes the marker, before anything is ordered."""
    timeout = config.drain.timeout_seconds
    whole = timeout - _outer(timeout)
    last_try = min(CLOSING_SECONDS, whole * LAST_TRY_SHARE)
    now = time.time()
    marker = markers.draining(config.data_dir, config.run_dir)
    before = _before(marker.read(), caller, now, timeout)
    if before is None:
        pre_stop = caller is Caller.PRE_STOP
        stop = Stop(now, drain_follows=pre_stop, keep=pre_stop and returns and _may_keep(config))
        write(marker, lambda: marker.begin(stop), log)
    elif caller is Caller.DRAIN or before.keep:  # which the next drain does not follow
        stop = before.drain_begins(now, returns=caller is Caller.DRAIN and returns)
        write(marker, lambda: marker.begin(stop), log)
    if caller is Caller.PRE_STOP:
        return whole - last_try
    if before is None:
        return whole
    left = whole - before.spent(now)
    if left <= last_try + 2 * POLL_SECONDS:
        log.info("drain.timeout is used up: this is the last try")
    return max(left, last_try)


def _before(stop: Stop | None, caller: Caller, now: float, timeout: float) -> Stop | None:
    """The stop that this goes on with; None for a drain that has its time for itself.

    A stop that is repeated, since another job failed or the API was dead, must not find its time
    used up by the one before it.
    """
    if stop is None or caller is Caller.PRE_STOP:
        return None
    if caller is Caller.DRAIN:
        return stop if stop.drain_follows else None
    return stop if 0 <= now - stop.since < timeout else None


def _may_keep(config: Config) -> bool:
    """Return whether a VM that comes back is to stay registered.

    Without weights it gets requests.
    """
    return config.drain.keep_registered == "auto" and config.drain.method == "weight_zero"


def _note_the_end(config: Config, caller: Caller, used: float, *, done: bool) -> None:
    """Tell the drain after this pre-stop what there is left of drain.timeout, and post-stop whether
    the drain has left this VM its place."""
    marker = markers.draining(config.data_dir, config.run_dir)
    stop = marker.read()
    if stop is None:  # an operator ended it
        return
    if caller is Caller.PRE_STOP:
        ended = replace(stop, used=used) if stop.drain_follows else stop
    else:
        ended = replace(stop, kept=stop.keep and done and caller is Caller.DRAIN)
    if ended != stop:
        # Where it cannot be written that was said as it began: the drain has less time, or the VM
        # is removed.
        with contextlib.suppress(OSError):
            marker.begin(ended)


def remove_what_is_left(config: Config, log: EventLog) -> bool:
    """After the stop: take the VM out if a drain was skipped, at once and best effort."""
    if config.observes:
        return True
    from slb_registration.instance.journal_file import FILE_NAME, last_registrations  # noqa: PLC0415

    stop = markers.draining(config.data_dir, config.run_dir).read()
    if stop is not None and stop.kept:
        return True
    if not config.register or last_registrations(config.data_dir / FILE_NAME) == 0:
        return True
    quick = replace(
        config.drain,
        timeout_seconds=QUICK_SECONDS,
        min_wait_seconds=0.0,
        method="remove",
        ignore_cidrs=EVERYONE,  # nobody is waited for
    )
    ends = time.monotonic() + QUICK_SECONDS
    return _drain_here(replace(config, drain=quick), log, Caller.BY_HAND, ends)


def _drain_here(config: Config, log: EventLog, caller: Caller, ends: float) -> bool:
    """Drain in this process, until `ends` on the monotonic clock at most, whatever hangs."""
    from slb_registration.agent.process import Agent  # noqa: PLC0415
    from slb_registration.instance.journal_file import FILE_NAME, unconfirmed  # noqa: PLC0415
    from slb_registration.instance.metadata import IdentityError, MetadataError  # noqa: PLC0415

    seconds = ends - time.monotonic()
    # The removal must begin before the drain is broken off.
    timeout = config.drain.timeout_seconds
    timeout = max(0.1, timeout - _outer(timeout) - CLOSING_SECONDS)
    agent = Agent(replace(config, drain=replace(config.drain, timeout_seconds=timeout)), log)
    closing = min(CLOSING_SECONDS, max(0.1, seconds / 2))
    stop = _Until(time.monotonic() + max(0.1, seconds - closing))
    attempt = _Attempt(
        lambda: agent.drain(caller.order, stop, patience_seconds=min(METADATA_SECONDS, seconds / 4))
    )
    attempt.wait(stop.left)
    stop.set()
    attempt.wait(closing)
    if isinstance(attempt.error, IdentityError):
        begun = unconfirmed(config.data_dir / FILE_NAME)
        if begun is not None:
            log.warning(NEVER_IN, **_because({str(attempt.error)}, begun))
            return True
    if isinstance(attempt.error, (IdentityError, MetadataError)):
        log.error(f"cannot drain: {attempt.error}")
        return False
    if attempt.error is not None:
        raise attempt.error
    document = agent.document()
    if _is_done(caller, document):
        _tell_the_end(document, log)
        return True
    _tell_what_remains(caller, document, log)
    return False


def without_configuration(data_dir: Path) -> str | None:
    """Return what to say where a drain has no configuration, and no registration was ever
    confirmed.

    None where one was or may have been: then nobody knows how to take this VM out.
    """
    from slb_registration.instance.journal_file import FILE_NAME, unconfirmed  # noqa: PLC0415

    begun = unconfirmed(data_dir / FILE_NAME)
    if begun is None:
        return None
    return NEVER_IN + (f"; {MAY_BE_IN} {', '.join(begun)}" if begun else "")


class _Until(threading.Event):
    """Sets itself at that moment of the monotonic clock, for whoever asks."""

    def __init__(self, ends: float) -> None:
        super().__init__()
        self._ends = ends

    @property
    def left(self) -> float:
        """The seconds until then."""
        return max(0.0, self._ends - time.monotonic())

    def is_set(self) -> bool:
        """Return whether it is told, or time, to end."""
        return super().is_set() or self.left == 0.0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for that; whether it is so."""
        super().wait(self.left if timeout is None else min(timeout, self.left))
        return self.is_set()


class _Attempt:
    """Something that may hang, for a caller who has only so much time. It begins at once.

    Where no thread can be had, the caller itself waits for it.
    """

    def __init__(self, task: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self._task = task
        self._over = threading.Event()
        try:
            spawn("attempt", self._run)
        except NoThreadError:
            self._run()

    def wait(self, seconds: float) -> None:
        """Wait for its end, but no longer."""
        self._over.wait(seconds)

    def _run(self) -> None:
        """Do it, and keep what it raises for the caller."""
        try:
            self._task()
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            self.error = error
        finally:
            self._over.set()


def _tell_the_end(document: Mapping[str, Any], log: EventLog) -> None:
    if document["state"] != "drained":
        log.info("out of rotation; drain waits for connections, and removes")
        return
    _tell_what_was_left_alone(document, log)
    log.info("drained")


def _tell_what_was_left_alone(document: Mapping[str, Any], log: EventLog) -> None:
    """In one line: where this VM was never seen and cannot be looked up, and why."""
    barred = [group for group in document["groups"] if group.get("barred")]
    reasons = {group["barred"] for group in barred}
    if document.get("barred"):
        reasons.add(document["error"])
    if reasons:
        begun = [group["name"] for group in barred if group["begun"]]
        groups = [group["name"] for group in barred]
        log.warning(NEVER_IN, groups=groups, **_because(reasons, begun))


def _because(reasons: Collection[str], begun: Collection[str]) -> dict[str, object]:
    because = "; ".join(sorted(reasons))
    return {"because": f"{because}; {MAY_BE_IN} {', '.join(begun)}" if begun else because}


def _tell_what_remains(caller: Caller, document: Mapping[str, Any], log: EventLog) -> None:
    # A group that was never read is one of them, but not one in which this VM never was.
    groups = [group for group in document["groups"] if not group.get("barred")]
    left = [group for group in groups if group["state"] != "drained"]
    if caller is Caller.PRE_STOP:
        left = [group for group in left if not group["out"]]
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


def _outer(timeout_seconds: float) -> float:
    return min(OUTER_SECONDS, timeout_seconds * OUTER_SHARE)
