"""Who the VM is: the metadata service in all its forms, and when it is not there."""

from __future__ import annotations

import json

import pytest
from tests.integration.cloud import BALANCER, ME, REGION, Cloud
from tests.integration.vm import Vm
from tests.waiting import eventually

from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.gateway.fault_presets import preset

ASKED_OF_GROUPS = ("mac", "network*", "private-ipv4")


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


# As which server it stands in a group


class ByInterface:
    """Two groups, one by the instance, one by its network interface, named here or in a file."""

    def __init__(
        self, vm: Vm, cloud: Cloud, *, by_file: bool = False, **properties: object
    ) -> None:
        self.cloud = cloud
        cloud.account.change_seconds = 0.2
        self.group: ServerGroup = cloud.account.alb.add_server_group("sgp-bp1alb")
        cloud.account.alb.add_load_balancer("alb-bp1").add_listener(80, server_group="sgp-bp1alb")
        entry = {"product": "alb", "server_group_id": "sgp-bp1alb", "server_type": "eni"}
        entries: list[dict[str, object]] = [{**entry, "port": vm.port}]
        self.name = f"alb/sgp-bp1alb:{vm.port}@?/?"
        jobs = vm.folder / "jobs"
        jobs.mkdir()
        if by_file:
            (jobs / "web.json").write_text(json.dumps({"server_groups": entries}))
            entries = []
        plain: dict[str, object] = {"load_balancer_id": BALANCER}
        globs = [f"{jobs}/*.json"]
        vm.configure(server_groups=[plain, *entries], dynamic_config_globs=globs, **properties)

    def lose_answers(self) -> None:
        for path in ASKED_OF_GROUPS:
            self.cloud.inject(preset("unavailable", f"metadata:meta-data/{path}"))

    @property
    def weights(self) -> list[int | None]:
        """In the one, and in the other."""
        servers = self.group.servers()
        assert len(servers) <= 1
        return [self.cloud.weight, servers[0].weight if servers else None]


@pytest.mark.parametrize("by_file", [False, True])
def test_a_new_start_that_gets_no_answer_leaves_a_group_as_it_is(
    vm: Vm, cloud: Cloud, by_file: bool
) -> None:
    """Found by running: weight 100 became 0, and the registration was removed."""
    groups = ByInterface(vm, cloud, by_file=by_file)
    agent = vm.start()
    eventually(lambda: groups.weights == [100, 100])
    vm.until("in service")
    agent.terminate()
    groups.lose_answers()
    mark = cloud.mark

    vm.start()
    vm.until("in service")
    eventually(lambda: len([one for one in asked(cloud) if one[0].endswith("/mac")]) >= 3)

    assert groups.weights == [100, 100]
    made = {call.action for call in cloud.since(mark)}
    assert not [action for action in made if action.startswith(("Remove", "Update", "Set", "Add"))]
    assert vm.status()["state"] == "in service"  # type: ignore[index]


@pytest.mark.parametrize("running", [True, False])
def test_a_drain_that_gets_no_answer_takes_out_what_the_journal_has(
    vm: Vm, cloud: Cloud, running: bool
) -> None:
    """Found by running: it ended with this VM in rotation, in groups of all kinds."""
    groups = ByInterface(vm, cloud)
    agent = vm.start()
    eventually(lambda: groups.weights == [100, 100])
    vm.until("in service")
    agent.terminate()
    groups.lose_answers()
    if running:
        vm.start()
        eventually(lambda: (vm.status() or {"groups": ()})["groups"])

    lowered = vm.command("drain", "--pre-stop")
    assert (lowered.code, groups.weights) == (0, [0, 0])
    drained = vm.command("drain", "--after-pre-stop")
    assert (drained.code, groups.weights) == (0, [None, None])


def test_a_group_that_waits_for_an_answer_is_told_and_post_start_waits_for_it(
    vm: Vm, cloud: Cloud
) -> None:
    groups = ByInterface(vm, cloud, post_start={"timeout": 2})
    groups.lose_answers()
    vm.start()
    eventually(lambda: groups.weights == [100, None])
    status = vm.until("partly in service")

    waited, checked = vm.command("wait"), vm.command("check")

    (group,) = [one for one in status["groups"] if one["server_type"] == "eni"]
    assert (group["name"], group["wanted"], group["in_service"]) == (groups.name, True, False)
    assert "answered 503 to mac" in group["reason"]
    assert (waited.code, checked.code) == (1, 1)
    (because,) = [event["because"] for event in waited.events if event["level"] == "error"]
    assert because.startswith(f"{groups.name}: metadata service")
    assert "answered 503 to mac" in checked.err
    assert f"{groups.name} state unknown server" in vm.command("status").text
    drained = vm.command("drain")  # there is nothing to take out of a group it was never in
    assert (drained.code, groups.weights) == (0, [None, None])
    assert "may still be in rotation" not in drained.err

    assert vm.command("resume").code in (0, 1)
    cloud.mend()
    eventually(lambda: groups.weights == [100, 100])
