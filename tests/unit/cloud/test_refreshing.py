"""Keys that expire: when others are got, how often, and what happens while there are none."""

from __future__ import annotations

import io
import itertools
import json
import threading
from random import Random
from typing import Any

import pytest

from slb_registration.cloud.credentials import Credentials, CredentialsError, CredentialsState
from slb_registration.cloud.refreshing import (
    APART_SECONDS,
    REFRESH_SECONDS,
    Issued,
    RefreshingCredentials,
)
from slb_registration.support.logs.event_log import EventLog

HOUR = 3600.0


class Issuer:
    """Issues numbered keys on a clock that is only told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.lasts = HOUR
        self.error: str | None = None
        self.lasting = False
        self.asked: list[float] = []
        self.out = io.StringIO()
        self.log = EventLog(self.out)
        self.awaited = False
        self.source = RefreshingCredentials(
            self.fetch,
            self.log,
            clock=self.time,
            wall=self.time,
            random=Random(1),
            awaited=lambda: self.awaited,
        )

    def time(self) -> float:
        return self.now

    def fetch(self) -> Issued:
        self.asked.append(self.now)
        if self.error is not None:
            raise CredentialsError(self.error, lasting=self.lasting)
        number = len(self.asked)
        keys = Credentials(f"key-number-{number}", f"secret-number-{number}", f"token-{number}")
        return Issued(keys, self.now + self.lasts)

    def live(self, seconds: float, step: float = 1.0) -> None:
        """Make a call every `step` seconds."""
        for _ in range(int(seconds / step)):
            self.now += step
            self.source.current()

    def said(self, level: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.out.getvalue().splitlines()]
        return [event for event in events if event["level"] == level]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def test_nothing_is_asked_before_the_first_call(issuer: Issuer):
    assert issuer.asked == []


def test_keys_are_kept_until_300_seconds_before_they_expire(issuer: Issuer):
    first = issuer.source.current()
    issuer.now += HOUR - REFRESH_SECONDS - 1
    assert issuer.source.current() is first
    issuer.now += 1
    assert issuer.source.current() != first
    assert len(issuer.asked) == 2


def test_keys_that_are_refused_are_replaced_at_the_next_call(issuer: Issuer):
    first = issuer.source.current()
    issuer.now += APART_SECONDS
    issuer.source.renew()
    assert issuer.source.current() != first
    issuer.now += 1000
    issuer.source.current()
    assert len(issuer.asked) == 2


def test_the_refusals_of_several_calls_under_way_make_one_refresh(issuer: Issuer):
    issuer.source.current()
    issuer.now += 600
    issuer.source.renew()
    issuer.source.current()
    issuer.now += 13  # a call that began with the keys of before ends
    issuer.source.renew()
    issuer.live(600)
    assert len(issuer.asked) == 2


@pytest.mark.parametrize("lasts", [-HOUR, 0.0, REFRESH_SECONDS - 1])
def test_keys_that_seem_expired_at_once_are_not_asked_for_all_the_time(
    issuer: Issuer, lasts: float
):
    """A clock that is off, or an issuer that hands out what it has until the last minute."""
    issuer.lasts = lasts
    issuer.source.current()
    issuer.live(600)
    assert len(issuer.asked) == 1 + 600 / APART_SECONDS


def test_keys_that_are_always_refused_are_not_asked_for_all_the_time(issuer: Issuer):
    for _ in range(600):
        issuer.source.current()
        issuer.source.renew()
        issuer.now += 1
    assert len(issuer.asked) <= 1 + 600 / APART_SECONDS


def test_while_none_can_be_had_those_of_before_are_used_and_it_is_said_once(issuer: Issuer):
    first = issuer.source.current()
    issuer.error = "STS: AssumeRole: Forbidden"
    issuer.now += HOUR - REFRESH_SECONDS
    issuer.live(1200)

    assert issuer.source.current() is first
    (warning,) = issuer.said("warning")
    assert warning["message"] == "credentials cannot be refreshed; going on with those of before"
    assert warning["error"] == issuer.error
    assert warning["good_until"] == "1970-01-12T14:46:40Z"
    assert 20 <= len(issuer.asked) <= 80  # about every half minute in the end


def test_it_recovers_by_itself_and_says_so(issuer: Issuer):
    first = issuer.source.current()
    issuer.error = "no answer"
    issuer.now += HOUR
    issuer.live(600)
    issuer.error = None
    issuer.live(60)

    assert issuer.source.current() != first
    assert [event["message"] for event in issuer.said("info")] == [
        "credentials refreshed",
        "credentials are refreshed again",
    ]
    issuer.error = "no answer again"
    issuer.now += HOUR
    issuer.live(60)
    assert [event["error"] for event in issuer.said("warning")] == ["no answer", "no answer again"]


def test_without_any_keys_the_reason_is_the_error_and_it_is_asked_for_again_soon(issuer: Issuer):
    issuer.error = "no role is attached"
    with pytest.raises(CredentialsError, match="no role is attached"):
        issuer.source.current()
    with pytest.raises(CredentialsError, match="no role is attached"):
        issuer.source.current()
    assert len(issuer.asked) == 1
    (error,) = issuer.said("error")
    assert error["error"] == "no role is attached"

    issuer.error = None
    issuer.now += 4
    assert issuer.source.current().access_key == "key-number-2"


def test_keys_are_kept_out_of_the_log_before_they_are_used(issuer: Issuer):
    keys = issuer.source.current()
    for secret in (keys.access_key, keys.secret_key, keys.security_token):
        assert issuer.log.redact(f"a {secret} b") == "a [redacted] b"


def test_a_year_of_rotations_leaves_a_short_list_of_secrets(issuer: Issuer):
    """Every line is searched for all of them."""
    few = None
    for _ in range(9000):
        issuer.source.current()
        issuer.now += HOUR
        few = few or (len(issuer.log._secrets) if len(issuer.asked) == 20 else None)
    assert len(issuer.asked) == 9000
    assert few is not None
    assert len(issuer.log._secrets) <= few + 100
    last = issuer.source.current()
    assert last.secret_key not in issuer.log.redact(f"{last.secret_key}")


def test_no_repr_shows_a_key(issuer: Issuer):
    keys = issuer.source.current()
    assert "key-number" not in f"{issuer.source!r} {vars(issuer.source)!r} {keys!r}"


# Threads


def test_threads_go_on_with_the_keys_of_before_while_one_fetches(issuer: Issuer):
    first = issuer.source.current()
    begun, end = threading.Event(), threading.Event()
    fetch = issuer.fetch

    def slow() -> Issued:
        begun.set()
        assert end.wait(10)
        return fetch()

    issuer.source._fetch = slow
    issuer.now += HOUR
    fetching = threading.Thread(target=issuer.source.current)
    fetching.start()
    assert begun.wait(10)
    assert [issuer.source.current() for _ in range(100)] == [first] * 100
    end.set()
    fetching.join()
    assert issuer.source.current() != first
    assert len(issuer.asked) == 2


def test_threads_without_keys_wait_for_the_one_that_fetches(issuer: Issuer):
    begun, end = threading.Event(), threading.Event()
    fetch = issuer.fetch

    def slow() -> Issued:
        begun.set()
        assert end.wait(10)
        return fetch()

    issuer.source._fetch = slow
    got: list[Credentials] = []
    threads = [
        threading.Thread(target=lambda: got.append(issuer.source.current())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    end.set()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(map(id, got))) == 1
    assert len(issuer.asked) == 1


def test_threads_without_keys_do_not_wait_for_ever(issuer: Issuer, monkeypatch):
    monkeypatch.setattr("slb_registration.cloud.refreshing.PATIENCE_SECONDS", 0.01)
    with issuer.source._lock, pytest.raises(CredentialsError, match="being fetched"):
        issuer.source.current()


def test_the_state_tells_until_when_the_keys_are_good_and_why_there_are_no_newer_ones(
    issuer: Issuer,
):
    assert issuer.source.state() == CredentialsState(None, None)
    issuer.source.current()
    good_until = issuer.now + HOUR
    assert issuer.source.state() == CredentialsState(good_until, None)

    issuer.error = "STS: AssumeRole: Forbidden"
    issuer.now += HOUR - REFRESH_SECONDS
    issuer.source.current()
    assert issuer.source.state() == CredentialsState(good_until, "STS: AssumeRole: Forbidden")

    issuer.error = None
    issuer.live(120)
    state = issuer.source.state()
    assert state.error is None
    assert state.good_until is not None
    assert state.good_until > good_until


def test_while_post_start_waits_keys_that_cannot_be_had_are_asked_for_every_few_seconds(
    issuer: Issuer,
):
    issuer.error, issuer.lasting = "attach a role", True

    def live(seconds: int) -> list[float]:
        began, asked = issuer.now, len(issuer.asked)
        for _ in range(seconds):
            issuer.now += 1
            with pytest.raises(CredentialsError) as caught:
                issuer.source.current()
            assert caught.value.lasting
        return [at - began for at in issuer.asked[asked:]]

    live(600)
    issuer.awaited = True
    asked = live(60)
    assert asked[0] == 1  # it was long ago
    assert all(later - sooner <= 5 for sooner, later in itertools.pairwise(asked))
    issuer.error = None
    issuer.now += 5
    assert issuer.source.current()
    issuer.live(APART_SECONDS - 1)
    assert len(issuer.asked) == len(set(issuer.asked))
    assert issuer.asked[-1] == issuer.now - (APART_SECONDS - 1)  # what works is asked as always
