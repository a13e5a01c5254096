"""Taking this VM out: by the agent that runs, or in this process where none answers."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.unit.one_vm import LocalAgent, Vm, document, draining, group

from slb_registration.commands import drain as leaving
from slb_registration.commands import orders
from slb_registration.commands.drain import Caller
from slb_registration.instance import markers
from slb_registration.instance.markers import Stop
from slb_registration.instance.metadata import IdentityError, MetadataError


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vm:
    return Vm(tmp_path, monkeypatch)


def test_a_drain_writes_the_marker_before_it_orders_anything(vm: Vm, monkeypatch):
    seen: list[float | None] = []
    real = orders.ask

    def ask(*args, **kwargs):
        seen.append(markers.draining(vm.folder).since())
        return real(*args, **kwargs)

    monkeypatch.setattr(orders, "ask", ask)
    vm.answers = [draining("done")]
    assert leaving.drain(vm.config(), vm.log)
    assert seen == [vm.time.time()]
    assert vm.orders == ["/drain"]


def test_a_drain_sees_the_agents_through_and_tells_its_progress(vm: Vm):
    vm.answers = [
        document(group()),
        draining("lowering"),
        draining("waiting", 9),
        draining("waiting", 9),
        draining("waiting", 2),
        draining("removing", 2),
        draining("done", 2),
    ]
    assert leaving.drain(vm.config(), vm.log)
    stages = [(event["stage"], event["connections"]) for event in vm.said("info")[:-1]]
    assert stages == [
        ("lowering", None),
        ("waiting", 9),
        ("waiting", 2),
        ("removing", 2),
        ("done", 2),
    ]
    assert LocalAgent.made == []


def test_a_drain_that_does_not_end_is_given_up_in_time_and_says_what_remains(vm: Vm):
    stuck = group(state="draining", weight=100, last_error="SetBackendServers: Throttling")
    done = group(name="clb/lb-2", state="drained", weight=None)
    never_in = group(name="clb/lb-3", state="failing", weight=None, barred="Forbidden.RAM")
    groups = (stuck, done, never_in)
    vm.answers = [document(*groups, state="draining", drain=draining("removing")["drain"])]
    started = vm.time.now
    assert not leaving.drain(vm.config(drain={"timeout": 60}), vm.log)
    assert vm.time.now - started <= 60
    (error,) = vm.said("error")
    assert (error["group"], error["weight"]) == ("clb/lb-1", 100)
    assert "may still be in rotation" in error["message"]
    assert error["error"] == "SetBackendServers: Throttling"


def test_a_drain_that_an_operator_ends_is_not_waited_for_any_longer(vm: Vm):
    """resume, in the middle of a pre-stop: it waited out drain.timeout for nothing."""
    vm.answers = [document(group()), draining("lowering"), document(group())]
    vm.time.on_sleep = markers.draining(vm.folder).clear
    started = vm.time.now
    assert not leaving.drain(vm.config(), vm.log)
    assert vm.time.now - started <= 5
    (warning,) = vm.said("warning")
    assert "resume" in warning["message"]
    assert vm.said("error") == []


def test_an_agent_that_starts_in_the_middle_of_a_drain_has_ended_none(vm: Vm):
    """It answers before it has seen the marker."""
    vm.answers = [draining("lowering"), document(), draining("removing"), draining("done")]
    assert leaving.drain(vm.config(), vm.log)


def test_a_drain_of_groups_that_are_not_known_says_so(vm: Vm):
    vm.answers = [document(state="draining", error="DescribeLoadBalancers: Forbidden")]
    assert not leaving.drain(vm.config(drain={"timeout": 5, "min_wait": 0}), vm.log)
    assert vm.said("error")[0]["error"] == "DescribeLoadBalancers: Forbidden"


def test_without_an_agent_the_drain_is_done_here(vm: Vm):
    config = vm.config()
    assert leaving.drain(config, vm.log)
    assert markers.draining(vm.folder).since() is not None
    (agent,) = LocalAgent.made
    assert agent.config.drain.method == config.drain.method
    assert agent.config.drain.timeout_seconds <= 120
    assert len(vm.said("warning")) == 1


def test_an_agent_that_dies_meanwhile_is_replaced(vm: Vm):
    vm.answers = [draining("lowering")]

    def die() -> None:
        vm.answers = None

    vm.time.on_sleep = die
    assert leaving.drain(vm.config(), vm.log)
    assert len(LocalAgent.made) == 1


def test_an_agent_that_does_not_know_which_vm_this_is_is_not_waited_for(vm: Vm):
    """Without the metadata service it can drain nothing; the journal may know who we are."""
    vm.answers = [document(instance_id=None, state="draining", drain=draining("lowering")["drain"])]
    started = vm.time.now
    assert leaving.drain(vm.config(drain={"timeout": 60}), vm.log)
    assert vm.time.now - started <= 10
    assert len(LocalAgent.made) == 1


def test_an_agent_that_hangs_does_not_use_up_the_time(vm: Vm):
    vm.hangs = True
    started = vm.time.now
    assert leaving.drain(vm.config(drain={"timeout": 8, "min_wait": 0}), vm.log)
    assert vm.time.now - started <= 4
    assert len(LocalAgent.made) == 1


def test_a_drain_here_that_hangs_is_broken_off(vm: Vm):
    stopped = threading.Event()

    def hang(stop: threading.Event) -> None:
        stop.wait(10)
        stopped.set()

    LocalAgent.work = staticmethod(hang)
    LocalAgent.end = draining("lowering")
    assert not leaving.drain(vm.config(drain={"timeout": 0.4, "min_wait": 0}), vm.log)
    assert stopped.is_set()
    assert "may still be in rotation" in vm.said("error")[0]["message"]


def test_a_drain_here_that_cannot_tell_who_we_are_says_so(vm: Vm):
    def unknown(stop: threading.Event) -> None:
        raise MetadataError("metadata service http://100.100.100.200: no answer")

    LocalAgent.work = staticmethod(unknown)
    assert not leaving.drain(vm.config(), vm.log)
    assert "cannot drain" in vm.said("error")[0]["message"]


def test_a_configuration_of_another_vm_stops_no_vm_that_never_got_in(vm: Vm):
    def mistaken(stop: threading.Event) -> None:
        raise IdentityError("instance_id: i-other is given, but this VM is i-self: leave it out")

    LocalAgent.work = staticmethod(mistaken)
    assert leaving.drain(vm.config(), vm.log)
    (line,) = [event for event in vm.said("warning") if event["message"] == leaving.NEVER_IN]
    assert "instance_id" in line["because"]

    entry = {"clb/lb-1": {"confirmed": True}}
    journal = {"version": 1, "instance_id": "i-self", "region": "r", "registrations": entry}
    (vm.folder / "journal.json").write_text(json.dumps(journal))
    assert not leaving.drain(vm.config(), vm.log)
    assert "cannot drain" in vm.said("error")[0]["message"]


@pytest.mark.parametrize("running", [True, False])
def test_what_was_left_alone_is_told_in_one_line(vm: Vm, running: bool):
    ends = draining("done", barred=True, error="DescribeLoadBalancers: Forbidden.RAM")
    ends["groups"] = [
        group(name="clb/lb-1", barred="Describe: Forbidden.RAM", begun=True),
        group(name="clb/lb-2", barred="Describe: Forbidden.RAM", begun=False),
        group(name="clb/lb-3", state="drained", barred=None, begun=False),
    ]
    LocalAgent.end = ends
    vm.answers = [ends] if running else None
    assert leaving.drain(vm.config(), vm.log)
    (line,) = [event for event in vm.said("warning") if event["message"] == leaving.NEVER_IN]
    assert line["groups"] == ["clb/lb-1", "clb/lb-2"]
    assert line["because"] == (
        "Describe: Forbidden.RAM; DescribeLoadBalancers: Forbidden.RAM; "
        f"{leaving.MAY_BE_IN} clb/lb-1"
    )


def test_of_a_drain_like_any_other_nothing_more_is_told(vm: Vm):
    vm.answers = [draining("done")]
    assert leaving.drain(vm.config(), vm.log)
    assert vm.said("warning") == []


def test_a_mistake_in_a_drain_here_is_not_hidden(vm: Vm):
    def mistake(stop: threading.Event) -> None:
        raise KeyError("a mistake")

    LocalAgent.work = staticmethod(mistake)
    with pytest.raises(KeyError):
        leaving.drain(vm.config(), vm.log)


def test_a_marker_that_cannot_be_written_stops_no_drain(vm: Vm):
    config = vm.config()
    vm.answers = [draining("done")]
    (vm.folder / "agent.json").unlink()
    vm.folder.rmdir()
    assert leaving.drain(config, vm.log)
    assert vm.orders == ["/drain"]
    assert "cannot write" in vm.said("warning")[0]["message"]


def test_an_agent_that_has_not_taken_the_order_yet_has_ended_no_drain_without_a_marker(vm: Vm):
    config = vm.config()
    vm.answers = [document(group()), document(group()), draining("lowering"), draining("done")]
    (vm.folder / "agent.json").unlink()
    vm.folder.rmdir()
    assert leaving.drain(config, vm.log)


def test_a_drain_without_the_agent_has_its_time_but_for_the_end(vm: Vm):
    left: list[float] = []
    LocalAgent.work = staticmethod(lambda stop: left.append(stop.left))
    assert leaving.drain(vm.config(drain={"timeout": 60}), vm.log)
    (agent,) = LocalAgent.made
    here = 60 - leaving.OUTER_SECONDS - leaving.CLOSING_SECONDS
    assert (left, agent.config.drain.timeout_seconds) == ([here], here)
    assert agent.patience_seconds == leaving.METADATA_SECONDS


def test_where_nothing_is_registered_there_is_nothing_to_drain(vm: Vm):
    assert leaving.drain(vm.config(register=False), vm.log)
    assert (LocalAgent.made, vm.orders) == ([], [])
    # An agent that is told to register later finds the marker.
    assert markers.draining(vm.folder).since() is not None


# One drain.timeout for pre-stop and the drain after it


STUCK = document(group(state="draining", weight=100), state="draining")


def spent(vm: Vm, caller: Caller, **drain: Any) -> float:
    """Seconds that one of the two takes while the API is dead."""
    started = vm.time.now
    assert not leaving.drain(vm.config(drain=drain), vm.log, caller)
    return vm.time.now - started


@pytest.mark.parametrize("timeout", [5, 20, 120])
def test_pre_stop_and_drain_have_one_drain_timeout_together(vm: Vm, timeout: int):
    vm.answers = [STUCK]
    first = spent(vm, Caller.PRE_STOP, timeout=timeout, min_wait=0)
    vm.time.now += 3  # other jobs' pre-stop, and BOSH
    second = spent(vm, Caller.DRAIN, timeout=timeout, min_wait=0)
    assert first > 0.7 * timeout
    assert first + second <= timeout
    assert "drain.timeout is used up" in vm.said("info")[-1]["message"]


def test_on_a_full_disk_the_two_have_one_drain_timeout_as_well(vm: Vm, disk_full):
    """Found by reading: no marker was written, so the drain began anew what pre-stop had used."""
    vm.answers = [STUCK]
    first = spent(vm, Caller.PRE_STOP, timeout=60, min_wait=0)
    second = spent(vm, Caller.DRAIN, timeout=60, min_wait=0)
    assert first > 0.7 * 60
    assert first + second <= 60
    warned = [
        event["message"] for event in vm.said("warning") if "cannot write" in event["message"]
    ]
    assert set(warned) == {
        f"cannot write {vm.folder / 'draining'}: No space left on device; "
        "a reboot will not know of it"
    }


def test_what_pre_stop_did_not_need_is_left_for_the_drain(vm: Vm):
    """It was broken off, or its process was killed."""
    markers.draining(vm.folder).begin(Stop(vm.time.time() - 20, drain_follows=True))
    vm.answers = [STUCK]
    assert 90 < spent(vm, Caller.DRAIN, timeout=120) <= 100
    assert vm.said("info") == []


@pytest.mark.parametrize("agent", [True, False])
def test_what_other_jobs_take_between_the_two_is_not_of_their_time(vm: Vm, agent: bool):
    """One job's pre-stop may wait for minutes: the service's connections were then cut."""
    ended = draining("awaiting drain")
    vm.answers = [draining("waiting"), ended] if agent else None
    LocalAgent.end = ended
    assert leaving.drain(vm.config(drain={"timeout": 60}), vm.log, Caller.PRE_STOP)
    vm.time.now += 600
    vm.answers = [STUCK]
    assert 50 < spent(vm, Caller.DRAIN, timeout=60) < 60


def test_a_vm_and_a_job_that_come_back_keep_their_place(vm: Vm):
    vm.answers = [draining("awaiting drain")]
    assert leaving.drain(vm.config(), vm.log, Caller.PRE_STOP, returns=True)
    vm.answers = [draining("done")]
    assert leaving.drain(vm.config(), vm.log, Caller.DRAIN, returns=True)
    stop = markers.draining(vm.folder).read()
    assert stop is not None
    assert (stop.keep, stop.kept) == (True, True)
    assert leaving.remove_what_is_left(vm.config(), vm.log)
    assert LocalAgent.made == []  # post-stop leaves it there


@pytest.mark.parametrize(
    ("drain", "pre_stop", "by_drain"),
    [
        ({}, False, True),  # the VM is deleted
        ({}, True, False),  # the job is taken off it
        ({"keep_registered": "never"}, True, True),
        ({"method": "remove"}, True, True),
    ],
)
def test_who_does_not_come_back_or_may_not_stay_is_removed(
    vm: Vm, drain: dict, pre_stop: bool, by_drain: bool
):
    config = vm.config(drain=drain)
    vm.answers = [draining("awaiting drain")]
    assert leaving.drain(config, vm.log, Caller.PRE_STOP, returns=pre_stop)
    vm.answers = [draining("done")]
    assert leaving.drain(config, vm.log, Caller.DRAIN, returns=by_drain)
    stop = markers.draining(vm.folder).read()
    assert stop is not None
    assert (stop.keep, stop.kept) == (False, False)


def test_post_stop_removes_who_should_have_kept_its_place_and_could_not_be_lowered(vm: Vm):
    vm.answers = [draining("awaiting drain")]
    assert leaving.drain(vm.config(), vm.log, Caller.PRE_STOP, returns=True)
    vm.answers = [STUCK]
    assert not leaving.drain(vm.config(drain={"timeout": 5}), vm.log, Caller.DRAIN, returns=True)
    assert leaving.remove_what_is_left(vm.config(), vm.log)
    assert len(LocalAgent.made) == 1


def test_a_drain_by_hand_removes_also_who_comes_back(vm: Vm):
    vm.answers = [draining("awaiting drain")]
    assert leaving.drain(vm.config(), vm.log, Caller.PRE_STOP, returns=True)
    vm.answers = [draining("done")]
    assert leaving.drain(vm.config(), vm.log, Caller.BY_HAND)
    stop = markers.draining(vm.folder).read()
    assert stop is not None
    assert not stop.keep


@pytest.mark.parametrize("agent", [True, False])
@pytest.mark.parametrize(
    ("caller", "order"),
    [(Caller.PRE_STOP, "pre-stop"), (Caller.DRAIN, "drain"), (Caller.BY_HAND, "drain")],
)
def test_only_a_pre_stop_ends_before_connections_do(
    vm: Vm, caller: Caller, order: str, agent: bool
):
    shut, done = draining("awaiting drain", 7), draining("done")
    vm.answers = [shut, shut, done] if agent else None
    LocalAgent.end = shut if caller is Caller.PRE_STOP else done
    assert leaving.drain(vm.config(), vm.log, caller)
    assert vm.said("info")[-1]["message"].startswith(
        "out of rotation" if caller is Caller.PRE_STOP else "drained"
    )
    if agent:
        assert vm.orders == [f"/{order}"]
    else:
        assert [one.order.value for one in LocalAgent.made] == [order]


def test_a_pre_stop_that_gives_up_names_only_what_is_still_in_rotation(vm: Vm):
    lowered = group(name="clb/lb-2", state="draining", weight=0, out=True)
    stuck = group(name="clb/lb-1", state="draining", weight=100, out=False)
    vm.answers = [document(stuck, lowered, state="draining", drain=draining("lowering")["drain"])]
    assert not leaving.drain(
        vm.config(drain={"timeout": 5, "min_wait": 0}), vm.log, Caller.PRE_STOP
    )
    assert [event["group"] for event in vm.said("error")] == ["clb/lb-1"]


def test_a_pre_stop_that_an_operator_ends_is_not_taken_for_one_that_awaits_its_drain(vm: Vm):
    vm.answers = [draining("waiting"), document(group())]
    vm.time.on_sleep = markers.draining(vm.folder).clear
    assert not leaving.drain(vm.config(), vm.log, Caller.PRE_STOP)
    assert markers.draining(vm.folder).read() is None


def test_the_last_try_still_finds_the_vm_drained_by_its_agent(vm: Vm):
    markers.draining(vm.folder).begin(Stop(vm.time.time() - 500, drain_follows=True))
    vm.answers = [draining("removing"), draining("done")]
    assert leaving.drain(vm.config(), vm.log, Caller.DRAIN)


def test_the_last_try_without_an_agent_removes_at_once(vm: Vm):
    markers.draining(vm.folder).begin(Stop(vm.time.time() - 500, drain_follows=True))
    assert leaving.drain(vm.config(), vm.log, Caller.DRAIN)
    (agent,) = LocalAgent.made
    assert agent.patience_seconds <= 1


@pytest.mark.parametrize("caller", Caller)
def test_a_drain_of_an_hour_ago_takes_no_time_from_the_next_stop(vm: Vm, caller: Caller):
    """Another job's drain failed then, or the API was dead; now the deploy is repeated."""
    markers.draining(vm.folder).begin(Stop(vm.time.time() - 3600, drain_follows=False))
    vm.answers = [STUCK]
    assert spent(vm, caller, timeout=120) > 110
    assert vm.time.time() - markers.draining(vm.folder).since() < 120


