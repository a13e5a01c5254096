"""Errors of the API, by what they mean for us: try again, throttled, gone, denied, invalid."""

from __future__ import annotations

import enum
from dataclasses import dataclass

MESSAGE_LIMIT = 300
NO_CREDENTIALS = "NoCredentials"
"""Our code for a call that was not made because there is nothing to sign it with."""

KEY_CODES = frozenset(
    {
        "invalidaccesskeyid.notfound",
        "invalidaccesskeyid.inactive",
        "invalidaccesskeysecret",
        "signaturedoesnotmatch",
        "incompletesignature",
    }
)
"""Codes, in lower case, that refuse the keys as such."""


class Kind(enum.Enum):
    """The kind of a failed call, by what is to be done about it."""

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
    UNKNOWN = "unknown"  # a code that is in none of our lists: taken for passing until it stays


HOPELESS = frozenset({Kind.NOT_FOUND, Kind.DENIED, Kind.INVALID})
"""Kinds that repeating does not cure: said once, looked at again seldom."""

_SERVER_CODES = (
    "invalidserverid.",
    "resourcenotfound.ecs",
    "resourcenotfound.eni",
    "resourcenotfound.eci",
)
_PORT_CODES = frozenset({"illegalparam.port", "illegalparam.rsportconflictwithservergroup"})
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
    the one that was called (slb, alb, nlb, sts, ecs), where that is known. `lasting`: a failure of
    ours lasts until a person mends what causes it.
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
        """Return what a person can do about it, None where waiting is all."""
        if self.code == NO_CREDENTIALS:
            return None  # the message says all
        if self.code.lower() in KEY_CODES:
            return "check access_key and secret_key"
        if self.kind is Kind.DENIED:
            return self._missing_permission
        if self.kind is Kind.UNKNOWN and self.status in (401, 403):
            return f"if it is a permission that is missing: {self._missing_permission}"
        if self.code.lower() in _PORT_CODES:
            return "port is 0 in a server group of NLB that forwards all ports, and in no other"
        if self.kind is Kind.NOT_FOUND and self.product == "sts":
            return "check role_arn"
        if self.kind is Kind.NOT_FOUND and self.code.lower().startswith(_SERVER_CODES):
            return "check that this VM, or its network interface, is in the load balancer's region"
        return _ADVICE.get(self.kind)

    @property
    def _missing_permission(self) -> str:
        line = f"{self.product or 'slb'}:{self.action}"
        advice = f'add "{line}" to the RAM policy (release/manifests/ram-policy.json)'
        trust = ", and let the role's trust policy name who assumes it"
        return advice + (trust if self.product == "sts" else "")

    @property
    def keys_refused(self) -> bool:
        """Return whether the call was refused for the keys as such: others may be accepted."""
        return self.kind is Kind.CREDENTIALS or self.code.lower() in KEY_CODES

    @property
    def account_wide(self) -> bool:
        """Return whether the keys or the clock are wrong, which every other call will meet, too."""
        return self.kind in (Kind.CREDENTIALS, Kind.CLOCK) or self.code.lower() in KEY_CODES

    @property
    def hopeless(self) -> bool:
        """Return whether repeating the same call cannot help."""
        return self.kind in HOPELESS

    @property
    def barred(self) -> bool:
        """Return whether only a person can let the call through: other keys, permissions, ids, a
        right clock. A network or an API that fails is none of that."""
        refused = self.keys_refused and self.code != NO_CREDENTIALS
        return self.hopeless or refused or self.kind is Kind.CLOCK or self.lasting


def no_credentials(action: str, reason: str, *, lasting: bool = False) -> ApiError:
    """A call that cannot be made yet, for want of keys."""
    return ApiError(action, Kind.CREDENTIALS, NO_CREDENTIALS, reason, lasting=lasting)


def tidy(message: str) -> str:
    """A message of the API as one printable line of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"
