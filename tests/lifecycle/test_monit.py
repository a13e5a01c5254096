"""The job under real monit: what kills, hangs, restarts and reboots leave in the load balancer."""

from __future__ import annotations

import http.client
import json
import signal

import pytest
from tests.lifecycle.machine import Machine, eventually
from tests.lifecycle.test_deploys import more_groups, vserver_group
from tests.ports import free_port

from demo.installation import JOB
from mock_slb.gateway.faults import Refuse, Rule

# Times that no property makes shorter. Debian's monit asks the socket of no process that is younger
# than the start program's timeout, 30 s where none is said.
ASKED_AT_ONCE = ('run start"', 'run start" with timeout 1 seconds')
QUICK_ANSWER = ("timeout 5 seconds", "timeout 1 seconds")
# That other process does not end, for which monit would wait 30 s.
STOPPED_AT_ONCE = ('run stop"', 'run stop" with timeout 1 seconds')
QUICK_END = ("readonly STOP_SECONDS=15", "readonly STOP_SECONDS=1")


def weights_until_another_agent(machine: Machine, before: int) -> set[int | None]:
    """Wait until monit has started another agent; every weight seen meanwhile."""
    seen = set()

    def another() -> bool:
        seen.add(machine.weight())
        return machine.agent() not in {None, before}

    eventually(another)
    return seen


def test_monit_takes_the_jobs_file(machine: Machine) -> None:
    machine.deploy()

    machine.monit("-t")


def test_stopping_leaves_the_registration_and_restarting_finds_it(machine: Machine) -> None:
    machine.start()

    machine.monit("stop", JOB)
    eventually(lambda: not machine.pidfile.exists())
    assert machine.agent() is None
    assert machine.weight() == 100

    machine.monit("start", JOB)
    eventually(lambda: machine.agent() is not None)
    machine.script("post-start")
    assert machine.weight() == 100


@pytest.mark.thorough
def test_a_restart_leaves_the_registration(machine: Machine) -> None:
    machine.start()
    before = machine.agent()
    assert before is not None

    machine.monit("restart", JOB)

    assert weights_until_another_agent(machine, before) == {100}


def test_a_killed_agent_comes_back_and_the_registration_is_unharmed(machine: Machine) -> None:
    machine.start()
    killed = machine.signal_agent(signal.SIGKILL)

    assert weights_until_another_agent(machine, killed) == {100}
    machine.script("post-start")


@pytest.mark.thorough
def test_a_killed_agent_that_is_back_answers_health_checks_as_before(machine: Machine) -> None:
    """Though it cannot find out anything: the API and the metadata service are down."""
    port = free_port()
    machine.start(readiness={"port": port, "address": "127.0.0.1"})
    machine.in_service()
    assert answer_on(port) == 200
    machine.stage.server.faults.add(Rule(Refuse("ServiceUnavailable", 503)))
    killed = machine.signal_agent(signal.SIGKILL)

    seen = set()

    def answers() -> bool:
        seen.add(answer_on(port))
        return machine.agent() not in {None, killed} and answer_on(port) is not None

    eventually(answers)
    assert seen <= {None, 200}
    assert answer_on(port) == 200


