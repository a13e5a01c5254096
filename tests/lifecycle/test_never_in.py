"""A deploy with a wrong key, under monit: the next one, with a right key, must be able to pass."""

from __future__ import annotations

import time

import pytest
from tests.lifecycle.machine import Machine, eventually

from demo.installation import JOB
from slb_registration.commands.drain import NEVER_IN

DRAIN = {"timeout": 100, "min_wait": 60}
SOON_SECONDS = 50
"""Less than a stop takes that waits for anything; a busy machine may need some of it."""


def deploy_with_a_wrong_key(machine: Machine, on_error: str) -> None:
    machine.deploy(drain={**DRAIN, "on_error": on_error})
    machine.change("config/agent.json", machine.stage.keys.secret_key, "another-secret-key")
    machine.script("pre-start")


def stop(machine: Machine) -> float:
    """What BOSH does before it puts another version there; the seconds that it took."""
    started = time.monotonic()
    assert machine.script("pre-stop") == "0\n"
    assert machine.script("drain", "job_shutdown", "hash_unchanged") == "0\n"
    took = time.monotonic() - started
    machine.stop()
    return took


@pytest.mark.parametrize("on_error", ["fail", "continue"])
def test_after_a_wrong_key_a_right_one_can_be_deployed(machine: Machine, on_error: str) -> None:
    deploy_with_a_wrong_key(machine, on_error)
    machine.start_monit()
    eventually(lambda: "cannot look for load balancers" in machine.log("agent.stdout"))

    assert stop(machine) < SOON_SECONDS
    assert machine.log("drain.stderr").count(NEVER_IN) >= 2

    machine.deploy(drain={"on_error": on_error})
    machine.script("pre-start")
    machine.monit("start", JOB)
    machine.script("post-start")
    assert machine.weight() == 100


def test_a_vm_whose_agent_does_not_run_can_be_stopped_as_well(machine: Machine) -> None:
    deploy_with_a_wrong_key(machine, "fail")

    started = time.monotonic()
    for script in ("pre-stop", "drain", "post-stop"):
        machine.script(script)

    assert time.monotonic() - started < SOON_SECONDS
    assert machine.weight() is None


@pytest.mark.parametrize("wrong", [{"connections_port": 0}, {"timeout": "fast"}, {"timeout": 0}])
def test_a_vm_with_an_invalid_configuration_can_be_stopped(
    machine: Machine, wrong: dict[str, object]
) -> None:
    machine.deploy(drain={**DRAIN, "on_error": "fail", **wrong})
    assert machine.run("pre-start").returncode == 1

    for script in ("pre-stop", "drain"):
        assert machine.script(script) == "0\n"

    assert NEVER_IN in machine.log("drain.stderr")


def test_a_vm_that_is_in_is_not_let_go_for_a_wrong_key(machine: Machine) -> None:
    """on_error decides then, as before."""
    machine.start(drain={"timeout": 4, "on_error": "fail"})
    machine.change("config/agent.json", machine.stage.keys.secret_key, "another-secret-key")
    machine.script("run", "stop")

    assert machine.run("pre-stop").returncode != 0

    assert machine.weight() == 100
    assert NEVER_IN not in machine.log("drain.stderr")
