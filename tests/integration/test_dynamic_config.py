"""Files in which co-located jobs ask for server groups, while the agent runs as a process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.integration.cloud import BALANCER, ME, OTHERS, VSERVER_GROUP, Cloud
from tests.integration.service import HEALTH_PATH, serving
from tests.integration.vm import Vm
from tests.waiting import eventually


class Jobs:
    """The folders of the jobs beside ours, which names one load balancer itself."""

    def __init__(self, vm: Vm) -> None:
        self.folder = vm.folder / "jobs"
        pattern = f"{self.folder}/*/config/slb_registration.json"
        vm.configure(load_balancer_id=BALANCER, dynamic_config_globs=[pattern])

    def path(self, job: str) -> Path:
        return self.folder / job / "config/slb_registration.json"

    def write(self, job: str, **document: Any) -> None:
        self.path(job).parent.mkdir(parents=True, exist_ok=True)
        self.path(job).write_text(json.dumps(document))


def in_group(cloud: Cloud) -> int | None:
    """This VM's weight in the vServer group."""
    me = [one for one in cloud.vserver_group.servers() if one.server_id == ME]
    return me[0].weight if me else None


def test_a_file_that_comes_is_joined_with_a_check_of_its_own_and_left_when_it_goes(
    vm: Vm, cloud: Cloud
) -> None:
    jobs = Jobs(vm)
    vm.start()
    vm.until("in service")
    with serving() as other:
        other.healthy = False
        jobs.write(
            "web",
            port=vm.port,
            server_groups=[{"vserver_group_id": VSERVER_GROUP, "weight": 30}],
            health_check={
                "type": "http", "port": other.port, "path": HEALTH_PATH, "interval": 0.1,
                "healthy_threshold": 1, "unhealthy_threshold": 1,
            },
        )  # fmt: skip
        eventually(lambda: in_group(cloud) == 0)
        assert cloud.weight == 100  # each group has its own service
        other.healthy = True
        eventually(lambda: in_group(cloud) == 30)
        status = vm.until("in service")
        (group,) = [one for one in status["groups"] if one["vserver_group_id"]]
        assert group["because_of"] == str(jobs.path("web"))
        assert [one["groups"] for one in status["dynamic_configs"]] == [[group["name"]]]

        jobs.path("web").unlink()
        eventually(lambda: in_group(cloud) is None)
    eventually(lambda: len((vm.status() or {"groups": ()})["groups"]) == 1)
    assert cloud.weight == 100
    left = {one.server_id: one.weight for one in cloud.vserver_group.servers()}
    assert left == OTHERS


def test_a_bad_file_is_reported_everywhere_and_changes_nothing_even_over_a_restart(
    vm: Vm, cloud: Cloud
) -> None:
    jobs = Jobs(vm)
    groups = [{"vserver_group_id": VSERVER_GROUP, "port": vm.port}]
    jobs.write("web", server_groups=groups)
    agent = vm.start()
    vm.until("in service")
    jobs.write("web", server_groups=[{**groups[0], "wieght": 30}])
    (warning,) = eventually(lambda: vm.events("a co-located job's file cannot be used as it is"))
    assert "did you mean weight?" in warning["because"]

    agent.terminate()
    mark = cloud.mark
    vm.start()
    eventually(lambda: in_group(cloud) == 100 and vm.status())
    vm.until("in service")
    assert cloud.writes(mark) == []
    assert str(jobs.path("web")) in vm.command("status").text
    checked = vm.command("check")
    assert checked.code == 1
    assert "wieght" in checked.err
    valid = vm.command("validate", "--pre-start")
    assert valid.code == 0
    assert any("wieght" in event.get("because", "") for event in valid.events)
    waited = vm.command("wait")
    assert waited.code == 0
    assert any("wieght" in event.get("because", "") for event in waited.events)


def test_a_drain_takes_the_vm_out_of_what_files_have_asked_for_too(vm: Vm, cloud: Cloud) -> None:
    jobs = Jobs(vm)
    jobs.write("web", server_groups=[{"vserver_group_id": VSERVER_GROUP, "port": vm.port}])
    agent = vm.start()
    vm.until("in service")
    agent.kill()
    assert vm.command("drain").code == 0  # without the agent
    assert (cloud.weight, in_group(cloud)) == (None, None)
