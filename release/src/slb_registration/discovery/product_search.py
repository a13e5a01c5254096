"""One product's part of the search by tags: what was listed, what has gone from the listings."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from random import Random

from slb_registration.discovery.selection import Choice
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.errors import ApiError
from slb_registration.model.operations import NEVER
from slb_registration.pacing import backoff
from slb_registration.server_groups.tagged import Listing, Tagged
from slb_registration.support.logs.event_log import EventLog

LISTINGS_TO_LEAVE = 3
SECONDS_TO_LEAVE = 900.0
"""How many listings, over how long, must show a thing without its tags before it is left."""

TRIES_BEFORE_GIVING_UP = 3
"""After so many failures a drain waits no longer for it: the journal knows what we joined."""


@dataclass
class _Missing:
    """A thing that is not listed any more: since when, and how often it was seen without tags."""

    since: float
    times: int


class ProductSearch:
    """The state of one product's listing. Times are those of one monotonic clock, in seconds."""

    def __init__(
        self, product: str, listing: Listing, log: EventLog, random: Random, said: set[str]
    ) -> None:
        """`said`, shared by all products: what is wrong with the keys or the clock is said once.

        `taken`: whether what was listed first is joined, as far as it is to be. `barred`: whether
        only a person can let the listing through that has failed last. `account_wide`: whether that
        failure is every other product's, too.
        """
        self.product = product
        self.listed = False
        self.taken = False
        self.error: str | None = None
        self.barred = False
        self.account_wide = False
        self.due = NEVER
        self.asked_at = NEVER
        self.choices: dict[str, Choice] = {}
        self._listing = listing
        self._log = log
        self._random = random
        self._failures = 0
        self._hopeless = False
        self._said: str | None = None
        self._said_for_all = said
        self._last: dict[str, Tagged] = {}
        self._gone: set[str] = set()
        self._missing: dict[str, _Missing] = {}

    def know(self, spec: GroupSpec) -> None:
        """Take on what an earlier start has found and joined."""
        thing = Tagged(self.product, spec.server_group_id or spec.load_balancer_id or "")
        if thing.id:
            self.choices[thing.id] = Choice(thing, "found by its tags at an earlier start", spec)

    @property
    def given_up(self) -> bool:
        """Return whether there is no point in waiting for a first listing."""
        return self._hopeless or self._failures >= TRIES_BEFORE_GIVING_UP

    def ask(self, now: float) -> bool:
        """List once; whether that worked. A failure sets when to ask again."""
        self.asked_at = now
        try:
            things = self._listing.tagged()
        except ApiError as error:
            self._failed(now, error)
            return False
        self._last = {thing.id: thing for thing in things}
        self.listed = True
        self.error = self._said = None
        self.barred = self._hopeless = False
        self._said_for_all.clear()
        self._failures = 0
        return True

    def news(self, named: Collection[str]) -> Iterator[Tagged]:
        """Return what was listed last and is not joined, or was joined before it was listed
        (again).

        `named`: the ids that tags have no say in, even where they had before.
        """
        for thing in self._last.values():
            choice = self.choices.get(thing.id)
            known = choice is not None and choice.spec is not None and choice.thing == thing
            if not known or thing.id in self._gone or thing.id in named:
                yield thing

    def lost(self, now: float, *, leave: bool) -> list[Choice]:
        """Return what is to be left, by the last listing and those before it."""
        gone = [id_ for id_ in self.choices if id_ not in self._last]
        self._gone = set(gone)
        self._missing = {id_: one for id_, one in self._missing.items() if id_ in gone}
        for id_ in [id_ for id_ in gone if self.choices[id_].spec is None]:
            del self.choices[id_]  # it was never joined
            gone.remove(id_)
        if not leave:
            for id_ in gone:
                why = "not listed with the tags any more, and discovery.leave is false"
                self.choices[id_] = replace(self.choices[id_], why=why)
            return []
        return self._leaving(now, gone) if gone else []

    def _leaving(self, now: float, gone: list[str]) -> list[Choice]:
        try:
            bare = self._listing.without_tags(gone)
        except ApiError as error:
            self._log.debug("cannot tell what has lost its tags", error=str(error))
            return []
        self._missing = {id_: one for id_, one in self._missing.items() if id_ in bare}
        left = []
        for id_ in sorted(bare):
            missing = self._missing.setdefault(id_, _Missing(now, 0))
            missing.times += 1
            why = f"has lost its tags, seen {missing.times} times in {round(now - missing.since)} s"
            self.choices[id_] = replace(self.choices[id_], why=why)
            if missing.times >= LISTINGS_TO_LEAVE and now - missing.since >= SECONDS_TO_LEAVE:
                self._log.info("it has lost its tags: leaving", product=self.product, id=id_)
                left.append(self.choices.pop(id_))
                del self._missing[id_]
        return left

    def _failed(self, now: float, error: ApiError) -> None:
        self._failures += 1
        self._hopeless = backoff.is_hopeless(error, self._failures)
        self.barred = error.barred
        self.account_wide = error.account_wide
        self.due = now + backoff.after_failure(error, self._failures, self._random)
        self.error = str(error)
        said = error.account_wide and error.code in self._said_for_all
        if error.account_wide:
            self._said_for_all.add(error.code)
        if error.code != self._said and not said:  # the text differs with every request id
            self._said = error.code
            level = self._log.error if error.hopeless else self._log.warning
            level("cannot look for load balancers", product=self.product, error=self.error)
