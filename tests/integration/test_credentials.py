"""Keys that change while the agent runs: of a role, of STS, and in a file."""

from __future__ import annotations

import json

import pytest
from tests.integration.cloud import ACCESS_KEY, BALANCER, SECRET_KEY, Cloud
from tests.integration.vm import Vm
from tests.waiting import eventually

ROLE = "slb-registration"


def without_keys(vm: Vm, cloud: Cloud, **properties: object) -> None:
    """Render a manifest that has no keys."""
    endpoints = dict.fromkeys(("slb", "sts", "metadata"), cloud.url)
    vm.render(
        {
            "endpoints": endpoints,
            "load_balancer_id": BALANCER,
            "health_check": {"type": "none"},
            "reconcile_interval": 0.2,
            **properties,
        }
    )


def no_key_is_told(vm: Vm, cloud: Cloud) -> None:
    said = vm.output()
    for key in cloud.account.access_keys():
        for secret in (key.id, key.secret, key.security_token or key.secret):
            assert secret not in said
            assert secret not in vm.config.read_text()


@pytest.mark.thorough
def test_the_role_of_the_instance_registers_it_and_takes_it_out(vm: Vm, cloud: Cloud) -> None:
    cloud.account.add_role(ROLE)
    cloud.account.remove_key(ACCESS_KEY)
    without_keys(vm, cloud, credential_source="ecs_ram_role")

    vm.start()
    eventually(lambda: cloud.weight == 100)
    checked = vm.command("check")
    drained = vm.command("drain")

    assert checked.code == 0
    assert drained.code == 0
    assert cloud.me is None
    no_key_is_told(vm, cloud)


def test_a_role_is_assumed_over_the_role_of_the_instance(vm: Vm, cloud: Cloud) -> None:
    arn = cloud.account.add_role(ROLE).arn
    cloud.account.remove_key(ACCESS_KEY)
    without_keys(vm, cloud, credential_source="assume_role", role_arn=arn)

    vm.start()
    eventually(lambda: cloud.weight == 100)

    assert [call.action for call in cloud.calls if call.product == "sts"] == ["AssumeRole"]
    no_key_is_told(vm, cloud)


def test_a_vm_whose_role_comes_late_registers_by_itself(vm: Vm, cloud: Cloud) -> None:
    without_keys(vm, cloud, credential_source="ecs_ram_role")

    agent = vm.start()
    eventually(lambda: vm.events("no credentials yet; trying again"))
    cloud.account.add_role(ROLE)
    eventually(lambda: cloud.weight == 100)

    assert agent.running
    (event,) = vm.events("no credentials yet; trying again")
    assert "attach a RAM role to this instance" in event["error"]


def test_keys_that_are_rotated_in_their_file_are_used_without_a_restart(
    vm: Vm, cloud: Cloud
) -> None:
    file = vm.folder / "keys.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}))
    without_keys(vm, cloud, credentials_file=str(file))
    vm.start()
    eventually(lambda: cloud.weight == 100)

    cloud.account.add_key("LTAI5tTheNextAccessKey", "the/Next+secret=")
    file.write_text('{"access_key": "LTAI5tTheNex')  # half
    eventually(lambda: vm.events("going on with the credentials of before"))
    new = {"access_key": "LTAI5tTheNextAccessKey", "secret_key": "the/Next+secret="}
    file.write_text(json.dumps(new))
    eventually(lambda: len(vm.events("credentials read from the file")) == 2)
    cloud.account.remove_key(ACCESS_KEY)
    cloud.balancer.default_group.remove_server(cloud.me.server_id)  # so that there is work
    eventually(lambda: cloud.weight == 100)

    no_key_is_told(vm, cloud)
