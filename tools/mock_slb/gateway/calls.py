"""A log of what was asked and answered, for tests to assert on. It holds no secrets."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass

MAX_CALLS = 20_000
# Common parameters say nothing about the call; some of them are secret.
NOT_LOGGED = frozenset(
    {
        "AccessKeyId",
        "Action",
        "Format",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
        "Version",
    }
)


@dataclass(frozen=True)
class Call:
    """One call of the API, or one request to the metadata service."""

    number: int
    time: float
    """Seconds since the epoch, on the account's clock."""
    action: str
    """The Action, or `metadata:` and the path for the metadata service."""
    params: Mapping[str, str]
    status: int
    """HTTP status of the answer; 0 where the connection was reset instead."""
    code: str | None
    """Error code, None for success."""
    fault: str | None
    """The fault that was injected, if one was."""
    product: str | None = None
    """As in RAM's actions: slb, alb, nlb, sts, ecs; None for the metadata service."""

    @property
    def failed(self) -> bool:
        """Tell whether it was refused or cut, or a fault was at work on it."""
        return self.status != 200 or self.fault is not None


class CallLog:
    """The last MAX_CALLS calls, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=MAX_CALLS)
        self._count = 0

    def add(
        self,
        time: float,
        action: str,
        params: Mapping[str, str],
        *,
        status: int,
        code: str | None = None,
        fault: str | None = None,
        product: str | None = None,
    ) -> None:
        """Write one down."""
        kept = {name: value for name, value in params.items() if name not in NOT_LOGGED}
        with self._lock:
            self._count += 1
            self._calls.append(Call(self._count, time, action, kept, status, code, fault, product))

    def all(self, action: str | None = None) -> list[Call]:
        """Every call, or those of one action."""
        with self._lock:
            return [call for call in self._calls if action in {None, call.action}]

    def clear(self) -> None:
        """Forget what was written; numbers go on."""
        with self._lock:
            self._calls.clear()

    def view(self, since: int = 0) -> list[dict[str, object]]:
        """The calls with a number above `since`, ready for JSON."""
        return [asdict(call) for call in self.all() if call.number > since]
