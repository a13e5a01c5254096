"""This VM's ends of the connections that come through its server groups: ports and addresses.

The kernel's table has the address that a client's packets have in the end: a socket that listens on
all of them is of no matter. Where it is not known to which address a load balancer sends, or this
VM does not have it (a NAT is in between), all of them count: one connection too many is waited for,
one too few is cut.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from slb_registration.instance.connection_tables import End
from slb_registration.model.addresses import Network
from slb_registration.model.status import GroupStatus

LOOPBACK: tuple[Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)
"""What comes from elsewhere and ends here was sent on by a rule of this VM's (DNAT)."""

_OTHER_FAMILY: Mapping[int, Network] = {
    4: ipaddress.ip_network("::/0"),
    6: ipaddress.ip_network("0.0.0.0/0"),
}


@dataclass(frozen=True)
class _Known:
    """The ends of one group: its ports, and the address to which SLB sends, "" for unknown."""

    ports: frozenset[int]
    address: str
    server_type: str


class LocalEnds:
    """Remembers the ends of each group while it is ours: SLB forgets those of a server that left.

    `checked_port` tells on which port the service behind a group is checked, where it is on one;
    `is_here` whether this VM has an address.
    """

    def __init__(
        self, checked_port: Callable[[GroupStatus], int | None], is_here: Callable[[str], bool]
    ) -> None:
        self._checked_port = checked_port
        self._is_here = is_here
        self._groups: dict[str, _Known] = {}

    def follow(self, statuses: Collection[GroupStatus]) -> None:
        """Take in what is known of all groups now."""
        self._groups = {
            status.name: self._known(status, self._groups.get(status.name)) for status in statuses
        }

    @property
    def all(self) -> frozenset[int | End]:
        """Those of all groups: a port alone where its address is not known."""
        groups = self._groups.values()
        here = {one for one in {known.address for known in groups} if one and self._is_here(one)}
        ends: set[int | End] = set()
        for known in groups:
            at = _networks(known.address, known.server_type) if known.address in here else None
            ends |= known.ports if at is None else {End(port, at) for port in known.ports}
        return frozenset(ends)

    def _known(self, status: GroupStatus, before: _Known | None) -> _Known:
        told = frozenset(status.service_ports or ())
        ports = told or (before.ports if before is not None else frozenset())
        address = status.address or (before.address if before is not None else "")
        return _Known(ports or self._checked(status), address, status.spec.server_type)

    def _checked(self, status: GroupStatus) -> frozenset[int]:
        port = self._checked_port(status)
        return frozenset() if port is None else frozenset((port,))


def _networks(address: str, server_type: str) -> tuple[Network, ...]:
    """The addresses at which connections arrive.

    An instance of which SLB names one address may be reached over the other family, too.
    """
    own = ipaddress.ip_address(address)
    other = (_OTHER_FAMILY[own.version],) if server_type == "ecs" else ()
    return (ipaddress.ip_network(own), *other, *LOOPBACK)


def is_here(address: str) -> bool:
    """Return whether this VM has that IP address; not where this cannot be told."""
    try:
        own = ipaddress.ip_address(address)
        family = socket.AF_INET6 if own.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.bind((address, 0))
    except (ValueError, OSError):
        return False
    return not own.is_unspecified
