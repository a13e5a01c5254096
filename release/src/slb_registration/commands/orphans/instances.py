"""Asks ECS which instances there are: DescribeInstances (Ecs 2014-05-26), whose SDK has no blob.

https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-describeinstances
Instances that are stopped are listed, those that were released are not. Without the permission,
and for instances that a policy does not reach, the list lacks them, and no error says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aliyunsdkcore.request import RpcRequest

from slb_registration.cloud.client import Cloud
from slb_registration.commands.errand import patiently
from slb_registration.model.errors import ApiError, Kind
from slb_registration.server_groups.answers import checked_list, incomplete, text

IDS_AT_ONCE = 100
"""The most ids that DescribeInstances takes, and the most entries of a page."""

AGAIN_SECONDS = 3.0
"""After so long ECS is asked once more for what it did not list: a read may lag."""

PAGES_AT_MOST = 10
_ACTION = "DescribeInstances"


@dataclass(frozen=True)
class Instances:
    """The ids that ECS was asked for, by what it says: `present`, `absent`, or neither.

    `silent`: why it says neither of some, None where it was not asked in vain. `failed`: that may
    be different at another try.
    """

    present: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    silent: str | None = None
    failed: bool = False


def ask(cloud: Cloud, ids: Iterable[str], me: str) -> Instances:
    """Ask for instances of the region; for what is not there twice."""
    first = ask_once(cloud, ids, me)
    if not first.absent:
        return first
    time.sleep(AGAIN_SECONDS)
    second = ask_once(cloud, first.absent, me)
    return Instances(
        first.present | second.present,
        second.absent,
        first.silent or second.silent,
        first.failed or second.failed,
    )


def ask_once(cloud: Cloud, ids: Iterable[str], me: str) -> Instances:
    """Ask for instances of the region.

    Each call asks for this VM as well: an answer without it proves nothing of the others.
    """
    wanted = sorted(set(ids))
    present: set[str] = set()
    absent: set[str] = set()
    step = IDS_AT_ONCE - 1
    for start in range(0, len(wanted), step):
        some = wanted[start : start + step]
        try:
            listed = patiently(lambda some=some: _listed(cloud, [me, *some]))  # type: ignore[misc]
        except ApiError as error:
            # What hinders one call hinders the next.
            return _told(present, absent, str(error), failed=not error.barred)
        if me not in listed:
            return _told(present, absent, _does_not_list(me, cloud.region))
        present.update(one for one in some if one in listed)
        absent.update(one for one in some if one not in listed)
    return _told(present, absent)


def _told(
    present: set[str], absent: set[str], silent: str | None = None, *, failed: bool = False
) -> Instances:
    return Instances(frozenset(present), frozenset(absent), silent, failed)


def _does_not_list(me: str, region: str) -> str:
    return (
        f"it does not list this VM, {me}, either: the keys lack ecs:DescribeInstances "
        "(release/manifests/ram-policy.json), which it answers with an empty list, or they are of "
        f"another account, or {region} is another region than this VM's"
    )


def _listed(cloud: Cloud, ids: Sequence[str]) -> frozenset[str]:
    """Those of the ids that there are. Raises ApiError."""
    found: set[str] = set()
    tokens = {""}
    token = ""
    while True:
        answer = cloud.call(_request(ids, token))
        found |= {_id(item) for item in _items(answer)}
        if not found <= set(ids):  # then nothing is known of those that it lacks
            raise ApiError(
                _ACTION, Kind.UNAVAILABLE, "UnreasonableAnswer", "it tells of others than asked for"
            )
        token = str(answer.get("NextToken") or "")
        if not token:
            return frozenset(found)
        if token in tokens or len(tokens) > PAGES_AT_MOST:
            raise incomplete(_ACTION, "an end")
        tokens.add(token)


def _request(ids: Sequence[str], token: str) -> RpcRequest:
    """With both kinds of paging: where MaxResults is not known, PageSize counts. A page holds all
    that can be found either way."""
    request = RpcRequest("Ecs", "2014-05-26", "DescribeInstances")
    request.set_method("POST")
    request.add_query_param("InstanceIds", json.dumps(list(ids)))
    request.add_query_param("MaxResults", IDS_AT_ONCE)
    request.add_query_param("PageSize", IDS_AT_ONCE)
    if token:
        request.add_query_param("NextToken", token)
    return request


def _items(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Nobody documents how an empty list looks; as one that lacks this VM it proves nothing."""
    outer = answer.get("Instances") or {}
    inner = outer.get("Instance") if isinstance(outer, dict) else outer
    return checked_list(_ACTION, "Instances", inner or [])


def _id(item: Mapping[str, Any]) -> str:
    try:
        return text(item["InstanceId"])
    except (KeyError, TypeError):
        raise incomplete(_ACTION, "an instance's id") from None
