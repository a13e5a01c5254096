"""Which load balancers carry our tags: asked in a thread of its own, for as long as we run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random

from slb_registration import pacing
from slb_registration.config import Discovery, GroupSpec
from slb_registration.errors import ApiError
from slb_registration.log import EventLog

DEFAULT_WEIGHT = 100
List = Callable[[], tuple[str, ...]]
"""Lists the ids of the load balancers with our tags; raises ApiError."""


def specs(load_balancer_ids: tuple[str, ...]) -> tuple[GroupSpec, ...]:
    """The default groups of these load balancers, as if the manifest named them."""
    return tuple(
        GroupSpec(
            product="clb",
            load_balancer_id=id_,
            vserver_group_id=None,
            port=None,
            weight=DEFAULT_WEIGHT,
            description=None,
        )
        for id_ in load_balancer_ids
    )


def tags_text(config: Discovery) -> str:
    """The tags as an operator would write them."""
    return ", ".join(f"{key}={value}" for key, value in sorted(config.tags.items()))


class Discoverer:
    """Looks again and again. One that was found once stays: a listing may be stale or partial."""

    def __init__(
        self,
        config: Discovery,
        region: str,
        list_ids: List,
        on_found: Callable[[GroupSpec], None],
        log: EventLog,
        *,
        retry_seconds: float,
        random: Random,
    ) -> None:
        """While nothing is found it looks every `retry_seconds`, stretched to the interval."""
        self.found: tuple[str, ...] = ()
        self.error: str | None = None
        self.looked = False
        self._config = config
        self._region = region
        self._list_ids = list_ids
        self._on_found = on_found
        self._log = log
        self._retry_seconds = retry_seconds
        self._random = random
        self._failures = 0
        self._empty = 0

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            stop.wait(self.look())

    def look(self) -> float:
        """Ask once; returns the seconds until the next time."""
        try:
            ids = self._list_ids()
        except ApiError as error:
            return self._failed(error)
        self.looked = True
        self._failures = 0
        self.error = None
        for spec in specs(tuple(id_ for id_ in ids if id_ not in self.found)):
            self._log.info(
                "load balancer found by its tags",
                load_balancer=spec.load_balancer_id,
                tags=tags_text(self._config),
            )
            self._on_found(spec)
        self.found = tuple(sorted({*self.found, *ids}))
        return self._until_next()

    def _failed(self, error: ApiError) -> float:
        self._failures += 1
        seconds = pacing.after_failure(error, self._failures, self._random)
        text = str(error)
        if text != self.error:
            self.error = text
            self._log.warning("cannot look for load balancers", error=text)
        return seconds

    def _until_next(self) -> float:
        if self.found:
            self._empty = 0
            return pacing.until_next_poll(self._config.interval_seconds, 0, self._random)
        self.error = (
            f"no load balancer in region {self._region} carries the tags {tags_text(self._config)}"
        )
        if self._empty == 0:
            self._log.warning(
                "no load balancer carries the tags: looking again",
                tags=tags_text(self._config),
                region=self._region,
            )
        self._empty += 1
        retry = min(self._retry_seconds, self._config.interval_seconds)
        return pacing.until_next_poll(retry, self._empty - 1, self._random)
