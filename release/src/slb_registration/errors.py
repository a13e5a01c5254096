"""What an error of the API means for us: try again, throttled, gone, denied, invalid.

Codes and their meaning: the API reference of Classic Load Balancer and the retry lists of public
Alibaba Cloud projects. Codes are compared without regard to case: the products spell them
differently.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

MESSAGE_LIMIT = 300
NO_CREDENTIALS = "NoCredentials"
"""Our code for a call that was not made because there is nothing to sign it with."""


class Kind(enum.Enum):
    """What to do about a failed call."""

    BUSY = "busy"  # the load balancer is occupied with another change: again soon
    THROTTLED = "throttled"  # the account's quota is used up: again later, and less
    UNAVAILABLE = "unavailable"  # the service failed: again
    LOST = "lost"  # no answer: a change may have been made all the same
    CONFLICT = "conflict"  # what we know is out of date: look again
    GONE = "gone"  # the server is not in the group: for a removal that means done
    CREDENTIALS = "credentials"  # the short-lived keys have expired: renew them
    CLOCK = "clock"  # our clock is off: only a person can mend that
    NOT_FOUND = "not_found"  # no such load balancer or server group
    DENIED = "denied"  # wrong keys, or keys without the permission
    INVALID = "invalid"  # the request can never succeed as it is


HOPELESS = frozenset({Kind.NOT_FOUND, Kind.DENIED, Kind.INVALID})
"""Kinds that repeating does not cure: said once, looked at again seldom."""

_BUSY = frozenset(
    {
        "backendserver.configuring",
        "serviceisstopping",
        "serviceisconfiguring",
        "vservergroupprocessing",
        "operationbusy",
        "operationconflict",
        "processingsamerequest",
        "systembusy",
        "signaturenonceused",
        "rspoolvipexist",
        "incorrectstatus.servergroup",
        "idempotenceprocessing",
        "conflict.lock",
        "operationfailed.resourceisconfiguring",
        "lasttokenprocessing",
        # Add: the server does not exist or is not running yet; Remove: a passing state.
        "obtainipfail",
    }
)
_UNAVAILABLE = frozenset(
    {"internalerror", "internalinvokeerror", "serviceunavailable", "sdk.unknownservererror"}
)
_KEYS = frozenset(
    {
        "invalidaccesskeyid.notfound",
        "invalidaccesskeyid.inactive",
        "invalidaccesskeysecret",
        "signaturedoesnotmatch",
        "incompletesignature",
    }
)
_BY_CODE: dict[str, Kind] = {
    **dict.fromkeys(_BUSY, Kind.BUSY),
    **dict.fromkeys(_UNAVAILABLE, Kind.UNAVAILABLE),
    **dict.fromkeys(_KEYS, Kind.DENIED),
    "invalidtimestamp.expired": Kind.CLOCK,
    "illegaltimestamp": Kind.CLOCK,
    # Adding a server that is there: ALB, and the nearest that NLB documents.
    "conflict.backendserver": Kind.CONFLICT,
    "resourceinuse.ip": Kind.CONFLICT,
    "resourcenotfound.backendserver": Kind.GONE,
    "resourcenotfound.servergroup": Kind.NOT_FOUND,
    "toomanybackendservers": Kind.INVALID,
    "backendserversmalformed": Kind.INVALID,
    "invalidweight.malformed": Kind.INVALID,
    "missingparameter": Kind.INVALID,
    "nopermission": Kind.DENIED,
    "toomanylisteners": Kind.INVALID,
}
_BY_PATTERN: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"^(rejected\.)?throttling"), Kind.THROTTLED),
    (re.compile(r"^forbidden"), Kind.DENIED),
    (re.compile(r"^(invalidsecuritytoken|securitytokenexpired)"), Kind.CREDENTIALS),
    (re.compile(r"^(incorrectstatus|resourceinconfiguring)\."), Kind.BUSY),
    # Limits and rules of the products: no RAM policy helps, though they come as 403 too.
    (re.compile(r"^(quotaexceeded|operationdenied|unsupportedoperation)(\.|$)"), Kind.INVALID),
    # STS: the role, or the one who wants to assume it, does not exist.
    (re.compile(r"^entitynotexist(s)?\."), Kind.NOT_FOUND),
    (re.compile(r"^resourcenotfound\."), Kind.NOT_FOUND),
    # A ClientToken that was used for something else: look, and write with a new one.
    (re.compile(r"^idempot\w*mismatch|^idempotenceparamnotmatch"), Kind.CONFLICT),
    (re.compile(r"duplicat|alreadyexist|already\.?exist"), Kind.CONFLICT),
    # The request went astray: nothing is said of the load balancer or the server group.
    (re.compile(r"^invalid(action|api|product|region|regionid|version)\.notfound$"), Kind.INVALID),
    (re.compile(r"\.notfound$|\.notexist$"), Kind.NOT_FOUND),
)
_ADVICE = {
    Kind.CLOCK: "the clock of this VM is off by more than the API allows: fix NTP",
    Kind.NOT_FOUND: "check the id, the region, and that the load balancer still exists",
    Kind.CREDENTIALS: "security_token has expired: where the manifest gives it, deploy a fresh one",
}


@dataclass(eq=False)
class ApiError(Exception):
    """A call that did not succeed.

    `action` is the API's name of the call, `code` and `message` are the API's own (for failures
    of the transport: ours), `status` is the HTTP status, None where no answer came, `product` is
    the one that was called (slb, alb, nlb, sts), where that is known. `lasting`: a failure of ours
    lasts until a person mends what causes it.
    """

    action: str
    kind: Kind
    code: str
    message: str
    status: int | None = None
    request_id: str | None = None
    product: str | None = None
    lasting: bool = False

    def __str__(self) -> str:
        """One line for the log: action, code, status, message, advice, request id."""
        status = f" (HTTP {self.status})" if self.status else ""
        parts = [f"{self.action}: {self.code}{status}: {self.message}"]
        advice = self.advice
        if advice:
            parts.append(advice)
        if self.request_id:
            parts.append(f"request id {self.request_id}")
        return "; ".join(parts)

    @property
    def advice(self) -> str | None:
        """What a person can do about it, None where waiting is all."""
        if self.code == NO_CREDENTIALS:
            return None  # the message says all
        if self.code.lower() in _KEYS:
            return "check access_key and secret_key"
        if self.kind is Kind.DENIED:
            line = f"{self.product or 'slb'}:{self.action}"
            advice = f'add "{line}" to the RAM policy (release/manifests/ram-policy.json)'
            trust = ", and let the role's trust policy name who assumes it"
            return advice + (trust if self.product == "sts" else "")
        if self.kind is Kind.NOT_FOUND and self.product == "sts":
            return "check role_arn"
        return _ADVICE.get(self.kind)

    @property
    def keys_refused(self) -> bool:
        """Whether the call was refused for the keys as such: others may be accepted."""
        return self.kind is Kind.CREDENTIALS or self.code.lower() in _KEYS

    @property
    def account_wide(self) -> bool:
        """Whether the keys or the clock are wrong, which every other call will meet, too."""
        return self.kind in (Kind.CREDENTIALS, Kind.CLOCK) or self.code.lower() in _KEYS

    @property
    def hopeless(self) -> bool:
        """Whether repeating the same call cannot help."""
        return self.kind in HOPELESS

    @property
    def barred(self) -> bool:
        """Whether only a person can let the call through: other keys, permissions, ids, a right
        clock. A network or an API that fails is none of that."""
        refused = self.keys_refused and self.code != NO_CREDENTIALS
        return self.hopeless or refused or self.kind is Kind.CLOCK or self.lasting


def no_credentials(action: str, reason: str, *, lasting: bool = False) -> ApiError:
    """A call that cannot be made yet, for want of keys."""
    return ApiError(action, Kind.CREDENTIALS, NO_CREDENTIALS, reason, lasting=lasting)


def classify(code: str, status: int | None, *, action: str = "", message: str = "") -> Kind:
    """What the API's error `code` with HTTP `status` means.

    `InvalidParameter` is ambiguous (404: no such vServer group; 503: a passing failure; also for
    adding a server that is there already), and codes that are not known are judged by the status
    alone. `InvalidServerId.NotFound` speaks of the group where a server of it is changed, and of
    the instance where it is added.
    """
    lowered = code.lower()
    if lowered == "invalidserverid.notfound" and not action.startswith("Add"):
        return Kind.GONE
    if lowered == "resourcenotfound.servergroup" and action.startswith("Remove"):
        return Kind.GONE  # there is nothing left to be removed from
    if lowered == "invalidparameter" and "already exist" in message.lower():
        return Kind.CONFLICT
    known = _BY_CODE.get(lowered)
    if known is not None:
        return known
    for pattern, kind in _BY_PATTERN:
        if pattern.search(lowered):
            return kind
    return _by_status(status)


def _by_status(status: int | None) -> Kind:
    if status is None or status >= 500 or status < 400:
        return Kind.UNAVAILABLE
    return {
        401: Kind.DENIED,
        403: Kind.DENIED,
        404: Kind.NOT_FOUND,
        409: Kind.BUSY,
        429: Kind.THROTTLED,
        449: Kind.BUSY,
    }.get(status, Kind.INVALID)


def tidy(message: str) -> str:
    """A message of the API as one printable line of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"