def test_a_stop_that_is_repeated_at_once_has_its_whole_time_again(vm: Vm):
    vm.answers = [STUCK]
    once = [spent(vm, caller, timeout=60) for caller in (Caller.PRE_STOP, Caller.DRAIN)]
    again = [spent(vm, caller, timeout=60) for caller in (Caller.PRE_STOP, Caller.DRAIN)]
    assert again == pytest.approx(once)


def test_a_drain_without_a_pre_stop_has_the_whole_time(vm: Vm):
    vm.answers = [STUCK]
    assert spent(vm, Caller.DRAIN, timeout=60) > 55


def test_a_drain_by_hand_goes_on_with_one_that_is_under_way(vm: Vm):
    markers.draining(vm.folder).begin(Stop(vm.time.time() - 20, drain_follows=True))
    vm.answers = [STUCK]
    assert 90 < spent(vm, Caller.BY_HAND, timeout=120) <= 100


def test_after_a_new_start_a_stop_has_its_whole_time(vm: Vm):
    vm.answers = [STUCK]
    first = spent(vm, Caller.PRE_STOP, timeout=60)
    orders.prepare_start(vm.config())
    assert spent(vm, Caller.PRE_STOP, timeout=60) == pytest.approx(first)


# The removal after the stop


def test_what_is_left_after_the_stop_is_removed_at_once(vm: Vm):
    assert leaving.remove_what_is_left(vm.config(), vm.log)
    (agent,) = LocalAgent.made
    drain = agent.config.drain
    assert (drain.method, drain.min_wait_seconds) == ("remove", 0)
    assert drain.timeout_seconds < 10
    assert any(str(network) == "0.0.0.0/0" for network in drain.ignore_cidrs)


def test_after_a_drain_nobody_is_asked_again(vm: Vm):
    journal = {"version": 1, "instance_id": "i", "region": "r", "registrations": {}}
    (vm.folder / "journal.json").write_text(json.dumps(journal))
    assert leaving.remove_what_is_left(vm.config(), vm.log)
    assert leaving.remove_what_is_left(vm.config(register=False), vm.log)
    assert LocalAgent.made == []
