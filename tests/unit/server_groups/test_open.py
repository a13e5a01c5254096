"""The adapter that a configured server group is opened with."""

from __future__ import annotations

import pytest
import responses
from tests.unit.driver import ACCESS_KEY, SECRET_KEY

from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.model.configuration import GroupSpec, StaticKeys
from slb_registration.server_groups.clb import DefaultGroup, VServerGroup
from slb_registration.server_groups.open import open_group


@pytest.fixture
def cloud(sdk: responses.RequestsMock) -> Cloud:
    return Cloud(Static(StaticKeys(ACCESS_KEY, SECRET_KEY, None)), "cn-hangzhou")


def spec(**given: object) -> GroupSpec:
    fields: dict[str, object] = dict.fromkeys(
        ("load_balancer_id", "vserver_group_id", "port", "description")
    )
    return GroupSpec(**{"product": "clb", "weight": 100, **fields, **given})  # type: ignore[arg-type]


def test_a_spec_opens_the_adapter_of_its_kind_without_a_call(cloud: Cloud):
    default = open_group(cloud, spec(load_balancer_id="lb-1"))
    assert isinstance(default, DefaultGroup)
    assert (default.name, default.port) == ("clb/lb-1", None)
    virtual = open_group(cloud, spec(vserver_group_id="rsp-1", port=8080))
    assert isinstance(virtual, VServerGroup)
    assert (virtual.name, virtual.port) == ("clb/rsp-1:8080", 8080)


def test_a_spec_without_a_group_is_refused(cloud: Cloud):
    with pytest.raises(ValueError, match="no adapter"):
        open_group(cloud, spec())
