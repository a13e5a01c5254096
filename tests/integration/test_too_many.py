"""Co-located jobs that ask for more server groups than a VM can be in, of an agent as a process."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.cloud import BALANCER, ME, Cloud
from tests.integration.vm import Process, Vm
from tests.waiting import eventually

from mock_slb.clb.group import ServerGroup
from slb_registration.config.job_files import MOST_FILES
from slb_registration.model.configuration import MOST_GROUPS

THREADS_AT_MOST = MOST_GROUPS + 50
"""One a group, the checks of those that are registered, and what every agent has."""
MEBIBYTES_AT_MOST = 128
PATIENCE_SECONDS = 60.0
REAL = 20
"""Of the first file's groups, how many there are."""


class Jobs:
    """Jobs beside ours, each with a file that asks for as many groups as one may name."""

    def __init__(self, vm: Vm, cloud: Cloud) -> None:
        self._vm, self._cloud = vm, cloud
        self.folder = vm.folder / "jobs"
        vm.configure(
            load_balancer_id=BALANCER,
            discovery={"enabled": True, "interval": 1},
            dynamic_config_globs=[f"{self.folder}/*/config/slb_registration.json"],
            reconcile_interval=5,
        )

    def path(self, number: int) -> Path:
        return self.folder / f"job-{number:03}" / "config/slb_registration.json"

    def write(self, number: int) -> None:
        groups = [self.group(number, one) for one in range(MOST_GROUPS)]
        path = self.path(number)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"port": self._vm.port, "server_groups": groups}))

    @staticmethod
    def group(number: int, one: int) -> dict[str, object]:
        return {"vserver_group_id": f"rsp-{number:03}-{one:03}"}

    def exist(self, number: int, count: int) -> list[ServerGroup]:
        """Make the first groups of a file ones that there are."""
        ids = [str(self.group(number, one)["vserver_group_id"]) for one in range(count)]
        return [self._cloud.balancer.add_vserver_group(id_) for id_ in ids]


def kernel_says(agent: Process, field: str) -> int:
    text = Path(f"/proc/{agent.pid}/status").read_text()
    return int(text.partition(f"\n{field}:")[2].split()[0])


def weight_in(group: ServerGroup) -> int | None:
    return next((one.weight for one in group.servers() if one.server_id == ME), None)


def test_twenty_thousand_groups_cost_no_more_than_a_vm_can_be_in(vm: Vm, cloud: Cloud) -> None:
    jobs = Jobs(vm, cloud)
    for number in range(MOST_FILES):
        jobs.write(number)
    first, last = jobs.exist(0, REAL), jobs.exist(MOST_FILES - 1, REAL)

    agent = vm.start()

    eventually(lambda: cloud.weight == 100)  # its own group, as ever
    eventually(lambda: [weight_in(one) for one in first] == [100] * REAL, within=PATIENCE_SECONDS)
    assert kernel_says(agent, "Threads") <= THREADS_AT_MOST
    assert kernel_says(agent, "VmHWM") <= MEBIBYTES_AT_MOST << 10
    assert [weight_in(one) for one in last] == [None] * REAL
    status = vm.status()
    assert status is not None
    assert len(status["groups"]) == MOST_GROUPS
    files = {one["file"]: one for one in status["dynamic_configs"]}
    assert len(files[str(jobs.path(0))]["groups"]) == MOST_GROUPS - 1
    assert "1 of its server groups is not joined" in files[str(jobs.path(0))]["problem"]
    assert "200 of its server groups are not joined" in files[str(jobs.path(1))]["problem"]
    assert files[str(jobs.path(1))]["groups"] == []

    assert vm.command("drain", within=PATIENCE_SECONDS).code == 0

    assert cloud.weight is None
    assert [weight_in(one) for one in first] == [None] * REAL
    told = [event["file"] for event in vm.events("more server groups than a VM can be in")]
    assert sorted(told) == sorted(files)
