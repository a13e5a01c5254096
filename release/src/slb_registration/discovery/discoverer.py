"""Looks for what carries our tags, in a thread of its own, for as long as the agent runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from random import Random

from slb_registration.discovery.product_search import ProductSearch
from slb_registration.discovery.selection import Choice, Chooser, tags_text
from slb_registration.model.configuration import Discovery, GroupSpec
from slb_registration.pacing import backoff
from slb_registration.server_groups.tagged import Listing
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.awaited import by_nobody

FEEL_SECONDS = 1.0
"""How soon it is felt that post-start has begun to wait, or a drain."""


class Discoverer:
    """Looks again and again, product by product: one that is refused does not stop the others.

    What was found once stays: a listing may be stale or partial. Only `discovery.leave` makes it
    leave what has lost its tags, and then not at the first sight of it.
    """

    def __init__(
        self,
        config: Discovery,
        region: str,
        listings: Mapping[str, Listing],
        chooser: Chooser,
        log: EventLog,
        *,
        join: Callable[[GroupSpec], object],
        leave: Callable[[GroupSpec], None],
        settle: Callable[[], None] = lambda: None,
        known: Iterable[GroupSpec] = (),
        retry_seconds: float,
        random: Random,
        awaited: Callable[[], bool] = by_nobody,
        awaited_seconds: float = backoff.AWAITED_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settle` is told once all that a look has found to be joined, or left, was named.

        `known`: what an earlier start has found and joined.

        While nothing is found it looks every `retry_seconds`, stretched to the interval; while
        post-start waits (`awaited`) every `awaited_seconds`, also after an error.
        """
        self.error: str | None = None
        self._config = config
        self._region = region
        self._chooser = chooser
        self._log = log
        self._join = join
        self._leave = leave
        self._settle = settle
        self._retry_seconds = retry_seconds
        self._random = random
        self._awaited = awaited
        self._awaited_seconds = awaited_seconds
        self._clock = clock
        self._empty = 0
        self._again = False
        said: set[str] = set()
        self._searches = [
            ProductSearch(product, listing, log, random, said)
            for product, listing in listings.items()
        ]
        for spec in known:
            for search in self._searches:
                if search.product == spec.product:
                    search.know(spec)

    @property
    def looked(self) -> bool:
        """Return whether what there is to be found is known, as far as it ever will be."""
        some = any(search.taken for search in self._searches)
        gives_up = not self._again
        return some and all(s.taken or (s.given_up and gives_up) for s in self._searches)

    @property
    def barred(self) -> bool:
        """Return whether only a person can let it find what there is."""
        waited_for = [search for search in self._searches if not search.listed]
        known = bool(waited_for) and not self._again
        return known and all(search.barred for search in waited_for)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Everything that carries, or carried, the tags, and what became of it."""
        return tuple(one for search in self._searches for _, one in sorted(search.choices.items()))

    @property
    def needs_repair(self) -> bool:
        """Return whether nothing will be found or joined before a person has mended something."""
        if any(search.listed for search in self._searches):
            choices = self.choices
            return bool(choices) and all(one.problem and not one.again for one in choices)
        return all(search.barred for search in self._searches)

    @property
    def left_out(self) -> str | None:
        """Return what was found and is not joined although nothing is wrong with it."""
        left = [one for one in self.choices if one.spec is None and not one.problem]
        return "; ".join(one.told for one in left) or None

    def look_again(self) -> None:
        """Ask anew what has failed last: until that is done, nothing is taken for barred.

        For a drain, which goes by what is so now; any thread may call it.
        """
        self._again = True

    def turn(self) -> float:
        """Look at what is due; returns the seconds until the next time."""
        return min(self.look(), FEEL_SECONDS)

    def look(self) -> float:
        """Ask every product that is due; returns the seconds until the next time."""
        now, again = self._clock(), self._again
        due = [
            search
            for search in self._searches
            if now >= self._due(search) or (again and search.error is not None)
        ]
        listed = [search for search in due if search.ask(now)]
        for search in self._searches:
            if search in listed or any(one.again for one in search.choices.values()):
                self._choose(search)
        for search in listed:
            self._leave_lost(search, now)
        if listed:
            seconds = self._until_next()
            for search in listed:
                search.due = now + seconds
                search.taken = True
        self.error = self._what_is_wrong()
        if again:
            self._again = False
        return max(0.0, min(map(self._due, self._searches)) - now)

    def _due(self, search: ProductSearch) -> float:
        """Return when to ask next: soon where post-start waits, and this may be why."""
        joined = any(choice.spec is not None for choice in search.choices.values())
        if self._awaited() and (search.error is not None or not joined):
            return min(search.due, search.asked_at + self._awaited_seconds)
        return search.due

    def _choose(self, search: ProductSearch) -> None:
        named = self._chooser.named()
        for thing in search.news(named):
            before = search.choices.get(thing.id)
            choice = self._chooser.choose(thing)
            if choice.again and before is not None and before.spec is not None:
                continue  # not known whether to join it is no reason to leave it
            if before != choice:
                self._tell(choice)
            search.choices[thing.id] = choice
            if choice.spec is not None:
                self._join(choice.spec)
            if before is not None and before.spec is not None and thing.id in named:
                self._leave(before.spec)  # it may have been joined with another port
        self._settle()

    def _leave_lost(self, search: ProductSearch, now: float) -> None:
        lost = search.lost(now, leave=self._config.leave)
        for choice in lost:
            if choice.spec is not None:
                self._leave(choice.spec)
        if lost:
            self._settle()

    def _tell(self, choice: Choice) -> None:
        thing = choice.thing
        what = "load balancer" if thing.product == "clb" else "server group"
        fields = {what.replace(" ", "_"): thing.id, "tags": tags_text(self._config)}
        if thing.product != "clb":
            fields["product"] = thing.product
        if choice.spec is not None:
            self._log.info(f"{what} found by its tags", **fields)
        else:
            message = f"{what} found by its tags, and not joined"
            level = self._log.warning if choice.problem else self._log.info
            level(message, **fields, because=choice.why)

    def _until_next(self) -> float:
        choices = self.choices
        if any(choice.again for choice in choices):
            return backoff.until_next_poll(self._soon, 0, self._random)
        if choices:
            self._empty = 0
            return backoff.until_next_poll(self._config.interval_seconds, 0, self._random)
        if self._empty == 0:
            self._log.warning(
                "no load balancer carries the tags: looking again",
                tags=tags_text(self._config),
                region=self._region,
            )
        self._empty += 1
        return backoff.until_next_poll(self._soon, self._empty - 1, self._random)

    @property
    def _soon(self) -> float:
        return min(self._retry_seconds, self._config.interval_seconds)

    def _what_is_wrong(self) -> str | None:
        failed = [search for search in self._searches if search.error]
        # Wrong keys are wrong for every product: the first of them says it.
        for_all = [search for search in failed if search.account_wide][:1]
        one_each = [search for search in failed if not search.account_wide]
        parts = [f"{search.product}: {search.error}" for search in for_all + one_each]
        if not self.choices and any(search.listed for search in self._searches):
            parts.insert(0, nothing_found(self._config, self._region))
        parts += [one.told for one in self.choices if one.problem]
        return "; ".join(parts) or None


def nothing_found(config: Discovery, region: str) -> str:
    """Return what to say where nothing carries the tags."""
    what = "load balancer" if config.products == ("clb",) else "load balancer or server group"
    return f"no {what} in region {region} carries the tags {tags_text(config)}"
