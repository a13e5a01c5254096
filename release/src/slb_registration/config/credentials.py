"""Reads where the keys come from; what that source does not read is a mistake to be told of."""

from __future__ import annotations

import re
from pathlib import Path

from slb_registration.config.reader import ABSOLUTE_PATH, Section
from slb_registration.model.configuration import CredentialConfig, StaticKeys

_SOURCES = ("static", "ecs_ram_role", "assume_role")
_KEYS = ("access_key", "secret_key", "security_token")
# The forms of RAM: roles, their ARNs, and the session names that STS takes.
_ROLE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ROLE_ARN = re.compile(r"acs:ram::[0-9]{1,32}:role/[A-Za-z0-9._/-]{1,128}")
_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_DEFAULT_SESSION = "slb-registration"
_DEFAULT_DURATION = 3600
_UNREAD = {
    "static": ("ram_role_name", "role_arn"),
    "ecs_ram_role": (*_KEYS, "credentials_file", "role_arn"),
    "assume_role": (),
}


def credentials(properties: Section) -> CredentialConfig:
    """Return the source of the keys, with what belongs to it."""
    source = properties.choice("credential_source", "static", _SOURCES)
    file = properties.text("credentials_file", None, ABSOLUTE_PATH, "an absolute path")
    config = CredentialConfig(
        source=source,
        keys=_keys(properties, source),
        ram_role_name=properties.text("ram_role_name", None, _ROLE_NAME, "the name of a RAM role"),
        role_arn=properties.text(
            "role_arn", None, _ROLE_ARN, "the ARN of a RAM role (acs:ram::ACCOUNT:role/NAME)"
        ),
        session_name=properties.text(
            "session_name", _DEFAULT_SESSION, _SESSION_NAME, "2 to 64 of: letters, digits, . @ _ -"
        ),
        duration_seconds=properties.integer("duration", _DEFAULT_DURATION, 900, 43200),
        credentials_file=None if file is None else Path(file),
    )
    if properties.value("credential_source") in (None, source):
        _refuse_contradictions(properties, config)
    return config


def _keys(properties: Section, source: str) -> StaticKeys | None:
    """Return the pair; half a pair is none, and none is wrong only where it is what is used."""
    access_key, secret_key, token = (properties.secret(name) for name in _KEYS)
    given = any(properties.given(name) for name in _KEYS)
    needed = source == "static" and not properties.given("credentials_file")
    if needed or (given and source == "assume_role"):
        for name, key in (("access_key", access_key), ("secret_key", secret_key)):
            if key is None:
                properties.problem(name, "is missing: set it to the one of a RAM user's AccessKey")
    if source == "ecs_ram_role" or access_key is None or secret_key is None:
        return None
    return StaticKeys(access_key, secret_key, token)


def _refuse_contradictions(properties: Section, config: CredentialConfig) -> None:
    def unread(name: str) -> None:
        text = f"has no effect where credential_source is {config.source}: leave one of them out"
        properties.problem(name, text)

    for name in _UNREAD[config.source]:
        if properties.given(name):
            unread(name)
    if config.source != "assume_role":
        # The job's own defaults may stand there.
        if config.session_name != _DEFAULT_SESSION:
            unread("session_name")
        if config.duration_seconds != _DEFAULT_DURATION:
            unread("duration")
    elif not properties.given("role_arn"):
        properties.problem("role_arn", "is missing: credential_source is assume_role")
    _refuse_two_sources(properties, config)


def _refuse_two_sources(properties: Section, config: CredentialConfig) -> None:
    keys = any(properties.given(name) for name in _KEYS)
    if config.source == "ecs_ram_role":
        return
    if keys and properties.given("credentials_file"):
        properties.problem("credentials_file", "give either this or access_key and secret_key")
    if config.source == "assume_role" and properties.given("ram_role_name"):
        for name in ("access_key", "credentials_file"):
            if properties.given(name):
                text = f"give either this or {name}: one of them assumes role_arn"
                properties.problem("ram_role_name", text)
