"""What an operator is told of a VM that is not in service in a server group."""

from __future__ import annotations

from typing import Any, cast

import pytest

from slb_registration.awaited import LASTING_SECONDS, Awaited, by_nobody
from slb_registration.config import GroupSpec
from slb_registration.errors import Kind
from slb_registration.goal import Identity, Phase, Policy, Wish
from slb_registration.health import Check, Checker, Health
from slb_registration.reasons import Local, reason
from slb_registration.registrar import Registrar
from slb_registration.server_groups import ListenerHealth
from slb_registration.server_groups.listener_health import NO_NODE
from slb_registration.status import GroupStatus, Origin, describe
from slb_registration.steps import Op

from .driver import (
    HEALTHY,
    HELD,
    LOWER,
    REMOVE,
    UNHEALTHY,
    Driver,
    MemoryGroup,
    failure,
    group_status,
)

SPEC = GroupSpec("clb", "lb-1", None, None, 100, None)


class Checked:
    """A local check and what it has last said."""

    def __init__(self, health: Health, detail: str) -> None:
        self.health, self.detail = health, detail


def local(health: Health, detail: str = "answered 503, expected 200") -> Local:
    one = "http 127.0.0.1:8080/health", Checked(health, detail)
    return [cast("tuple[Check, Checker]", one)]


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
    registrar = Registrar(Identity("i-self", None, 100), Policy(), interval=30)
    driver = Driver()
    driver.add(registrar, MemoryGroup())
    seen: list[str | None] = [reason(_status(registrar), ())]
    driver.want(wish)
    driver.run(5)
    seen.append(reason(_status(registrar), ()))
    assert all(seen)
    assert part in str(seen[1])


def test_a_vm_in_service_loses_its_reason():
    registrar = Registrar(Identity("i-self", None, 100), Policy(), interval=30)
    driver = Driver()
    driver.add(registrar, MemoryGroup())
    driver.want(HEALTHY)
    driver.run(5)
    assert reason(_status(registrar), ()) is None


def _status(registrar: Registrar) -> GroupStatus:
    return describe(registrar, SPEC, "clb/lb-1", Origin.MANIFEST)


def test_what_only_a_person_can_mend_is_marked_with_what_stays_the_same_of_it():

    registrar = Registrar(Identity("i-self", None, 100), Policy(), interval=30)
    driver = Driver()
    denied = failure(Kind.DENIED, 403, "Forbidden.RAM")
    driver.add(registrar, MemoryGroup(fail=lambda op: (denied, False) if op is Op.FIND else None))
    driver.run(1)
    status = _status(registrar)
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
