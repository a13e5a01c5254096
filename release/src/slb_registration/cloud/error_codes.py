"""The error codes of the SLB family's APIs, and what each means for us.

Sources: the errors that the API reference lists for each action, and the retry lists of the
Kubernetes cloud provider, the Terraform provider and the BOSH CPI of Alibaba Cloud. Codes are
compared without regard to case: the products spell them differently.
"""

from __future__ import annotations

import re

from slb_registration.model.errors import KEY_CODES, Kind

_BUSY = (
    "backendserver.configuring",
    "backendserverprocessing",
    "conflict.lock",
    "idempotenceprocessing",
    "lasttokenprocessing",
    "lbstatusnotsupport",
    "listenerprocessing",
    "lockfailed",
    "operationbusy",
    "operationconflict",
    "operationfailed.listenerstatusnotsupport",
    "operationfailed.resourceisconfiguring",
    "operationfailed.servicegroupprocessing",
    "operationfailed.tokenisprocessing",
    "processingsamerequest",
    "resourceinconfiguring",
    "rspoolvipexist",
    "serviceisconfiguring",
    "serviceisstopping",
    "signaturenonceused",
    "systembusy",
    "vipstatusnotsupport",
    "vpcsystembusy",
    "vservergroupprocessing",
    # Add: the server does not exist or is not running yet; Remove: a passing state.
    "obtainipfail",
)
_UNAVAILABLE = (
    "internalerror",
    "internalinvokeerror",
    "locationservicetimeout",
    "serviceunavailable",
)
_CONFLICT = (
    # The server is there already, or another entry of the group holds its address. The products
    # tell the two apart in other ways each, so only a read can say which it is.
    "conflict.backendserver",
    "invalidbackendservers.serveripconflict",
    "resourceinuse.ip",
)
_INVALID = (
    "backendserver.invalidtype",
    "backendserver.serverregionidnotequal",
    "backendserversmalformed",
    # They look like states that pass, and are rules of the product.
    "incorrectstatus.cennotassociated",
    "incorrectstatus.rsbypasstoas",
    "invalidbackendservers.missingcenbandwidth",
    "invalidbackendservers.vpcnotincen",
    "invalidtag",
    "invalidvbrid.notincen",
    "invalidweight.malformed",
    "masterslaveserverconflict",
    "networkconflict",
    "operationfailed.actionnotsupport",
    "operationfailed.invalidcen",
    "toomanybackendservers",
    "toomanylisteners",
    "toomanyresult",
)
_BY_CODE: dict[str, Kind] = {
    **dict.fromkeys(_BUSY, Kind.BUSY),
    **dict.fromkeys(_UNAVAILABLE, Kind.UNAVAILABLE),
    **dict.fromkeys(_CONFLICT, Kind.CONFLICT),
    **dict.fromkeys(_INVALID, Kind.INVALID),
    **dict.fromkeys(KEY_CODES, Kind.DENIED),
    "illegaltimestamp": Kind.CLOCK,
    "innerratelimiting": Kind.THROTTLED,
    "invalidtimestamp.expired": Kind.CLOCK,
    "resourcenotfound.backendserver": Kind.GONE,
}
_BY_PATTERN: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"^(rejected\.)?throttling"), Kind.THROTTLED),
    (re.compile(r"^(forbidden|nopermission|authenticationfail)(\.|$)"), Kind.DENIED),
    (re.compile(r"^(invalidsecuritytoken|securitytokenexpired)"), Kind.CREDENTIALS),
    (
        re.compile(
            r"^(incorrectstatus|incorrectbusinessstatus|resourceinconfiguring|resourceincreating)\."
        ),
        Kind.BUSY,
    ),
    # A ClientToken that was used for something else: look, and write with a new one.
    (re.compile(r"^idempot\w*mismatch|^idempotenceparamnotmatch"), Kind.CONFLICT),
    (re.compile(r"duplicat|already\.?exist"), Kind.CONFLICT),
    # Limits and rules of the products: no RAM policy helps, though they come as 403 too.
    (
        re.compile(
            r"^((resource)?quotaexceeded|operationden(y|ied)|unsupportedoperation"
            r"|operationunsupported|mismatch(ed)?|(illegal|missing|invalid)param)(\.|$)"
        ),
        Kind.INVALID,
    ),
    # CLB's words for the parameters of a request; without more it is judged by its status.
    (re.compile(r"^(missingparameter(\.|$)|invalidparameter\.)"), Kind.INVALID),
    # STS: the role, or the one who wants to assume it, does not exist.
    (re.compile(r"^entitynotexist(s)?\."), Kind.NOT_FOUND),
    (re.compile(r"^resourcenotfound\."), Kind.NOT_FOUND),
    # The request went astray: nothing is said of the load balancer or the server group.
    (re.compile(r"^invalid(action|api|product|region(id)?|version)(\.notfound)?$"), Kind.INVALID),
    (re.compile(r"\.notfound$|\.notexist$"), Kind.NOT_FOUND),
)
_GROUP_MISSING = re.compile(
    r"\b(v?server ?group|load ?balancer|group)(id)?\b[^.]*n[o']t (be )?(exist|found)"
)


def classify(code: str, status: int | None, *, action: str = "", message: str = "") -> Kind:
    """Return what the API's error `code` with HTTP `status` means.

    `InvalidServerId.NotFound` speaks of the group where a server of it is changed, and of the
    instance where it is added. A code that is in no list is judged by the status alone, which for
    most of the reference's is 400 and says nothing: UNKNOWN.
    """
    lowered = code.lower()
    if lowered == "invalidserverid.notfound" and not action.startswith("Add"):
        return Kind.GONE
    if lowered == "resourcenotfound.servergroup" and action.startswith("Remove"):
        return Kind.GONE  # there is nothing left to be removed from
    if lowered == "invalidparameter":
        return _invalid_parameter(status, message.lower())
    known = _BY_CODE.get(lowered)
    if known is not None:
        return known
    for pattern, kind in _BY_PATTERN:
        if pattern.search(lowered):
            return kind
    return _by_status(status)


def _invalid_parameter(status: int | None, message: str) -> Kind:
    """`InvalidParameter` stands for a server that is there already, for a vServer group that does
    not exist (as 404 and as 400), for a passing failure (503), and for what its name says."""
    if "already exist" in message:
        return Kind.CONFLICT
    if status == 404 or (status == 400 and _GROUP_MISSING.search(message)):
        return Kind.NOT_FOUND
    return Kind.INVALID if status == 400 else _by_status(status)


def _by_status(status: int | None) -> Kind:
    if status is None or status >= 500 or status < 400:
        return Kind.UNAVAILABLE
    return {409: Kind.BUSY, 429: Kind.THROTTLED, 449: Kind.BUSY}.get(status, Kind.UNKNOWN)
