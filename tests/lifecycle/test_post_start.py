"""How long a deploy waits in post-start, under real monit and with the job's scripts."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import datetime

import pytest
from tests.lifecycle.machine import BIN, Machine, eventually

from demo import cloud
from demo.installation import JOB
from mock_slb.core.resources import ABNORMAL, NORMAL

pytestmark = pytest.mark.thorough

SLACK = 15.0
"""For a machine that is busy: what these tests protect from takes minutes."""


@pytest.mark.parametrize("weight", [0, 100])
def test_a_vm_that_was_in_the_group_at_start_is_noticed_to_be_normal_within_seconds(
    machine: Machine, weight: int
) -> None:
    """The CPI has put it there, or Terraform, or its last drain has failed."""
    account = machine.stage.server.account
    group = account.load_balancer(cloud.LOAD_BALANCER).default_group
    group.add_server(cloud.OUR_SERVER, weight=weight)
    account.force_health(cloud.OUR_SERVER, ABNORMAL)
    machine.deploy(reconcile_interval=30, post_start={"timeout": 180})
    machine.script("pre-start")
    machine.start_monit()
    eventually(lambda: machine.agent() is not None)
    waiting = machine.begin("post-start")
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 12)
    assert waiting.poll() is None

    account.force_health(cloud.OUR_SERVER, NORMAL)
    began = time.monotonic()

    _, said = waiting.communicate(timeout=60)

    assert waiting.returncode == 0, said
    assert time.monotonic() - began < 6 + SLACK


def test_a_held_vm_lets_a_deploy_pass_with_a_warning_that_names_resume(machine: Machine) -> None:
    machine.start()
    machine.script("slb-registration", "hold")
    machine.script("pre-stop")
    machine.script("drain")
    machine.stop()

    machine.deploy()
    machine.script("pre-start")
    machine.monit("start", JOB)
    done = machine.run("post-start")

    assert done.returncode == 0, done.stderr
    assert machine.weight() in (None, 0)
    assert "slb-registration resume puts it back" in done.stderr
    assert '"error"' not in done.stderr


def test_a_vm_is_held_for_a_while_and_resumed_by_a_line_of_a_shell_as_root(
    machine: Machine,
) -> None:
    """As `bosh ssh -c` has it run: exit codes, and a reason of several words."""
    machine.start()

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return machine.vm.run("/bin/sh", "-c", f"{BIN}/slb-registration {line}")

    held = shell("hold --for 2h --reason 'kernel update'")
    assert (held.returncode, machine.weight()) == (0, 0), held.stderr
    assert "reason: kernel update" in " ".join(machine.script("slb-registration", "status").split())
    assert shell("hold --for soon").returncode == 2

    resumed = shell("resume")

    assert (resumed.returncode, machine.weight()) == (0, 100), resumed.stderr


def test_a_vm_that_observes_is_started_stopped_and_switched_without_a_moment_out(
    machine: Machine,
) -> None:
    """By the job's scripts, as BOSH runs them; the CPI has registered it."""
    account = machine.stage.server.account
    account.load_balancer(cloud.LOAD_BALANCER).default_group.add_server(
        cloud.OUR_SERVER, weight=100
    )
    machine.deploy(mode="observe")
    machine.script("pre-start")
    machine.start_monit()
    assert machine.run("post-start").returncode == 0
    assert machine.script("slb-registration", "status").startswith("state      observing")
    assert machine.run("slb-registration", "hold").returncode == 1

    machine.script("pre-stop")
    assert machine.script("drain").strip() == "0"
    machine.stop()
    assert machine.weight() == 100
    machine.deploy()
    machine.script("pre-start")
    machine.monit("start", JOB)
    machine.script("post-start")

    written = {call.action for call in machine.stage.server.gateway.calls.all()}
    assert not [one for one in written if one.startswith(("Add", "Set", "Remove"))]
    assert machine.weight() == 100


def test_at_the_defaults_a_healthy_service_is_in_service_before_a_first_interval_has_passed(
    machine: Machine,
) -> None:
    check = {"interval": 5, "healthy_threshold": 2, "unhealthy_threshold": 3}
    machine.deploy(health_check=check)
    machine.script("pre-start")
    machine.start_monit()
    eventually(lambda: machine.agent() is not None)
    machine.script("post-start")

    assert machine.weight() == 100
    events = [json.loads(line) for line in machine.log("agent.stdout").splitlines()]
    times = {event["message"]: _seconds(event["time"]) for event in events}
    assert times["weight changed"] - times["registered"] < check["interval"]


def _seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").timestamp()