def answer_on(port: int) -> int | None:
    """The answer to a health check, None where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@pytest.mark.thorough
def test_a_hung_agent_is_restarted_because_its_socket_does_not_answer(machine: Machine) -> None:
    machine.deploy()
    machine.change("monit", *ASKED_AT_ONCE)
    machine.change("monit", *QUICK_ANSWER)
    machine.change("bin/run", *QUICK_END)
    machine.script("pre-start")
    machine.start_monit()
    machine.in_service()

    hung = machine.signal_agent(signal.SIGSTOP)

    assert weights_until_another_agent(machine, hung) == {100}
    assert "failed protocol test [HTTP]" in (machine.vcap / "monit/log").read_text()
    machine.script("post-start")


@pytest.mark.thorough
def test_an_agent_with_a_part_that_does_not_work_is_restarted_and_nothing_worse(
    machine: Machine,
) -> None:
    """A file of a co-located job needs a thread, and this process may start no more."""
    if machine.stage.sandbox.own_users:
        pytest.skip("no limit of processes binds a user that is root outside")
    machine.deploy(dynamic_config_globs=["/var/vcap/jobs/web/*.json"])
    machine.change("monit", *ASKED_AT_ONCE)
    machine.script("pre-start")
    machine.start_monit()
    machine.in_service()
    before = machine.agent()
    assert before is not None
    _, group = more_groups(machine)

    pid = machine.pidfile.read_text().strip()
    as_vcap = ("setpriv", "--reuid=vcap", "--regid=vcap", "--clear-groups")
    limited = machine.vm.run(*as_vcap, "prlimit", "--pid", pid, "--nproc=1:")
    assert limited.returncode == 0, limited.stderr
    job = machine.vcap / "jobs/web"
    job.mkdir()
    wanted = [vserver_group(machine.stage.service.port)]
    (job / "slb.json").write_text(json.dumps({"server_groups": wanted}))

    assert weights_until_another_agent(machine, before) == {100}
    assert "failed protocol test [HTTP]" in (machine.vcap / "monit/log").read_text()
    assert "no thread can be started" in machine.log("agent.stdout")
    machine.script("post-start")
    assert (machine.weight(), machine.weight(group)) == (100, 100)


@pytest.mark.thorough
def test_a_stale_pidfile_with_the_number_of_another_process_is_seen_through(
    machine: Machine,
) -> None:
    """monit takes the other process for ours, until the socket tells that it is not."""
    machine.deploy()
    machine.change("monit", *ASKED_AT_ONCE)
    machine.change("monit", *STOPPED_AT_ONCE)
    machine.script("run", "start")
    machine.in_service()
    machine.script("run", "stop")
    other = machine.vm.run("sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!").stdout
    machine.pidfile.write_text(other)

    machine.start_monit()
    eventually(lambda: machine.agent() is not None)

    machine.script("post-start")
    assert machine.pidfile.read_text() != other
    assert any("sleep 1000" in line for line in machine.vm.processes().values())


@pytest.mark.thorough
def test_a_reboot_keeps_the_registration_and_brings_the_agent_back(machine: Machine) -> None:
    machine.start()

    machine.power_off()
    assert machine.weight() == 100
    machine.boot()
    assert not machine.pidfile.exists()
    machine.start_monit()

    machine.script("post-start")
    assert machine.weight() == 100


@pytest.mark.thorough
def test_a_drain_goes_on_though_the_agent_is_killed_in_its_middle(machine: Machine) -> None:
    machine.start(drain={"min_wait": 1})
    with machine.begin("drain") as drain:
        eventually(lambda: machine.weight() == 0)
        killed = machine.signal_agent(signal.SIGKILL)
        assert drain.communicate()[0] == "0\n"

    assert drain.returncode == 0
    assert machine.weight() is None
    # The agent that monit starts meanwhile does not register the VM again.
    assert weights_until_another_agent(machine, killed) == {None}
    still_out(machine)


@pytest.mark.thorough
def test_a_drain_goes_on_after_a_reboot_in_its_middle(machine: Machine) -> None:
    """Nobody calls drain again then: the marker is what the agent goes by."""
    machine.start(drain={"min_wait": 20})
    with machine.begin("drain"):
        eventually(lambda: machine.weight() == 0)
        machine.power_off()

    machine.boot()
    machine.deploy()  # with a short wait again
    machine.start_monit()

    eventually(lambda: machine.weight() is None)
    still_out(machine)


def still_out(machine: Machine) -> None:
    """A running agent has looked, twice at least, and left it so."""
    mark = len(machine.stage.server.calls.all())
    eventually(lambda: len(machine.stage.server.calls.all()) >= mark + 2)
    assert machine.weight() is None
