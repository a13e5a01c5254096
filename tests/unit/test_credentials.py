"""The keys that calls are signed with."""

from __future__ import annotations

from slb_registration.config import StaticKeys
from slb_registration.credentials import Credentials, Source, Static


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
