"""A VM where no thread can be had for a while, or never: a limit of processes of the agent's user.

The limit does not bind root, and so where root runs these tests the agent is another user's.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess

from tests.integration.cloud import BALANCER, ME, VSERVER_GROUP, Cloud
from tests.integration.service import Service
from tests.integration.test_readiness import asked, with_readiness
from tests.integration.vm import Process, Vm
from tests.waiting import eventually

from slb_registration.commands.client import NotRunningError, ask

AS_ANOTHER_USER = (
    # Like root it may read the checkout and write where the test does.
    ("setpriv", "--reuid=54321", "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    if os.geteuid() == 0
    else ()
)
WITHOUT_THREADS = (*AS_ANOTHER_USER, "prlimit", "--nproc=1:")


def let_threads(process: Process, *, be_had: bool) -> None:
    """Set the limit of the running agent; whose user it is may do so."""
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)  # which the agent has, too
    limit = "unlimited" if most == resource.RLIM_INFINITY else str(most)
    line = ["prlimit", "--pid", str(process.pid), f"--nproc={limit if be_had else 1}:"]
    subprocess.run([*AS_ANOTHER_USER, *line], check=True)


def liveness(vm: Vm) -> str:
    try:
        return ask(vm.socket, "GET", "/healthz").decode().strip()
    except NotRunningError as error:
        return str(error)


def ask_for_another_group(vm: Vm) -> None:
    """As a co-located job does: one more worker is needed."""
    vm.folder.joinpath("jobs").mkdir()
    group = {"vserver_group_id": VSERVER_GROUP, "port": vm.port}
    vm.folder.joinpath("jobs", "new.json").write_text(json.dumps({"server_groups": [group]}))


def configure(vm: Vm) -> None:
    vm.configure(load_balancer_id=BALANCER, dynamic_config_globs=[str(vm.folder / "jobs/*.json")])


def states(vm: Vm) -> list[str]:
    status = vm.status()
    return [] if status is None else [group["state"] for group in status["groups"]]


def test_an_agent_that_gets_its_threads_late_serves_and_checks(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    """The joining thread, and the checker: each died of that, and nobody noticed."""
    configure(vm)
    agent = vm.start(prefix=WITHOUT_THREADS)
    eventually(vm.socket.exists)
    assert vm.status() is None  # who asks is patient, and by then all have failed to begin
    let_threads(agent, be_had=True)
    vm.until("in service")
    told = vm.events("a part of the agent broke, and is begun again")
    assert {"joining", "control socket"} <= {one["part"] for one in told}
    assert liveness(vm) == "ok"
    service.healthy = False
    eventually(lambda: cloud.weight == 0)
    assert agent.terminate() == 0


def test_health_checks_are_answered_though_no_thread_can_be_had_for_it(vm: Vm) -> None:
    port = with_readiness(vm)
    agent = vm.start()
    vm.until("in service")
    agent.kill()
    agent = vm.start(prefix=WITHOUT_THREADS)
    eventually(lambda: asked(port) is not None)
    assert [asked(port) for _ in range(3)] == [200] * 3  # its last word
    vm.mark_draining()
    eventually(lambda: asked(port) == 503)
    let_threads(agent, be_had=True)
    vm.until("drained")
    assert asked(port) == 503


def test_a_group_that_gets_no_thread_is_named_and_joined_once_there_is_one(
    vm: Vm, cloud: Cloud
) -> None:
    configure(vm)
    agent = vm.start(prefix=AS_ANOTHER_USER)
    vm.until("in service")
    let_threads(agent, be_had=False)
    ask_for_another_group(vm)
    # The socket answers although a request gets no thread of its own, either.
    eventually(lambda: len(states(vm)) == 2)
    eventually(lambda: "says 503" in liveness(vm))
    assert states(vm) == ["in service", "starting"]
    let_threads(agent, be_had=True)
    eventually(lambda: states(vm) == ["in service", "in service"])
    eventually(lambda: liveness(vm) == "ok")
    (told,) = vm.events("a part of the agent broke, and is begun again")
    assert told["because"] == "no thread can be started"


def test_an_agent_that_never_gets_a_thread_ends_and_leaves_its_registrations(
    vm: Vm, cloud: Cloud
) -> None:
    configure(vm)
    agent = vm.start(prefix=AS_ANOTHER_USER)
    vm.until("in service")
    let_threads(agent, be_had=False)
    mark = cloud.mark
    ask_for_another_group(vm)
    assert agent.wait(within=90) == 1
    (error,) = [one for one in vm.events() if "breaks again and again" in one["message"]]
    assert "no thread can be started" in error["message"]
    assert (cloud.weight, cloud.writes(mark)) == (100, [])


def test_a_drain_without_agent_and_threads_takes_the_vm_out(vm: Vm, cloud: Cloud) -> None:
    configure(vm)
    ask_for_another_group(vm)
    agent = vm.start()
    vm.until("in service")
    agent.kill()
    done = vm.begin("drain", "--pre-stop", prefix=WITHOUT_THREADS).done()
    assert (done.code, cloud.weight) == (0, 0)
    done = vm.begin("drain", "--after-pre-stop", prefix=WITHOUT_THREADS).done()
    assert (done.code, done.events[-1]["message"]) == (0, "drained")
    assert cloud.weight is None
    assert ME not in [one.server_id for one in cloud.vserver_group.servers()]
