"""Which instances ECS has, whatever it answers: in doubt nobody is gone."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slb_registration.cloud.client import Cloud
from slb_registration.commands import errand
from slb_registration.commands.orphans import Entry, Verdict
from slb_registration.commands.orphans.instances import Instances, ask_once
from slb_registration.commands.orphans.verdicts import judge
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.server_group import BackendServer, ListenerHealth

ME, OTHER = "i-self", "i-other"

# Any JSON, with what is right somewhere in it more often than by chance.
names = st.sampled_from(["Instances", "Instance", "InstanceId", "NextToken", "RequestId"])
leaves = st.none() | st.booleans() | st.integers() | st.sampled_from([ME, OTHER, "", "i-\x1b[2J"])
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)
listed = st.fixed_dictionaries({"InstanceId": leaves | st.just(ME)}) | anything
answers = st.fixed_dictionaries(
    {"Instances": st.fixed_dictionaries({"Instance": st.lists(listed, max_size=3)}) | anything},
    optional={"NextToken": leaves},
)


class Odd:
    """Answers every call with the next of these, then with the last for ever."""

    region = "cn-hangzhou"

    def __init__(self, told: list[Any]) -> None:
        self._told = told
        self.calls = 0

    def call(self, request: object) -> dict[str, Any]:
        del request
        self.calls += 1
        assert self.calls < 100, "calls without end"
        answer = self._told[min(self.calls, len(self._told)) - 1]
        return answer if isinstance(answer, dict) else {}


def asked(*told: Any) -> Instances:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errand, "PATIENCE_SECONDS", 0.0)
        return ask_once(cast(Cloud, Odd(list(told))), [OTHER], ME)


def seen(told: Any) -> bool:
    """Whether this VM is told of where instances are told of."""
    try:
        return any(one["InstanceId"] == ME for one in told["Instances"]["Instance"])
    except (TypeError, KeyError):
        return "'InstanceId': 'i-self'" in str(told)


@settings(max_examples=100, deadline=None)
@given(st.lists(answers, min_size=1, max_size=3))
def test_only_an_answer_with_this_vm_can_tell_that_another_is_gone(told: list[Any]):
    found = asked(*told)
    assert not found.present & found.absent
    if found.absent:
        assert any(map(seen, told))
        assert found.silent is None
    else:
        assert found.present or found.silent


def test_what_is_there_and_what_is_not():
    def page(*ids: str) -> dict[str, Any]:
        return {"Instances": {"Instance": [{"InstanceId": id_} for id_ in ids]}}

    assert asked(page(ME)) == Instances(absent=frozenset({OTHER}))
    assert asked(page(ME, OTHER)) == Instances(present=frozenset({OTHER}))
    for proves_nothing in (
        page(),
        page(OTHER),
        page(ME, "i-unasked"),
        {**page(ME), "NextToken": "x"},
    ):
        assert asked(proves_nothing).absent == frozenset()
        assert asked(proves_nothing).silent


# Verdicts

SPEC = GroupSpec("nlb", None, None, 80, 100, None, server_group_id="sgp-1")
STATUSES = ("normal", "abnormal", "unavailable")
types = st.sampled_from(["ecs", "eni", "ip", "eci"])
ids = st.sampled_from(["i-1", "i-2", "eni-1", "192.168.0.1"])


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    server = BackendServer(draw(ids), 80, draw(st.sampled_from([0, 100])), "bosh/x",
                           server_type=draw(types))  # fmt: skip
    health = draw(st.lists(st.sampled_from(STATUSES), max_size=2))
    told = tuple(ListenerHealth(80, "tcp", server.server_id, 80, one) for one in health)
    return Entry("nlb/sgp-1", SPEC, server, told)


some_ids = st.frozensets(ids)


@settings(max_examples=100, deadline=None)
@given(st.lists(entries(), max_size=4), some_ids, some_ids, st.booleans())
def test_nobody_is_gone_whom_anybody_knows_to_be_there(
    held: list[Entry], present: frozenset[str], absent: frozenset[str], more: bool
):
    normal = {
        one.server.server_id for one in held if any(each.status == "normal" for each in one.health)
    } | ({"i-2"} if more else set())
    instances = Instances(present, absent - present)
    for one in judge(held, instances, normal, "spec-1"):
        id_, is_instance = one.entry.server.server_id, one.entry.server.server_type == "ecs"
        if id_ in normal or (is_instance and id_ in present and id_.startswith("i-")):
            assert one.verdict in (Verdict.ALIVE, Verdict.DISPUTED)
        if one.verdict is Verdict.GONE:
            assert is_instance
            assert id_ in instances.absent
        if one.verdict is Verdict.GUESS:
            assert any(each.status == "abnormal" for each in one.entry.health)
