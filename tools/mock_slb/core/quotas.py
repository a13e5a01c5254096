"""Quotas on calls: each action of a product has a token bucket, shared by all of an account.

A bucket starts full, holds what a minute refills, and a call that is refused costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mock_slb.core import errors

_CLB_WRITES = (
    "AddBackendServers",
    "SetBackendServers",
    "RemoveBackendServers",
    "AddVServerGroupBackendServers",
    "SetVServerGroupAttribute",
    "RemoveVServerGroupBackendServers",
)
_GROUP_WRITES = (
    "AddServersToServerGroup",
    "UpdateServerGroupServersAttribute",
    "RemoveServersFromServerGroup",
)

PUBLISHED: Mapping[tuple[str, str], float] = {
    **{("slb", action): 90.0 for action in _CLB_WRITES},
    ("slb", "DescribeVServerGroupAttribute"): 3000.0,
    **{("alb", action): 200.0 for action in _GROUP_WRITES},
    **{("nlb", action): 200.0 for action in _GROUP_WRITES},
    ("nlb", "ListServerGroups"): 20.0 * 60,
    ("nlb", "ListServerGroupServers"): 20.0 * 60,
    ("nlb", "ListListeners"): 20.0 * 60,
    ("nlb", "ListLoadBalancers"): 20.0 * 60,
    ("alb", "GetListenerHealthStatus"): 20.0 * 60,
    ("nlb", "GetListenerHealthStatus"): 10.0 * 60,
}
"""Calls a minute by product and action, as far as Alibaba Cloud publishes them: API rate quotas, a
page of each product's API reference (slb 2014-05-15, alb 2020-06-16, nlb 2022-04-30).

Of ALB's writes only the figure for Add is published; it stands for the other two as well.
"""

ROUNDING = 1e-9


@dataclass
class _Bucket:
    tokens: float
    at: float


class Quotas:
    """No action is limited until `set` or `set_published` says so. Guarded by the caller's lock.

    `now` gives seconds on any clock that does not go back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._per_minute: dict[tuple[str, str], float] = {}
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def set(self, product: str, action: str, per_minute: float | None) -> None:
        """Limit an action from now on, with a full bucket; None lifts the limit."""
        key = (product, action)
        self._buckets = {k: b for k, b in self._buckets.items() if k[:2] != key}
        self._per_minute.pop(key, None)
        if per_minute is not None:
            self._per_minute[key] = per_minute

    def set_published(self) -> None:
        """Limit all actions for which a figure is published."""
        for (product, action), per_minute in PUBLISHED.items():
            self.set(product, action, per_minute)

    def try_take(self, product: str, action: str, region: str) -> bool:
        """Tell whether one more call may be made now; if so it is counted."""
        per_minute = self._per_minute.get((product, action))
        if per_minute is None:
            return True
        now = self._now()
        bucket = self._buckets.setdefault((product, action, region), _Bucket(per_minute, now))
        refilled = bucket.tokens + max(0.0, now - bucket.at) * per_minute / 60
        bucket.tokens, bucket.at = min(per_minute, refilled), now
        if bucket.tokens < 1.0 - ROUNDING:
            return False
        bucket.tokens -= 1.0
        return True

    def take(self, product: str, action: str, region: str) -> None:
        """Count one more call. Raises ApiError where there is no quota left for it."""
        if not self.try_take(product, action, region):
            raise errors.throttled()

    def view(self) -> dict[str, float]:
        """Calls a minute by `product.action`, ready for JSON."""
        return {f"{product}.{action}": n for (product, action), n in self._per_minute.items()}
