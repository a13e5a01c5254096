"""Values of `render`'s options that are more than a word."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bosh_release.render.jobs.links import WRITTEN_KEYS
from bosh_release.render.manifest.instances import Settings
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.untyped import parse_yaml, read_yaml
from bosh_release.yaml.values import kind_of


def settings(arguments: argparse.Namespace) -> Settings:
    """Return what the options say about the instance; raises ReleaseError."""
    if arguments.index < 0:
        raise ReleaseError("--index must be 0 or more")
    return Settings(
        index=arguments.index,
        id=arguments.id,
        az=arguments.az,
        bootstrap=arguments.bootstrap,
        address=arguments.address,
        ip=_ip(arguments.ip, "--ip") if arguments.ip else None,
        networks=_networks(arguments.network),
    )


def _networks(options: Sequence[str]) -> dict[str, dict[str, Any]]:
    networks: dict[str, dict[str, Any]] = {}
    for option in options:
        name, value = _named(option, "--network")
        entry = parse_yaml(value, f"--network {name}")
        if isinstance(entry, str):
            entry = {"ip": _ip(entry, f"--network {name}")}
        if not isinstance(entry, dict):
            raise ReleaseError(f"--network {name}: expects an IP address or a map of settings")
        networks[name] = entry
    return networks


def _ip(text: str, option: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ReleaseError(f"{option}: '{text}' is not an IP address") from None


def links(options: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the links written on the command line, by name; raises ReleaseError."""
    written: dict[str, dict[str, Any]] = {}
    for option in options:
        name, value = _named(option, "--link")
        if value.startswith("@"):
            link = read_yaml(Path(value[1:]))
        else:
            link = parse_yaml(value, f"--link {name}")
        if not isinstance(link, dict):
            raise ReleaseError(f"--link {name}: expects a map, this is {kind_of(link)}")
        for key in link:
            if key not in WRITTEN_KEYS:
                raise ReleaseError(
                    f"--link {name}: unknown key '{key}'; known are {', '.join(WRITTEN_KEYS)}"
                )
        written[name] = link
    return written


def _named(option: str, flag: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not (name and equals and value):
        raise ReleaseError(f"{flag} expects NAME=VALUE")
    return name, value
