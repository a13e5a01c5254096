"""Active/standby groups of CLB: read, reported, and never written to."""

from __future__ import annotations

import pytest
import responses
from tests.unit.driver import (
    ACCESS_KEY,
    HEALTHY,
    HELD,
    LOWER,
    PORT,
    REMOVE,
    SECRET_KEY,
    UNHEALTHY,
    Driver,
)

from mock_slb.account.account import Account
from mock_slb.testing import attach
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.model.configuration import GroupSpec, StaticKeys
from slb_registration.model.errors import ApiError
from slb_registration.model.identity import Identity
from slb_registration.model.status import Origin
from slb_registration.reconcile.observed_state import Place
from slb_registration.reporting.group_status import describe
from slb_registration.server_groups.open import open_group


class Pair:
    """A group of this VM (active) and another one."""

    def __init__(self, mock: responses.RequestsMock, port: int | None = PORT) -> None:
        self.account = account = Account()
        account.add_key(ACCESS_KEY, SECRET_KEY)
        for name in ("i-self", "i-other", "i-third"):
            account.add_instance(name)
        balancer = account.add_load_balancer("lb-1")
        balancer.add_master_slave_group(
            "rsp-pair", master=("i-self", PORT), slave=("i-other", PORT)
        )
        balancer.add_listener(80, master_slave_group="rsp-pair")
        self.gateway = attach(mock, account)
        cloud = Cloud(Static(StaticKeys(ACCESS_KEY, SECRET_KEY, None)), account.region)
        self.spec = GroupSpec(
            "clb", None, None, port, 100, None, active_standby_group_id="rsp-pair"
        )
        self.group = open_group(cloud, self.spec)
        self.driver = Driver()

    def agent(self, server_id: str = "i-self"):
        me = Identity(server_id, self.group.port, 100, "bosh/x")
        return self.driver.join(self.group, me, read_only=self.group.read_only)

    def status(self, agent):
        return describe(agent.registrar, self.spec, self.group.name, Origin.MANIFEST)

    def writes(self) -> list[str]:
        names = ("Add", "Set", "Remove", "Modify", "Create", "Delete")
        return [call.action for call in self.gateway.calls.all() if call.action.startswith(names)]


@pytest.fixture
def pair(sdk: responses.RequestsMock) -> Pair:
    return Pair(sdk)


@pytest.mark.parametrize("port", [PORT, None])
def test_both_servers_are_read_with_their_health(sdk: responses.RequestsMock, port: int | None):
    pair = Pair(sdk, port)
    members = pair.group.find()
    assert {(one.server_id, one.port) for one in members.servers} == {
        ("i-self", port), ("i-other", port),
    }  # fmt: skip
    pair.account.force_health("i-self", "abnormal")
    told = {one.server_id: one.status for one in pair.group.health()}
    assert told["i-self"] == "abnormal"
    assert set(told) == {"i-self", "i-other"}


@pytest.mark.parametrize("wish", [HEALTHY, UNHEALTHY, HELD, LOWER, REMOVE])
@pytest.mark.parametrize("name", ["i-self", "i-third"])
def test_nothing_is_ever_written(pair: Pair, wish, name: str):
    pair.agent(name)
    pair.driver.want(HEALTHY)
    pair.driver.run(60)
    pair.driver.want(wish)
    pair.driver.run(600)
    assert pair.writes() == []


def test_a_member_is_in_service_and_one_that_is_not_is_said_not_to_be(pair: Pair):
    member, stranger = pair.agent(), pair.agent("i-third")
    pair.driver.want(HEALTHY)
    pair.driver.run(60)
    assert (pair.status(member).state, pair.status(member).in_service) == ("only reported", True)
    status = pair.status(stranger)
    assert (status.state, status.in_service) == ("not registered", False)
    assert "cannot be changed server by server" in status.read_only


@pytest.mark.parametrize("wish", [LOWER, REMOVE, HELD])
def test_what_cannot_be_brought_about_is_said_and_not_waited_for(pair: Pair, wish):
    agent = pair.agent()
    pair.driver.want(HEALTHY)
    pair.driver.run(60)
    pair.driver.want(wish)
    pair.driver.run(60)
    (event,) = agent.said("left as it is")
    assert event.level == "warning"
    assert "cannot be changed server by server" in event.fields["reason"]
    assert agent.registrar.group.at_least(Place.LEFT)


@pytest.mark.parametrize("write", ["add", "set_weight", "remove"])
def test_the_adapter_refuses_writes_without_a_call(pair: Pair, write: str):
    server = Identity("i-self", PORT, 100).server(0)
    with pytest.raises(ApiError, match="cannot be changed server by server") as caught:
        getattr(pair.group, write)(server)
    assert caught.value.hopeless
    assert pair.writes() == []
