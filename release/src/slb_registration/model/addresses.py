"""IP addresses and networks as they arrive from a manifest, and in their normal spelling."""

from __future__ import annotations

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED_BITS = 96
"""Before the IPv4 address in ::ffff:a.b.c.d (RFC 4291, 2.5.5.2)."""


def whole(text: str) -> str:
    """Return an address, a network or a host with the colon that it may have lost on its way here.

    The director reads manifests with Ruby's YAML, which takes a plain text that begins with a colon
    for a Symbol: `::1` arrives as `:1` (ruby/psych#669), and quotes do not help, since the CLI
    writes the manifest anew without them. No IPv6 address begins with a single colon.
    """
    return f":{text}" if text.startswith(":") and not text.startswith("::") else text


def unbracketed(text: str) -> str:
    """Return a host or address whole, and without the brackets that one of IPv6 may stand in."""
    return whole(text[1:-1] if text.startswith("[") and text.endswith("]") else text)


def normal(text: str) -> str:
    """Return an IP address in its one normal spelling. Raises ValueError."""
    return str(ipaddress.ip_address(text))


def network(text: str) -> Network:
    """Return the network, that of IPv4 for one of mapped addresses. Raises ValueError."""
    found = ipaddress.ip_network(whole(text))
    if found.version == 6 and found.prefixlen >= _MAPPED_BITS:
        mapped = found.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))
    return found
