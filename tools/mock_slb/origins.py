"""Who may use the control API: not a page of someone else's that is open in a browser here.

Such a page can have its own name resolved to this machine after it was loaded (DNS rebinding), and
then is of the same origin as the mocked cloud. Its requests carry that name as their Host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit


def why_foreign(host: str, origin: str | None, own_names: Collection[str]) -> str | None:
    """Why a request with these headers Host and Origin is refused; None where it is not.

    Own are addresses, which no name can be mistaken for, localhost, and `own_names`.
    """
    if not _is_own(_hostname(f"//{host}"), own_names):
        return f"its Host is {host!r}: ask by an address, localhost or a name that was served under"
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return f"its Origin is {origin!r}, another one than the mocked cloud's own"
    return None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_own(name: str, own_names: Collection[str]) -> bool:
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761: never anyone else's
        return True
    if name in {one.lower() for one in own_names}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
