"""Defence of the control API against pages of someone else's that are open in a browser here.

Such a page can have its own name resolved to this machine after it was loaded (DNS rebinding), and
then is of the same origin as the mocked cloud. Its requests carry that name as their Host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import SplitResult, urlsplit


def why_foreign(
    method: str, host: str, headers: Mapping[str, str], own_names: Collection[str]
) -> str | None:
    """The reason to refuse a request with this method, Host and other headers; None for none.

    Own are addresses, which no name can be mistaken for, localhost, and `own_names`. A browser
    tells the Origin of every request that can change something, and (Sec-Fetch-Site) from what
    site any request comes; programs that are no browsers tell neither.
    """
    if not _is_own(_split(f"//{host}").hostname or "", own_names):
        return f"its Host is {host!r}: ask by an address, localhost or a name that was served under"
    origin = headers.get("Origin")
    if origin is not None and _split(origin).netloc.lower() != host.lower():
        return f"its Origin is {origin!r}, another one than the mocked cloud's own"
    site = headers.get("Sec-Fetch-Site", "none")
    if site not in {"none", "same-origin"} and not _follows_link(method, headers):
        return f"a page elsewhere asks (Sec-Fetch-Site is {site!r})"
    return None


def _follows_link(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a person has clicked: the answer is shown, and no page gets to read it."""
    how = headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")
    return method == "GET" and how == ("navigate", "document")


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


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
