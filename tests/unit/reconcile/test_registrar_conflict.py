"""SLB refuses to add this VM: it is there already, or another server holds its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.driver import HEALTHY, UNKNOWN, MemoryGroup, alone, failure, member

from slb_registration.model.configuration import GroupSpec
from slb_registration.model.errors import Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.model.server_group import BackendServer
from slb_registration.model.status import Origin
from slb_registration.reporting.group_status import describe

SPEC = GroupSpec("clb", "lb-1", None, None, 100, None)
ADDRESS = "10.0.0.7"
ME = Identity("i-new", None, 100, "bosh/spec-1", replaces=True, address=ADDRESS)
REFUSALS = [
    "Conflict.BackendServer",
    "DuplicatedParam.BackendServer",
    "ResourceInUse.IP",
    "InvalidBackendServers.ServerIpConflict",
]


class OneAnAddress(MemoryGroup):
    """A group that takes an address only once, as the products do."""

    def __init__(self, *servers: BackendServer, code: str = REFUSALS[0]) -> None:
        super().__init__({server.server_id: server for server in servers}, fail=self._refuse)
        self._code = code

    def _refuse(self, op: Op):
        taken = any(server.address == ADDRESS for server in self.servers.values())
        return (failure(Kind.CONFLICT, code=self._code), False) if op is Op.ADD and taken else None


def at_my_address(server_id: str, description: str) -> BackendServer:
    return replace(member(server_id, 100, description), address=ADDRESS)


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("wish", [UNKNOWN, HEALTHY])
def test_a_predecessor_that_holds_this_vms_address_makes_room(code: str, wish):
    """BOSH gives a VM that it makes again its old address."""
    group = OneAnAddress(
        at_my_address("i-old", "bosh/spec-1"), member("i-other", 100, "bosh/spec-2"), code=code
    )
    driver, agent = alone(group, ME)
    driver.want(wish)
    driver.run(30)
    assert sorted(group.servers) == ["i-new", "i-other"]
    assert agent.writes() == [Op.ADD, Op.REMOVE, Op.ADD]


def test_without_a_conflict_the_predecessor_leaves_only_once_this_vm_serves():
    group = MemoryGroup({"i-old": replace(member("i-old", 100, "bosh/spec-1"), address="10.0.0.8")})
    driver, agent = alone(group, ME)
    driver.run(120)
    assert agent.writes() == [Op.ADD]
    driver.want(HEALTHY)
    driver.run(30)
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT, Op.REMOVE]


@pytest.mark.parametrize("description", ["bosh/spec-2", "bosh/spec-10", "", "by hand"])
def test_anothers_entry_at_this_vms_address_is_named_and_left_alone(description: str):
    group = OneAnAddress(at_my_address("i-stranger", description))
    driver, agent = alone(group, ME)
    driver.want(HEALTHY)
    driver.run(600)
    assert sorted(group.servers) == ["i-stranger"]
    assert set(agent.writes()) == {Op.ADD}
    (event,) = agent.said("another server holds this VM's address")
    assert event.level == "warning"
    assert event.fields["server"] == "i-stranger"
    assert event.fields["address"] == ADDRESS
    status = describe(agent.registrar, SPEC, "g", Origin.MANIFEST)
    assert f"{ADDRESS} is held by i-stranger" in status.error
    del group.servers["i-stranger"]
    driver.run(120)
    assert sorted(group.servers) == ["i-new"]
    assert describe(agent.registrar, SPEC, "g", Origin.MANIFEST).error is None


def test_a_conflict_with_itself_is_no_conflict():
    """An answer was lost, and the next read lags: the server that is there is this VM."""
    group = MemoryGroup(fail=lambda op: None)
    driver, agent = alone(group, ME)
    group.servers["i-new"] = member("i-new", 0, "bosh/spec-1")
    group.hide(1)
    group._before = replace(group._before, servers=())
    group.fail = lambda op: (failure(Kind.CONFLICT), False) if op is Op.ADD else None
    driver.run(30)
    assert agent.said("another server holds this VM's address") == []
    driver.want(HEALTHY)
    driver.run(30)
    assert group.servers["i-new"].weight == 100
