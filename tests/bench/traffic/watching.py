"""Watches real server groups by the agent's own adapters: reads, and changes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.bench.traffic.real_file import RealCloud, RealCloudError
from tests.bench.traffic.vm import Event

from slb_registration.cloud.client import Cloud
from slb_registration.cloud.connect import credentials_from
from slb_registration.cloud.credentials import Source
from slb_registration.instance.metadata import Metadata
from slb_registration.model.errors import ApiError
from slb_registration.model.server_group import ServerGroup
from slb_registration.server_groups.open import open_group
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.net.endpoint import DEFAULT_METADATA

WATCH_SECONDS = 3.0
"""Between two looks. One costs a read, and for its health one for each listener."""

State = Mapping[tuple[str, str], str]
"""What is told of each server: by its id and what it is about."""


def connected(real: RealCloud) -> Cloud:
    """A client of the API that refuses to call what is no read."""
    log = EventLog()

    def cloud(source: Source) -> Cloud:
        return Cloud(
            source,
            real.region,
            endpoints=real.endpoints,
            network=real.network,
            ca_bundle=real.ca_bundle,
            observes=True,
        )

    metadata = Metadata(DEFAULT_METADATA, ca_bundle=real.ca_bundle)
    return cloud(
        credentials_from(real.credentials, metadata, lambda source: cloud(source).call, log)
    )


def opened(real: RealCloud) -> list[ServerGroup]:
    """The groups, each looked at once. Raises RealCloudError where one cannot be."""
    if not real.groups:
        return []
    cloud = connected(real)
    found = [open_group(cloud, spec) for spec in real.groups]
    for group in found:
        try:
            group.find()
            group.health()
        except ApiError as error:
            raise RealCloudError(f"server group {group.name} cannot be read: {error}") from None
    return found


@contextmanager
def watching(groups: Sequence[ServerGroup], events: list[Event]) -> Iterator[None]:
    """Take note of each change that is seen meanwhile, and of what there was at first."""
    stop = threading.Event()

    def watch(group: ServerGroup) -> None:
        known: State = {}
        while True:
            seen = _look(group, known, stop)
            events.extend(_changes(group.name, known, seen))
            known = seen
            if stop.wait(WATCH_SECONDS):
                return

    # Ctrl-C does not wait for calls that are under way.
    threads = [threading.Thread(target=watch, args=(group,), daemon=True) for group in groups]
    for thread in threads:
        thread.start()
    try:
        yield
        stop.set()
        for thread in threads:
            thread.join()
    finally:
        stop.set()


def _look(group: ServerGroup, known: State, stop: threading.Event) -> State:
    """What is told of the group now; where it cannot be read, what was known, and why."""
    try:
        servers = group.find().servers
        health = group.health(lambda: not stop.is_set())
    except ApiError as error:
        trouble = {("", "cannot be read"): str(error)}
        return {key: said for key, said in known.items() if key[0]} | trouble
    if health is None:  # nobody waits for it any more
        return known
    weights = {(one.server_id, _weight(one.port)): str(one.weight) for one in servers}
    words = {
        (one.server_id, one.listener): one.status if one.checked else "not checked"
        for one in health
    }
    return weights | words


def _weight(port: int | None) -> str:
    return "weight" if port is None else f"weight at port {port}"


def _changes(group: str, known: State, seen: State) -> Iterator[Event]:
    now = time.time()
    for server, about in sorted(known.keys() | seen.keys()):
        before, after = known.get((server, about)), seen.get((server, about))
        if before != after:
            yield Event(now, server, f"{group}: {about} {after or 'gone'}")
