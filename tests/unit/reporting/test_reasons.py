"""What an operator is told of a VM that is not in service in a server group."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.unit.driver import (
    HEALTHY,
    HELD,
    LOWER,
    REMOVE,
    UNHEALTHY,
    MemoryGroup,
    alone,
    failure,
    group_status,
    member,
)

from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Phase, Wish
from slb_registration.model.errors import Kind
from slb_registration.model.health import Health
from slb_registration.model.operations import Op
from slb_registration.model.server_group import BackendServer, ListenerHealth
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.probes.checker import Check, Checker
from slb_registration.reconcile.registrar import Registrar
from slb_registration.reporting.group_status import describe
from slb_registration.reporting.reasons import Local, kept, reason
from slb_registration.server_groups.listener_health import NO_NODE
from slb_registration.support.supervision.awaited import LASTING_SECONDS, Awaited, by_nobody

SPEC = GroupSpec("clb", "lb-1", None, None, 100, None)


class Checked:
    """A local check and what it has last said."""

    def __init__(self, health: Health, detail: str) -> None:
        self.health, self.detail = health, detail


def local(health: Health, detail: str = "answered 503, expected 200") -> Local:
    one = "http 127.0.0.1:8080/health", Checked(health, detail)
    return [cast("tuple[Check, Checker]", one)]


FAILS = local(Health.UNHEALTHY)


def listener(status: str, *, checked: bool = True, reason: str = "") -> ListenerHealth:
    return ListenerHealth(80, "tcp", "i-self", 8080, status, checked=checked, reason=reason)


def said(checks: Local = (), **changes: Any) -> str | None:
    return reason(group_status(SPEC, **changes), checks)


def test_of_a_vm_that_is_in_service_nothing_is_said():
    assert said(health=(listener("normal"), listener("unavailable", checked=False))) is None


def test_at_weight_0_no_health_is_waited_for():
    """SLB may stop checking such a server: ALB does, and NLB calls it unused."""
    assert said(weight=0, health_known=False) is None


def test_an_error_of_the_api_says_all():
    assert said(error="AddBackendServers: Forbidden.RAM", in_service=False) == (
        "AddBackendServers: Forbidden.RAM"
    )


def test_the_local_check_that_fails_is_told_with_its_last_answer():
    text = said(local(Health.UNHEALTHY), in_service=False, state="unhealthy", weight=0)
    assert text == (
        "weight 0: the local check fails: http 127.0.0.1:8080/health (answered 503, expected 200)"
    )


@pytest.mark.parametrize(
    ("checks", "part"),
    [
        (local(Health.UNKNOWN, "not checked yet"), "has not decided yet: http 127.0.0.1:8080"),
        ((), "health_check.port"),
    ],
)
def test_a_check_without_a_verdict_is_told(checks: Local, part: str):
    text = said(checks, in_service=False, state="waiting for health", weight=0)
    assert part in str(text)


@pytest.mark.parametrize(
    ("status", "checks", "parts"),
    [
        ("abnormal", local(Health.HEALTHY), ("tcp:80 is abnormal;", "security group")),
        ("abnormal", local(Health.UNHEALTHY), ("tcp:80 is abnormal;", "answered 503")),
        ("abnormal", (), ("tcp:80 is abnormal;",)),
        ("unavailable", local(Health.HEALTHY), ("tcp:80 is unavailable;", "may not have finished")),
    ],
)
def test_what_slb_says_is_told_with_what_the_vm_knows(status, checks, parts):
    text = said(checks, health=(listener(status), listener("normal")))
    assert all(part in str(text) for part in parts)
    assert "is normal" not in str(text)


def test_a_group_that_is_only_read_says_so():
    text = said(
        in_service=False, weight=None, state="not registered", read_only="cannot be changed"
    )
    assert text == "this VM is not in it, and cannot be changed"


@pytest.mark.parametrize(
    ("wish", "part"),
    [
        (HELD, "resume"),
        (LOWER, "drain"),
        (REMOVE, "drain"),
        (UNHEALTHY, "the local check fails"),
        (Wish(Phase.SERVE, Health.UNKNOWN), "the port to check"),
    ],
)
def test_every_state_that_the_registrar_comes_to_has_a_reason_of_its_own(wish: Wish, part: str):
    driver, agent = alone(MemoryGroup())
    registrar = agent.registrar
    seen: list[str | None] = [reason(_status(registrar), ())]
    driver.want(wish)
    driver.run(5)
    seen.append(reason(_status(registrar), ()))
    assert all(seen)
    assert part in str(seen[1])


def turned(group: MemoryGroup, wish: Wish, fail: Any) -> Registrar:
    """A VM that was in service when calls began to fail, and its wish changed."""
    driver, agent = alone(group)
    registrar = agent.registrar
    driver.want(HEALTHY)
    driver.run(1)
    group.fail = fail
    driver.want(wish)
    driver.run(1)
    return registrar


def three_more() -> dict[str, BackendServer]:
    return {name: member(name) for name in ("i-1", "i-2", "i-3")}


def throttled(*ops: Op) -> Any:
    refused = failure(Kind.THROTTLED, 400, "Throttling.User")
    return lambda op: (refused, False) if op in ops else None


@pytest.mark.parametrize("op", [Op.SET_WEIGHT, Op.FIND])
def test_a_lowering_that_waits_for_quota_is_told_as_such(op: Op):
    text = str(reason(_status(turned(MemoryGroup(three_more()), UNHEALTHY, throttled(op))), FAILS))
    assert text.startswith("weight 100 although the local check fails: http 127.0.0.1:8080")
    assert "Throttling.User" in text
    assert text.endswith("it waits for its turn at the quota of the account")
    assert "panic" not in text


def test_a_hold_that_is_not_seen_through_says_that_the_vm_is_in_rotation():
    held = turned(MemoryGroup(three_more()), HELD, throttled(Op.SET_WEIGHT))
    text = str(reason(_status(held), ()))
    assert text.startswith("weight 100 although it is held: Action: Throttling.User")


def test_the_panic_threshold_is_named_where_it_is_what_keeps_the_vm():
    status = _status(turned(MemoryGroup({"i-1": member("i-1", 0)}), UNHEALTHY, lambda op: None))
    assert reason(status, FAILS) is None  # it is in service, and no deploy fails for that
    assert kept(status, FAILS) == (
        "kept in rotation although the local check fails: http 127.0.0.1:8080/health (answered "
        "503, expected 200): panic_threshold: the group has 1 with a weight above 0, and needs 1"
    )


@pytest.mark.parametrize("op", [Op.SET_WEIGHT, Op.FIND])
def test_nothing_keeps_a_vm_that_only_cannot_be_lowered(op: Op):
    status = _status(turned(MemoryGroup(three_more()), UNHEALTHY, throttled(op)))
    assert kept(status, FAILS) is None


def test_what_is_ignored_is_said():
    text = kept(group_status(SPEC, unhealthy_ignored=True), FAILS)
    assert str(text).endswith("on_unhealthy is ignore")


def test_a_conflict_is_told_with_its_end():
    text = said(state="conflict", in_service=False, weight=7, conflict_until=100.0)
    assert text is not None
    assert text.endswith("left alone until 1970-01-01T00:01:40Z")
    at = reason(group_status(SPEC, state="conflict", conflict_until=100.0), (), 1_763_913_600.0)
    assert str(at).endswith("left alone until 2025-11-23T16:01:40Z")


def test_a_vm_in_service_loses_its_reason():
    driver, agent = alone(MemoryGroup())
    registrar = agent.registrar
    driver.want(HEALTHY)
    driver.run(5)
    assert reason(_status(registrar), ()) is None


def _status(registrar: Registrar) -> GroupStatus:
    return describe(registrar, SPEC, "clb/lb-1", Origin.MANIFEST)


def test_what_only_a_person_can_mend_is_marked_with_what_stays_the_same_of_it():
    denied = failure(Kind.DENIED, 403, "Forbidden.RAM")
    group = MemoryGroup(fail=lambda op: (denied, False) if op is Op.FIND else None)
    driver, agent = alone(group)
    driver.run(1)
    status = _status(agent.registrar)
    assert (status.needs_repair, status.error_code) == (True, "Action: Forbidden.RAM")


def test_that_post_start_waits_is_forgotten_when_it_says_so_no_more():
    now = [1000.0]
    awaited = Awaited(lambda: now[0])
    assert not awaited()
    assert awaited.say()
    assert not awaited.say()
    now[0] += LASTING_SECONDS - 0.1
    assert awaited()
    assert not awaited.say()
    now[0] += LASTING_SECONDS
    assert not awaited()
    assert awaited.say()
    assert not by_nobody()


def test_slbs_reason_is_told_with_its_verdict():
    refused = (listener("abnormal", reason="CONNECTION_REFUSED"),)
    text = said(local(Health.HEALTHY), health=refused)
    assert text is not None
    assert text.startswith("tcp:80 is abnormal (CONNECTION_REFUSED); the local check passes")


def test_where_the_load_balancer_has_no_node_no_check_is_to_blame():
    text = said(local(Health.HEALTHY), health=(listener("unavailable", reason=NO_NODE),))
    assert text == f"tcp:80 is unavailable ({NO_NODE})"
