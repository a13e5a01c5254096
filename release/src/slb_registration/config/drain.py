"""Reads how the VM is taken out of rotation, and whose connections are waited for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from slb_registration.config.reader import Section
from slb_registration.model.addresses import Network, network
from slb_registration.model.configuration import Drain, PortRanges

MOST_PORTS = 100
"""Entries of connections_port; each is compared with every connection."""

_LOOPBACK = ("127.0.0.0/8", "::1/128")
_LOAD_BALANCERS = ipaddress.ip_network("100.64.0.0/10")
"""From where CLB at layer 7 and older ALBs send requests, and CLB its health checks."""

_RANGE = re.compile(r"([0-9]{1,5}) ?- ?([0-9]{1,5})")
_HIGHEST = 65535


def drain(section: Section) -> Drain:
    """Return what the properties drain.* say."""
    return Drain(
        timeout_seconds=section.seconds("timeout", 120),
        min_wait_seconds=section.seconds("min_wait", 10, zero=True),
        method=section.choice("method", "weight_zero", ("weight_zero", "remove")),
        connections_port=_ports(section, "connections_port"),
        ignore_cidrs=tuple(_networks(section)),
        on_error=section.choice("on_error", "continue", ("continue", "fail")),
        keep_registered=section.choice("keep_registered", "auto", ("auto", "never")),
    )


def ignored_requests(config: Drain) -> str | None:
    """Return what to warn of where peers are ignored that may be load balancers, None where none
    are.

    Who ignores everyone means it.
    """
    meant = (one for one in config.ignore_cidrs if one.version == 4 and one.prefixlen > 0)
    found = ", ".join(str(one) for one in meant if one.overlaps(_LOAD_BALANCERS))
    if not found:
        return None
    return (
        f"drain.ignore_cidrs: {found} has addresses from which CLB at layer 7 and ALB send "
        "requests: a drain behind them does not wait for these; leave it out"
    )


def _ports(section: Section, name: str) -> PortRanges | None:
    value = section.value(name)
    if value is None:
        return None
    entries = value if isinstance(value, list) else [value]
    if not 1 <= len(entries) <= MOST_PORTS:
        section.problem(name, f"must have 1 to {MOST_PORTS} entries, not {len(entries)}")
    ranges = []
    for entry in entries[:MOST_PORTS]:
        ports = _range(entry)
        if ports is None:
            text = f'must be a whole number from 1 to {_HIGHEST}, a range such as "1024-2048", or'
            section.problem(name, f"{text} a list of them{section.instead(entry)}")
        else:
            ranges.append(ports)
    return PortRanges(tuple(ranges))


def _range(entry: object) -> range | None:
    """Return the ports of one entry, None where it is neither a port nor a range of them."""
    if isinstance(entry, int) and not isinstance(entry, bool):
        low = high = entry
    elif isinstance(entry, str) and (match := _RANGE.fullmatch(entry)):
        low, high = int(match[1]), int(match[2])
    else:
        return None
    return range(low, high + 1) if 1 <= low <= high <= _HIGHEST else None


def _networks(section: Section) -> Iterator[Network]:
    for text in section.items("ignore_cidrs", _LOOPBACK):
        try:
            yield network(str(text))
        except ValueError:
            shown = section.shown(text)
            section.problem("ignore_cidrs", f"{shown} is no network, such as 10.0.0.0/8")
