"""The place of a service: scheme, host and port, and nothing else."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from slb_registration.model.addresses import unbracketed, whole

METADATA_HOST = "100.100.100.200"
"""The metadata service, to which every ECS instance has a route."""

DEFAULT_METADATA = f"http://{METADATA_HOST}"
_METADATA_ADDRESS = ipaddress.ip_address(METADATA_HOST)
_PRINTABLE = re.compile(r"[!-~]+")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


class EndpointError(ValueError):
    """The text is no endpoint; says what it must be, and never repeats the text."""


def slb_endpoint(text: str) -> str:
    """Return the URL for `https://host[:port]` or `host`, which means https.

    Plain http is for this machine only: requests carry the AccessKeyId and a valid signature.
    Raises EndpointError.
    """
    scheme, host, port = _split(text, bare="https")
    if scheme == "http" and not _is_loopback(host):
        raise EndpointError("must be https: http is for loopback hosts only")
    return _url(scheme, host, port)


def metadata_endpoint(text: str) -> str:
    """Return the URL of a metadata service; a bare host means http, which is what these speak.

    Plain http must not leave the machine or its host: 100.100.100.200, link-local and loopback
    addresses only. Raises EndpointError.
    """
    scheme, host, port = _split(text, bare="http")
    if scheme == "http" and not (_is_loopback(host) or _is_link_local(host)):
        raise EndpointError(
            "must be https: http is for 100.100.100.200, link-local and loopback hosts only"
        )
    return _url(scheme, host, port)


def host(text: str) -> str | None:
    """Return a host name or address, an IPv6 one without brackets; None if it is neither."""
    bare = unbracketed(text)
    if ":" in bare:
        return bare if _address(bare) is not None else None
    if re.fullmatch(r"[0-9.]+", text):
        return text if _address(text) is not None else None
    return text if _HOST_NAME.fullmatch(text) else None


def _split(text: str, *, bare: str) -> tuple[str, str, int | None]:
    form = "must be https://HOST, https://HOST:PORT or HOST"
    if not _PRINTABLE.fullmatch(text):  # urlsplit would drop a newline silently
        raise EndpointError(form)
    if "@" in text:
        raise EndpointError(f"{form}, without a user or password")
    if isinstance(_address(whole(text)), ipaddress.IPv6Address):
        text = f"[{whole(text)}]"
    try:
        parts = urlsplit(text if "://" in text else f"{bare}://{text}")
        name, port = parts.hostname or "", parts.port
    except ValueError:  # brackets that do not match, or a port that is none
        raise EndpointError(form) from None
    if parts.scheme not in ("https", "http") or parts.path not in ("", "/"):
        raise EndpointError(form)
    if parts.query or parts.fragment or host(name) != name or "%" in name or port == 0:
        raise EndpointError(form)
    return parts.scheme, name, port


def _url(scheme: str, name: str, port: int | None) -> str:
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}" + ("" if port is None else f":{port}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    address = _address(name)
    return name == "localhost" if address is None else address.is_loopback


def _is_link_local(name: str) -> bool:
    address = _address(name)
    return address is not None and (address == _METADATA_ADDRESS or address.is_link_local)
