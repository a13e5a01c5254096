"""The keys that calls are signed with."""

from __future__ import annotations

import io

from slb_registration.cloud.credentials import Credentials, Redaction, Source, Static
from slb_registration.model.configuration import StaticKeys
from slb_registration.support.logs.event_log import EventLog


def test_static_credentials_are_the_configured_keys_every_time():
    source: Source = Static(StaticKeys("an-id", "a-secret", "a-token"))

    assert source.current() == Credentials("an-id", "a-secret", "a-token")
    assert source.current() is source.current()


def test_there_is_no_token_unless_one_is_configured():
    assert Static(StaticKeys("an-id", "a-secret", None)).current().security_token is None


def test_no_repr_shows_a_key():
    source = Static(StaticKeys("an-id", "a-secret", "a-token"))

    shown = f"{source!r} {source.current()!r} {source.current()} {vars(source)!r}"

    for key in ("an-id", "a-secret", "a-token"):
        assert key not in shown


def test_static_keys_that_are_refused_stay_what_they_are():
    source = Static(StaticKeys("an-id", "a-secret", None))
    before = source.current()
    source.renew()
    assert source.current() is before


def test_the_latest_keys_stay_out_of_the_log_and_those_long_before_are_forgotten():
    log = EventLog(io.StringIO())
    redaction = Redaction(log)
    for number in range(20):
        redaction.cover(Credentials("the-same-id", f"secret-{number:02}", f"token-{number:02}"))

    assert log.redact("secret-19 token-12 the-same-id") == "[redacted] [redacted] [redacted]"
    assert log.redact("secret-00 token-00") == "secret-00 token-00"
