"""Who the VM is: the metadata service in all its forms, and when it is not there."""

from __future__ import annotations

import pytest

from .cloud import ME, REGION, Cloud
from .vm import Vm, eventually


def asked(cloud: Cloud) -> list[tuple[str, int]]:
    """What the metadata service was asked, and how it answered."""
    calls = [call for call in cloud.calls if call.action.startswith("metadata:")]
    return [(call.action.removeprefix("metadata:"), call.status) for call in calls]


def test_a_hardened_service_is_asked_with_a_token_from_the_first_time_on(
    vm: Vm, cloud: Cloud
) -> None:
    cloud.account.metadata_mode = "hardened"

    vm.start()
    vm.until("in service")

    # What was asked without a token would have been refused.
    assert {status for _, status in asked(cloud)} == {200}
    assert asked(cloud)[:2] == [("token", 200), ("meta-data/instance-id", 200)]


def test_an_old_service_without_tokens_is_asked_plainly(vm: Vm, cloud: Cloud) -> None:
    cloud.account.metadata_mode = "old"

    vm.start()
    status = vm.until("in service")

    assert (status["instance_id"], status["region"]) == (ME, REGION)
    assert ("token", 404) in asked(cloud)


def test_a_service_that_is_gone_at_the_start_is_awaited(vm: Vm, cloud: Cloud) -> None:
    cloud.spoil("metadata_gone")

    agent = vm.start()
    status = vm.until("failing")
    eventually(lambda: len(asked(cloud)) >= 2)
    assert agent.running
    assert f"metadata service {cloud.url}: " in status["error"]
    assert "asking again in" in vm.events()[-1]["message"]
    cloud.mend()

    status = vm.until("in service")
    assert (status["error"], cloud.weight) == (None, 100)


def test_a_token_that_is_refused_never_leads_to_a_plain_read(vm: Vm, cloud: Cloud) -> None:
    cloud.account.metadata_mode = "hardened"
    cloud.spoil("unavailable", "metadata:token")

    vm.start()
    vm.until("failing")
    eventually(lambda: len(asked(cloud)) >= 2)

    assert set(asked(cloud)) == {("token", 503)}


def test_a_given_region_that_is_not_the_vms_is_remarked_on_wherever_somebody_looks(
    vm: Vm, cloud: Cloud
) -> None:
    vm.configure(
        ecs_region="cn-beijing", load_balancer_id="lb-elsewhere", post_start={"timeout": 2}
    )
    vm.start()
    vm.until("not in service")
    remark = f"region: cn-beijing is given, but this VM is in {REGION}"

    waited = vm.command("wait")

    assert len([event for event in vm.events() if event["message"].startswith(remark)]) == 1
    assert remark in vm.command("status").text
    assert remark in vm.command("check").err
    (warning,) = [event for event in waited.events if event["level"] == "warning"]
    assert warning["message"].startswith(remark)


def test_a_given_region_that_is_the_vms_is_no_matter(vm: Vm) -> None:
    vm.configure(ecs_region=REGION)
    vm.start()
    assert vm.until("in service")["remark"] is None


def test_a_given_instance_id_that_differs_is_refused_and_nothing_is_registered(
    vm: Vm, cloud: Cloud
) -> None:
    vm.configure(instance_id="i-bp1first")

    agent = vm.start()
    status = vm.until("failing")
    checked = vm.command("check")

    told = f"instance_id: i-bp1first is given, but this VM is {ME}: leave it out"
    assert status["error"] == told
    assert len([e for e in vm.events() if e["message"] == told]) == 1
    assert agent.running
    assert (checked.code, told in checked.err) == (1, True)
    assert cloud.since(0) == []


def test_a_given_instance_id_that_is_right_is_fine(vm: Vm, cloud: Cloud) -> None:
    vm.configure(instance_id=ME, region=REGION)

    vm.start()
    vm.until("in service")

    assert cloud.weight == 100


@pytest.mark.parametrize("name", ["drain", "check"])
def test_a_command_refuses_a_wrong_instance_id_and_writes_nothing(
    vm: Vm, cloud: Cloud, name: str
) -> None:
    vm.configure(instance_id="i-bp1first")

    done = vm.command(name)

    assert done.code == (0 if name == "drain" else 1)  # drain.on_error is continue
    assert "instance_id: i-bp1first is given" in done.err
    assert cloud.since(0) == []
