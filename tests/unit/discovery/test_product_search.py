"""One product's part of the search by tags: what is new, what is lost, and when to ask again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from io import StringIO
from random import Random

import pytest

from slb_registration.discovery.product_search import (
    LISTINGS_TO_LEAVE,
    SECONDS_TO_LEAVE,
    TRIES_BEFORE_GIVING_UP,
    ProductSearch,
)
from slb_registration.discovery.selection import Choice
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.errors import ApiError, Kind
from slb_registration.server_groups.tagged import Tagged
from slb_registration.support.logs.event_log import EventLog

NOW = 1000.0
ONE, TWO = Tagged("alb", "sgp-1"), Tagged("alb", "sgp-2")
DOWN = ApiError("ListServerGroups", Kind.UNAVAILABLE, "ServiceUnavailable", "m", 503)
DENIED = ApiError("ListServerGroups", Kind.DENIED, "Forbidden.RAM", "m", 403)
WRONG_KEY = ApiError("ListServerGroups", Kind.DENIED, "InvalidAccessKeyId.NotFound", "m", 404)


def spec_of(product: str, server_group_id: str | None) -> GroupSpec:
    return GroupSpec(product, None, None, 80, 100, None, server_group_id=server_group_id)


class Account:
    """What a listing shows, or what it fails with."""

    def __init__(self) -> None:
        self.things: tuple[Tagged, ...] = (ONE, TWO)
        self.bare: frozenset[str] = frozenset()
        self.error: ApiError | None = None
        self.asked_of: list[list[str]] = []

    def tagged(self) -> tuple[Tagged, ...]:
        if self.error is not None:
            raise self.error
        return self.things

    def without_tags(self, ids: Iterable[str]) -> frozenset[str]:
        self.asked_of.append(sorted(ids))
        if self.error is not None:
            raise self.error
        return self.bare


class Search(ProductSearch):
    """One on such an account, and its log."""

    def __init__(self, account: Account, said: set[str] | None = None) -> None:
        self.lines = StringIO()
        log = EventLog(self.lines)
        super().__init__("alb", account, log, Random(1), set() if said is None else said)

    def join(self, *things: Tagged) -> None:
        for thing in things:
            self.choices[thing.id] = Choice(thing, "found by its tags", spec_of("alb", thing.id))

    def told(self) -> list[tuple[str, str]]:
        lines = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [(line["level"], line["message"]) for line in lines]


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def search(account: Account) -> Search:
    return Search(account)


class TestNews:
    def test_is_what_is_listed_and_not_joined(self, search: Search) -> None:
        assert search.ask(NOW)
        assert list(search.news(())) == [ONE, TWO]
        search.join(ONE)
        assert list(search.news(())) == [TWO]

    def test_is_what_has_changed_or_what_is_named_by_now(self, search: Search) -> None:
        search.join(replace(ONE, vpc_id="vpc-of-before"), TWO)
        search.ask(NOW)
        assert list(search.news(())) == [ONE]
        assert list(search.news({TWO.id})) == [ONE, TWO]

    def test_is_what_could_not_be_joined(self, search: Search) -> None:
        search.ask(NOW)
        search.choices[ONE.id] = Choice(ONE, "no port is known", None)
        assert ONE in list(search.news(()))

    def test_is_what_was_away(self, search: Search, account: Account) -> None:
        search.join(ONE)
        account.things = ()
        search.ask(NOW)
        assert search.lost(NOW, leave=False) == []
        account.things = (ONE,)
        search.ask(NOW)
        assert list(search.news(())) == [ONE]
        search.lost(NOW, leave=False)
        assert list(search.news(())) == []


def test_what_an_earlier_start_has_joined_is_known(search: Search) -> None:
    search.know(spec_of("alb", "sgp-9"))
    search.know(spec_of("alb", None))  # of no group
    search.know(replace(spec_of("clb", None), load_balancer_id="lb-9"))
    assert list(search.choices) == ["sgp-9", "lb-9"]
    assert search.choices["sgp-9"].thing == Tagged("alb", "sgp-9")


class TestWhatIsNotListedAnyMore:
    def test_stays_where_leaving_is_off_and_that_is_said(
        self, search: Search, account: Account
    ) -> None:
        search.join(ONE)
        account.things, account.bare = (), frozenset({ONE.id})
        for number in range(10):
            search.ask(NOW)
            assert search.lost(NOW + 1000 * number, leave=False) == []
        assert "discovery.leave is false" in search.choices[ONE.id].why
        assert account.asked_of == []

    def test_is_forgotten_where_it_was_never_joined(self, search: Search, account: Account) -> None:
        search.choices[ONE.id] = Choice(ONE, "no port is known", None)
        account.things = ()
        search.ask(NOW)
        assert search.lost(NOW, leave=True) == []
        assert search.choices == {}
        assert account.asked_of == []

    @pytest.mark.parametrize("every", [SECONDS_TO_LEAVE / (LISTINGS_TO_LEAVE - 1), 300.0, 3000.0])
    def test_is_left_after_enough_listings_over_enough_time(
        self, search: Search, account: Account, every: float
    ) -> None:
        search.join(ONE, TWO)
        account.things, account.bare = (TWO,), frozenset({ONE.id})
        listings = 0
        left: list[Choice] = []
        while not left:
            search.ask(NOW)
            left = search.lost(NOW + every * listings, leave=True)
            listings += 1
        assert [one.thing for one in left] == [ONE]
        assert listings >= LISTINGS_TO_LEAVE
        assert every * (listings - 1) >= SECONDS_TO_LEAVE
        assert listings == LISTINGS_TO_LEAVE or every * (listings - 2) < SECONDS_TO_LEAVE
        assert list(search.choices) == [TWO.id]
        assert search.told() == [("info", "it has lost its tags: leaving")]
        assert account.asked_of == [[ONE.id]] * listings

    def test_counts_anew_where_it_had_its_tags_or_was_listed_meanwhile(
        self, search: Search, account: Account
    ) -> None:
        search.join(ONE)

        def lost_at(seconds: float, *, listed: bool = False, bare: bool = True) -> list[Choice]:
            account.things = (ONE,) if listed else ()
            account.bare = frozenset({ONE.id} if bare else ())
            search.ask(NOW)
            return search.lost(NOW + seconds, leave=True)

        for seconds in (0, 600):
            assert lost_at(seconds) == []
        assert "seen 2 times in 600 s" in search.choices[ONE.id].why
        assert lost_at(1000, bare=False) == []  # it is gone, or has its tags: nobody knows
        for seconds in (2000, 2600):
            assert lost_at(seconds) == []
        assert lost_at(2700, listed=True) == []
        for seconds in (3000, 3600):
            assert lost_at(seconds) == []
        assert len(lost_at(3900)) == 1

    def test_stays_where_nobody_can_tell(self, search: Search, account: Account) -> None:
        search.join(ONE)
        account.things = ()
        search.ask(NOW)
        account.error = DOWN
        for number in range(10):
            assert search.lost(NOW + 1000 * number, leave=True) == []
        assert list(search.choices) == [ONE.id]


class TestAFailure:
    def test_is_told_once_until_it_is_another_and_asked_again_later(
        self, search: Search, account: Account
    ) -> None:
        account.error = DOWN
        for _ in range(3):
            assert not search.ask(NOW)
            assert search.due > NOW
            account.error = replace(DOWN, request_id="of another call")
        assert search.told() == [("warning", "cannot look for load balancers")]
        assert (search.barred, search.account_wide) == (False, False)
        account.error = DENIED
        search.ask(NOW)
        assert search.told()[1:] == [("error", "cannot look for load balancers")]
        assert search.barred
        assert not search.account_wide

    def test_is_told_again_after_it_was_over(self, search: Search, account: Account) -> None:
        for error in (DOWN, None, DOWN):
            account.error = error
            assert search.ask(NOW) is (error is None)
            assert (search.error is None) is (error is None)
        assert len(search.told()) == 2

    def test_shows_what_was_listed_before(self, search: Search, account: Account) -> None:
        search.ask(NOW)
        account.error = DOWN
        search.ask(NOW)
        assert search.listed
        assert list(search.news(())) == [ONE, TWO]

    def test_of_the_whole_account_is_told_by_the_first_product_only(self, account: Account) -> None:
        said: set[str] = set()
        first, second = Search(account, said), Search(account, said)
        account.error = WRONG_KEY
        first.ask(NOW)
        second.ask(NOW)
        assert (len(first.told()), second.told()) == (1, [])
        assert first.account_wide
        assert second.error is not None
        account.error = None
        first.ask(NOW)
        account.error = WRONG_KEY
        second.ask(NOW)
        assert len(second.told()) == 1  # it had been right meanwhile

    def test_of_one_product_is_told_by_each(self, account: Account) -> None:
        said: set[str] = set()
        account.error = DENIED
        for one in (Search(account, said), Search(account, said)):
            one.ask(NOW)
            assert len(one.told()) == 1

    def test_is_waited_out_for_some_tries_unless_that_is_in_vain(self, account: Account) -> None:
        waits, hopeless = Search(account), Search(account)
        account.error = DOWN
        for _ in range(TRIES_BEFORE_GIVING_UP):
            assert not waits.given_up
            waits.ask(NOW)
        assert waits.given_up
        account.error = DENIED
        hopeless.ask(NOW)
        assert hopeless.given_up
        account.error = None
        for one in (waits, hopeless):
            one.ask(NOW)
            assert not one.given_up
            assert not one.barred
