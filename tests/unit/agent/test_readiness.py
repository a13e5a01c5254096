"""What health checks of load balancers are answered, and that it outlives the process."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from tests.unit.driver import group_status
from tests.unit.reconcile.test_registrar_panic import Fleet

from slb_registration.agent.readiness import DRAINING, HEALTHY, HELD, KEPT, UNHEALTHY, ordered, word
from slb_registration.instance import markers
from slb_registration.instance.last_answer import STARTING, Answer, LastAnswer, forget
from slb_registration.instance.markers import Stop
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Phase, Wish
from slb_registration.model.health import Health
from slb_registration.model.operations import Op
from slb_registration.model.status import GroupStatus, Origin, Would
from slb_registration.reporting.group_status import describe
from slb_registration.support.logs.event_log import EventLog

SPEC = GroupSpec("clb", "lb-1", None, None, 100, None)
WELL, ILL, UNKNOWN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def group(**changes: object) -> GroupStatus:
    """One that was read, with weight 100, which is wanted."""
    return group_status(SPEC, **{"wanted_weight": 100, "read_at": 1.0, **changes})


SERVES = group()
LOWERED = group(weight=0, wanted_weight=0)
TO_BE_LOWERED = group(wanted_weight=0)
CANNOT_BE_LOWERED = group(wanted_weight=0, error="SetBackendServers: no answer")
NOT_TO_BE_LOWERED = group(
    wanted_weight=0, would=Would(Op.SET_WEIGHT, "i-self", 0, False, "set the weight to 0")
)
GONE = group(weight=None, registered=False, wanted_weight=None)
NEVER_READ = group(
    weight=None, registered=False, wanted_weight=None, read_at=None, error="no answer"
)
WOULD_BE_LOWERED = group(
    wanted_weight=0, would=Would(Op.SET_WEIGHT, "i-self", 0, False, "set the weight to 0")
)
ONLY_READ = group(wanted_weight=None, read_only="an active/standby group")


@pytest.mark.parametrize("health", list(Health))
@pytest.mark.parametrize("status", [SERVES, LOWERED, NEVER_READ])
@pytest.mark.parametrize(
    ("phase", "said"), [(Phase.LOWER, DRAINING), (Phase.REMOVE, DRAINING), (Phase.HOLD, HELD)]
)
def test_a_drain_and_a_hold_say_no_whatever_else_is_known(phase, said, status, health):
    assert word(phase, [(status, health)]) == said
    assert word(phase, []) == said
    assert not said.ready


@pytest.mark.parametrize("status", [SERVES, LOWERED, CANNOT_BE_LOWERED, NEVER_READ, GONE])
def test_a_healthy_service_is_told_whatever_the_api_says(status):
    assert word(Phase.SERVE, [(status, WELL)]) == HEALTHY


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (SERVES, KEPT),  # by the panic threshold, or on_unhealthy: ignore
        (group(weight=0), KEPT),  # about to be put back by the panic threshold
        (TO_BE_LOWERED, None),
        (LOWERED, UNHEALTHY),
        (GONE, UNHEALTHY),
        (CANNOT_BE_LOWERED, UNHEALTHY),
        (NOT_TO_BE_LOWERED, UNHEALTHY),  # mode: observe
        (ONLY_READ, UNHEALTHY),
        (WOULD_BE_LOWERED, UNHEALTHY),
        (NEVER_READ, None),  # who else serves is not known
    ],
)
def test_of_a_service_that_fails_what_is_wanted_of_its_weight_is_told(status, said):
    assert word(Phase.SERVE, [(status, ILL)]) == said


@pytest.mark.parametrize("status", [SERVES, LOWERED, NEVER_READ])
def test_what_is_not_known_changes_nothing(status):
    assert word(Phase.SERVE, [(status, UNKNOWN)]) is None
    assert word(Phase.SERVE, []) is None


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([(LOWERED, ILL), (SERVES, WELL)], HEALTHY),
        ([(LOWERED, ILL), (SERVES, ILL)], KEPT),
        ([(LOWERED, ILL), (SERVES, UNKNOWN)], None),
        ([(LOWERED, ILL), (GONE, ILL)], UNHEALTHY),
        ([(LOWERED, ILL), (group(origin=Origin.DROPPED), WELL)], UNHEALTHY),
    ],
)
def test_one_service_of_several_that_fails_takes_no_other_out(groups, said):
    assert word(Phase.SERVE, groups) == said
    assert word(Phase.SERVE, groups[::-1]) == said


@pytest.mark.parametrize("size", [2, 3, 5, 20])
def test_where_all_fail_at_once_the_answer_is_yes_wherever_the_panic_threshold_wants_them(size):
    """What it puts back is answered for at once, before the weight is raised."""
    fleet = Fleet(size)
    last = dict.fromkeys(range(size), True)
    fleet.driver.want(Wish(Phase.SERVE, ILL))
    for _ in range(40):
        fleet.driver.run(0.25)
        for number, agent in enumerate(fleet.agents):
            status = describe(agent.registrar, SPEC, "clb/lb-1", Origin.MANIFEST)
            said = word(Phase.SERVE, [(status, ILL)])
            last[number] = last[number] if said is None else said.ready
        ready = {f"i-{number}" for number, yes in last.items() if yes}
        assert set(fleet.up) <= ready
    assert set(fleet.up) == ready
    assert len(ready) == -(-size // 2)


def test_the_markers_alone_tell_of_a_drain_and_a_hold(tmp_path: Path):
    assert ordered(tmp_path, tmp_path, 10.0) is None
    markers.hold(tmp_path, tmp_path).begin(2.0, 20.0, "a disk is changed")
    assert ordered(tmp_path, tmp_path, 10.0) == HELD
    assert ordered(tmp_path, tmp_path, 20.0) is None  # it has ended
    markers.draining(tmp_path, tmp_path).begin(Stop(3.0, drain_follows=True))
    assert ordered(tmp_path, tmp_path, 10.0) == DRAINING


# The last word


Start = Callable[..., LastAnswer]


@pytest.fixture
def lines() -> StringIO:
    return StringIO()


@pytest.fixture
def start(tmp_path: Path, lines: StringIO) -> Start:
    """A process that starts now, in the boot of this name."""
    return lambda boot="one": LastAnswer(tmp_path, EventLog(lines), boot)


def test_without_a_word_it_is_starting(start: Start):
    assert start().now == STARTING
    assert start().now.status == 503


@pytest.mark.parametrize("said", [HEALTHY, KEPT, UNHEALTHY, HELD, DRAINING])
def test_the_last_word_stands_after_a_restart_until_more_is_known(start: Start, said: Answer):
    start().follow(said)
    again = start()
    assert again.now == said
    again.follow(None)
    assert again.now == said
    again.follow(HEALTHY)
    assert again.now == start().now == HEALTHY


def test_a_word_of_another_boot_counts_for_nothing(start: Start):
    start("one").follow(HEALTHY)
    assert start("two").now == STARTING
    assert start(None).now == STARTING
    start(None).follow(HEALTHY)
    assert start(None).now == STARTING  # it may have been another one


def test_a_new_start_of_the_job_forgets_it(start: Start, tmp_path: Path):
    forget(tmp_path)
    start().follow(HEALTHY)
    forget(tmp_path)
    assert start().now == STARTING


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"1" * 5000,
        b'{"boot_id": "one"}',
        b'{"boot_id": "one", "ready": 1, "because": "healthy"}',
        b'{"boot_id": "one", "ready": true, "because": null}',
    ],
)
def test_a_file_that_says_nothing_of_use_is_no_word(start: Start, tmp_path: Path, content: bytes):
    (tmp_path / "readiness").write_bytes(content)
    assert start().now == STARTING


def test_where_it_cannot_be_written_the_answer_changes_all_the_same(
    start: Start, tmp_path: Path, lines: StringIO
):
    last = start()
    last.follow(DRAINING)
    (tmp_path / "readiness").unlink()
    (tmp_path / "readiness").mkdir()  # not even root writes to that
    for _ in range(3):
        last.follow(HEALTHY)
    assert last.now == HEALTHY
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len([one for one in told if "restart will not know" in one["message"]]) == 1
    (tmp_path / "readiness").rmdir()
    last.follow(None)
    assert start().now == HEALTHY


def test_a_change_of_the_answer_is_logged_and_of_the_reason_is_not(start: Start, lines: StringIO):
    last = start()
    for said in (HEALTHY, KEPT, HEALTHY, DRAINING, HELD):
        last.follow(said)
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(one["level"], one["answer"]) for one in told] == [("info", 200), ("warning", 503)]
