"""A drain that nobody helps: it ends within its time, and says what may still be in rotation."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.cloud import BALANCER, OTHERS
from tests.integration.stage import Stage
from tests.integration.vm import Done
from tests.waiting import eventually

from mock_slb.gateway.faults import Delay, Rule
from slb_registration.instance import markers
from slb_registration.instance.markers import Stop

TIMEOUT = 8.0
SLOW = Rule(Delay(60), name="hangs")


def refuses(stage: Stage) -> None:
    stage.cloud.go_down()


def hangs(stage: Stage) -> None:
    stage.cloud.inject(SLOW)


def drained(
    stage: Stage,
    trouble: Callable[[Stage], object],
    *options: str,
    agent: bool,
    on_error: str = "continue",
) -> Done:
    """Drain a VM that serves, after `trouble` has come."""
    stage.vm.configure(drain={"timeout": TIMEOUT, "on_error": on_error})
    running = stage.vm.start()
    stage.vm.until("in service")
    if not agent:
        running.kill()
    trouble(stage)
    done = stage.vm.command("drain", *options)
    assert running.running is agent
    return done


def assert_said_what_remains(done: Done, stage: Stage, code: int) -> None:
    assert (done.code, done.out) == (code, "")
    assert done.seconds <= TIMEOUT
    (event,) = [e for e in done.events if e["level"] == "error"]
    assert event["message"] == "not drained in time: this VM may still be in rotation", done.err
    assert event["group"] == f"clb/{BALANCER}"
    assert stage.cloud.weight == 100


def test_refusing_with_an_agent(stage: Stage) -> None:
    assert_said_what_remains(drained(stage, refuses, agent=True), stage, 0)


def test_refusing_without_an_agent(stage: Stage) -> None:
    assert_said_what_remains(drained(stage, refuses, agent=False), stage, 0)


@pytest.mark.thorough
def test_hanging_with_an_agent(stage: Stage) -> None:
    assert_said_what_remains(drained(stage, hangs, agent=True), stage, 0)


@pytest.mark.thorough
def test_hanging_without_an_agent(stage: Stage) -> None:
    assert_said_what_remains(drained(stage, hangs, agent=False), stage, 0)


def test_on_error_fail_with_an_agent(stage: Stage) -> None:
    done = drained(stage, refuses, agent=True, on_error="fail")
    assert_said_what_remains(done, stage, 1)


@pytest.mark.thorough
def test_on_error_fail_without_an_agent(stage: Stage) -> None:
    done = drained(stage, refuses, agent=False, on_error="fail")
    assert_said_what_remains(done, stage, 1)


@pytest.mark.parametrize("trouble", [refuses, hangs])
@pytest.mark.parametrize("agent", [True, False], ids=["agent", "no agent"])
def test_pre_stop_and_drain_share_the_time(
    stage: Stage, trouble: Callable[[Stage], None], agent: bool
) -> None:
    pre_stop = drained(stage, trouble, "--pre-stop", agent=agent)
    assert_said_what_remains(pre_stop, stage, 0)
    drain = stage.vm.command("drain", "--after-pre-stop")
    assert (drain.code, drain.out, stage.cloud.weight) == (0, "", 100)
    assert pre_stop.seconds + drain.seconds <= TIMEOUT
    assert drain.err.count("not drained in time") == 1


@pytest.mark.thorough
def test_a_stop_that_is_repeated_has_its_whole_time_again(stage: Stage) -> None:
    """What could not leave while the API was dead is lowered first, and not cut off."""
    drained(stage, refuses, "--pre-stop", agent=False)
    stage.vm.command("drain", "--after-pre-stop")
    stage.cloud.come_back()
    mark = stage.cloud.mark
    assert stage.vm.command("drain", "--pre-stop").code == 0
    assert stage.cloud.writes(mark) == ["SetBackendServers"]
    again = stage.vm.command("drain", "--after-pre-stop")
    assert (again.code, stage.cloud.me) == (0, None)
    assert stage.cloud.writes(mark) == ["SetBackendServers", "RemoveBackendServers"]


@pytest.mark.thorough
def test_an_agent_gives_a_stop_that_is_repeated_its_whole_time(stage: Stage) -> None:
    """Its own drain of the stop before is over: it would remove at once."""
    running = stage.vm.start()
    stage.vm.until("in service")
    stage.cloud.spoil("unavailable", "*BackendServers")
    markers.draining(stage.vm.data_dir).begin(Stop(time.time() - 60, drain_follows=False))
    eventually(lambda: (stage.vm.status()["drain"] or {}).get("stage") == "removing")
    again = stage.vm.begin("drain", "--pre-stop")
    eventually(lambda: stage.vm.status()["drain"]["stage"] == "lowering")
    mark = stage.cloud.mark
    stage.cloud.mend()
    assert (again.done().code, stage.cloud.weight) == (0, 0)
    assert stage.cloud.writes(mark) == ["SetBackendServers"]
    assert running.running


def test_the_last_try_removes_at_once_where_the_api_has_come_back(stage: Stage) -> None:
    stage.vm.configure(drain={"timeout": 25, "min_wait": 20})
    agent = stage.vm.start()
    stage.vm.until("in service")
    agent.kill()
    markers.draining(stage.vm.data_dir).begin(Stop(time.time() - 60, drain_follows=True))
    done = stage.vm.command("drain", "--after-pre-stop")
    assert (done.code, stage.cloud.me) == (0, None)
    assert done.seconds < 2.5


def test_denied(stage: Stage) -> None:
    """What cannot succeed is not waited for in vain: it is said why."""

    def deny(stage: Stage) -> None:
        stage.cloud.spoil("forbidden", "SetBackendServers")

    done = drained(stage, deny, agent=True)
    assert (done.code, stage.cloud.me) == (0, None)  # removing was allowed, so it has left


def test_metadata_dead_but_the_journal_knows_who_we_are(stage: Stage) -> None:
    def lose_metadata(stage: Stage) -> None:
        stage.cloud.spoil("metadata_gone")

    stage.vm.configure(drain={"timeout": 15})
    agent = stage.vm.start()
    stage.vm.until("in service")
    agent.kill()
    lose_metadata(stage)
    done = stage.vm.command("drain")
    assert (done.code, stage.cloud.me) == (0, None)


def of_another_boot(journal: Path) -> None:
    """Then the agent that serves does not believe it, as it may have come with a cloned disk."""
    document = json.loads(journal.read_text())
    journal.write_text(json.dumps({**document, "boot_id": "another"}))


def test_the_agent_does_not_know_who_we_are_but_the_journal_does(stage: Stage) -> None:
    stage.vm.configure(drain={"timeout": 20})
    agent = stage.vm.start()
    stage.vm.until("in service")
    agent.kill()
    stage.cloud.spoil("metadata_gone")
    of_another_boot(stage.vm.data_dir / "journal.json")
    stage.vm.start()
    eventually(stage.vm.status)  # it answers, and knows nothing
    done = stage.vm.command("drain")
    assert (done.code, stage.cloud.me) == (0, None)
    assert "does not know which VM this is" in done.err


@pytest.mark.thorough
def test_nothing_known_at_all(stage: Stage) -> None:
    stage.vm.configure(drain={"timeout": TIMEOUT})
    stage.cloud.go_down()
    done = stage.vm.command("drain")
    assert (done.code, done.out) == (0, "")
    assert done.seconds <= TIMEOUT
    assert "cannot drain: metadata service" in done.err


@pytest.mark.thorough
def test_the_agent_is_frozen(stage: Stage) -> None:
    agent = stage.vm.start()
    stage.vm.until("in service")
    agent.signal(signal.SIGSTOP)
    done = stage.vm.command("drain")
    assert (done.code, stage.cloud.me) == (0, None)
    assert done.seconds < 20
    agent.signal(signal.SIGCONT)
    stage.vm.until("drained")
    assert stage.cloud.me is None


@pytest.mark.thorough
def test_the_agent_froze_while_draining(stage: Stage) -> None:
    stage.vm.configure(
        drain={"ignore_cidrs": [], "connections_port": stage.vm.port},
        health_check={"type": "none", "port": None, "path": None},
    )
    agent = stage.vm.start()
    stage.vm.until("in service")
    with stage.service.clients(1):
        draining = stage.vm.begin("drain")
        eventually(lambda: stage.cloud.weight == 0)
        agent.signal(signal.SIGSTOP)
    done = draining.done()
    assert (done.code, stage.cloud.me) == (0, None)


def test_the_tag_was_taken_away(stage: Stage) -> None:
    """A registration that the journal knows of is left, whatever the listing says."""
    agent = stage.vm.start()
    stage.vm.until("in service")
    agent.kill()
    stage.cloud.balancer.set_tags({}, remove=("bosh-deployment",))
    done = stage.vm.command("drain")
    assert (done.code, stage.cloud.me) == (0, None)


def test_the_listing_is_denied(stage: Stage) -> None:
    """Whether there are more groups is not known, but those that are known are left."""
    stage.vm.configure(drain={"timeout": TIMEOUT})
    agent = stage.vm.start()
    stage.vm.until("in service")
    agent.kill()
    for action in ("DescribeLoadBalancers", "ListServerGroups"):
        stage.cloud.spoil("forbidden", action)
    done = stage.vm.command("drain")
    assert stage.cloud.me is None
    assert done.code == 0
    assert "not drained in time" in done.err
    error = str(done.events[-1]["error"])
    assert 'add "slb:DescribeLoadBalancers" to the RAM policy' in error


@pytest.mark.thorough
def test_quick_with_a_dead_api(stage: Stage) -> None:
    agent = stage.vm.start()
    stage.vm.until("in service")
    agent.kill()
    stage.cloud.inject(SLOW)
    done = stage.vm.command("drain", "--quick")
    assert (done.code, done.out) == (0, "")
    assert done.seconds < 10
    assert "may still be in rotation" in done.err


def test_the_others_are_where_they_were(stage: Stage) -> None:
    before = stage.cloud.others()
    drained(stage, lambda _: None, agent=True)

    assert stage.cloud.others() == before
    assert {b.server_id: b.weight for b in before[BALANCER]} == OTHERS
