"""Answers of the API in which a field holds something odd."""

from __future__ import annotations

from typing import Any

ODD = (None, True, "", "x", -520, 0, 10**12, 1.5, [], ["x"], {}, {"x": None}, "\x1b[31m")
SETTING_ACTIONS = ("DescribeLoadBalancerListeners", "ListServerGroups", "ListListeners")


def spoiled(value: Any, name: str, odd: object) -> Any:
    """A copy in which every field of that name holds something odd."""
    if isinstance(value, dict):
        return {k: odd if k == name else spoiled(v, name, odd) for k, v in value.items()}
    return [spoiled(one, name, odd) for one in value] if isinstance(value, list) else value
