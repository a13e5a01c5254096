"""Why a connection to the API failed: for which product, to which host, and the likely cure.

Pure. The SDK's own text holds the signed URL: of it only what it is about is kept.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import NamedTuple

from slb_registration.model.errors import ApiError, Kind

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 10
EXCHANGE_SECONDS = 30.0
"""For a call as a whole, from the look-up of the name to the last byte of the answer."""

TOO_LARGE = "the answer is larger than any of the API's"
TOO_SLOW = "the exchange has taken too long"
PACKED = "the answer is packed as nobody has asked for"


@dataclass(frozen=True)
class Place:
    """The receiver of a call: product (slb, alb, nlb, sts, ecs) and host, and what has decided on
    it.

    `host`, with its port: that which the property endpoints.* gives (`given`), or that of the
    region and the network (internet, vpc).
    """

    product: str
    host: str
    region: str
    network: str = "internet"
    given: bool = False

    def __str__(self) -> str:
        """As an operator reads it."""
        name = "CLB" if self.product == "slb" else self.product.upper()
        return f"{name} at {self.host}"

    @property
    def setting(self) -> str:
        """The property that gives the host."""
        return f"endpoints.{self.product}"


class Cure(enum.Enum):
    """The cure of a connection that fails: the thing to look at."""

    ANSWER = "answer"  # nothing: another try may get one
    NAME = "name"
    RESOLVER = "resolver"
    WAY = "way"
    CERTIFICATE = "certificate"
    AUTHORITY = "authority"
    VALIDITY = "validity"
    TLS = "tls"
    BETWEEN = "between"


class Trouble(NamedTuple):
    """A text's meaning: what to say, whether the request had been sent, and the cure.

    `lasting`: it takes a person.
    """

    pattern: re.Pattern[str]
    reason: str
    sent: bool
    cure: Cure
    lasting: bool = False


_TROUBLES = (
    Trouble(
        re.compile(r"doesn't match|Hostname mismatch|IP address mismatch"),
        "the server's certificate is for another name",
        False,
        Cure.CERTIFICATE,
        lasting=True,
    ),
    Trouble(
        re.compile(r"CERTIFICATE_VERIFY_FAILED.*(expired|not yet valid)"),
        "the server's certificate is not valid now",
        False,
        Cure.VALIDITY,
    ),
    Trouble(
        re.compile(r"CERTIFICATE_VERIFY_FAILED"),
        "the server's certificate is not trusted",
        False,
        Cure.AUTHORITY,
        lasting=True,
    ),
    Trouble(re.compile(r"SSLError|\[SSL|SSL:"), "TLS failed", False, Cure.TLS),
    Trouble(
        re.compile(
            r"Name or service not known|No address associated|Name does not resolve"
            r"|nodename nor servname|label (empty or )?too long|is no host name"
        ),
        "there is no such name, so the endpoint's name cannot be resolved",
        False,
        Cure.NAME,
        lasting=True,
    ),
    Trouble(
        re.compile(r"getaddrinfo|name resolution"),
        "the endpoint's name cannot be resolved",
        False,
        Cure.RESOLVER,
    ),
    Trouble(re.compile(r"Connection refused"), "the endpoint refuses connections", False, Cure.WAY),
    Trouble(
        re.compile(r"connect timeout|ConnectTimeout"),
        f"no connection within {CONNECT_TIMEOUT_SECONDS} s",
        False,
        Cure.WAY,
    ),
    Trouble(
        re.compile(r"unreachable|No route|not permitted|Permission denied"),
        "the endpoint cannot be reached",
        False,
        Cure.WAY,
    ),
    Trouble(re.compile(TOO_LARGE), TOO_LARGE, True, Cure.BETWEEN),
    Trouble(re.compile(PACKED), f"{PACKED} (Content-Encoding)", True, Cure.BETWEEN),
    Trouble(
        re.compile(TOO_SLOW), f"no whole answer within {EXCHANGE_SECONDS:g} s", True, Cure.ANSWER
    ),
    Trouble(
        re.compile(r"Read timed out|timed out"),
        f"no answer within {READ_TIMEOUT_SECONDS} s",
        True,
        Cure.ANSWER,
    ),
    Trouble(
        re.compile(r"RemoteDisconnected|reset by peer|ConnectionReset|Broken pipe|aborted"),
        "the connection was closed before the answer came",
        True,
        Cure.BETWEEN,
    ),
    Trouble(
        re.compile(r"IncompleteRead|Connection broken"),
        "the answer was cut short",
        True,
        Cure.ANSWER,
    ),
)
_UNKNOWN = Trouble(re.compile(""), "the connection failed", True, Cure.ANSWER)


def unreachable(action: str, code: str, text: str, place: Place) -> ApiError:
    """The failure that the SDK tells by `code` and `text`."""
    if code != "SDK.HttpError":
        reason = f"{place}: the SDK could not make the call"
        return ApiError(action, Kind.UNAVAILABLE, code, reason)
    trouble = next((one for one in _TROUBLES if one.pattern.search(text)), _UNKNOWN)
    kind = Kind.LOST if trouble.sent else Kind.UNAVAILABLE
    cure = _advice(trouble.cure, place)
    said = f"{place}: {trouble.reason}" + (f": {cure}" if cure else "")
    code = "NoAnswer" if trouble.sent else "NoConnection"
    return ApiError(action, kind, code, said, lasting=trouble.lasting)


def _advice(cure: Cure, place: Place) -> str | None:
    known_by = place.setting if place.given else f"the spelling of region ({place.region})"
    texts = {
        Cure.NAME: f"check {known_by}, and this VM's DNS" + _or_set(place),
        Cure.RESOLVER: "check this VM's DNS" + _or_set(place),
        Cure.WAY: _way(place),
        Cure.CERTIFICATE: f"{place.setting} must give a name that is in it"
        if place.given
        else "does a proxy in between answer instead?",
        Cure.AUTHORITY: "ca_bundle names the authorities that are, also that of a proxy in between",
        Cure.VALIDITY: "it has expired, or the clock of this VM is off",
        Cure.TLS: f"is it https that {place.setting} names?"
        if place.given
        else "is there a proxy in between?",
        Cure.BETWEEN: "is there a proxy or a firewall in between?",
    }
    return texts.get(cure)


def _or_set(place: Place) -> str:
    return "" if place.given else f", or set {place.setting}"


def _way(place: Place) -> str:
    if place.given:
        return f"check {place.setting}, and the rules for outgoing connections"
    if place.network == "vpc":
        return (
            f"what network: vpc names is reached from inside of region {place.region} only: check "
            f"region, network and the rules for outgoing connections, or set {place.setting}"
        )
    return (
        f"a VM without a way to the Internet needs network: vpc, or {place.setting}; the agent "
        "uses no proxy"
    )
