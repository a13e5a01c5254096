"""Files of co-located jobs that come, change, break and go while the agent runs."""

from __future__ import annotations

import errno
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from tests.unit.probes.checks import config as health_check

from slb_registration.config import job_files
from slb_registration.config.job_files import MOST_FILES, TOO_MANY
from slb_registration.discovery.job_file_groups import LOOK_SECONDS, LOOKS_UNTIL_GONE, JobFileGroups
from slb_registration.model.configuration import GroupSpec, HealthCheck
from slb_registration.support.logs.event_log import EventLog

DEFAULT_CHECK = health_check()
ONE = GroupSpec("clb", "lb-1", None, None, 100, None)
TWO = GroupSpec("clb", "lb-2", None, None, 100, None)


def name_of(spec: GroupSpec) -> str:
    return f"{spec.product}/{spec.load_balancer_id or spec.server_group_id}"


class Vm:
    """The jobs of a VM and who follows their files, on a clock that is only told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1000.0
        self.joined: list[tuple[str, str]] = []
        self.left: list[str] = []
        self.asked: dict[str, tuple[Path, GroupSpec]] = {}
        self.settled = 0
        self.out = io.StringIO()
        self.begin()

    def begin(self, **options: Any) -> JobFileGroups:
        self.dynamic = JobFileGroups(
            [f"{self.folder}/*/slb.json"],
            8080,
            DEFAULT_CHECK,
            EventLog(self.out),
            **{"name_of": name_of, **options},
            join=self._join,
            leave=lambda spec: self.left.append(name_of(spec)),
            settle=self._settle,
            clock=lambda: self.now,
        )
        return self.dynamic

    def _join(self, spec: GroupSpec, path: Path) -> None:
        self.joined.append((name_of(spec), path.parent.name))
        self.asked[name_of(spec)] = path, spec

    def _settle(self) -> None:
        self.settled = len(self.joined) + len(self.left)

    def path(self, job: str) -> Path:
        return self.folder / job / "slb.json"

    def write(self, job: str, *specs: GroupSpec, **more: object) -> None:
        groups = [{"load_balancer_id": s.load_balancer_id, "weight": s.weight} for s in specs]
        self.put(job, json.dumps({"server_groups": groups, **more}))

    def put(self, job: str, text: str) -> None:
        """Replace the file, as BOSH does when it renders a job."""
        self.path(job).parent.mkdir(exist_ok=True)
        new = self.path(job).with_suffix(".new")
        new.write_text(text)
        new.replace(self.path(job))

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += LOOK_SECONDS
            self.dynamic.look()
            assert self.settled == len(self.joined) + len(self.left)

    def problem(self, job: str) -> str | None:
        return next(
            state.problem for state, _ in self.dynamic.files if state.path == self.path(job)
        )

    def check(self, name: str) -> HealthCheck | None:
        return self.dynamic.check_for(*self.asked[name])

    def said(self, level: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.out.getvalue().splitlines()]
        return [event for event in events if event["level"] == level]


@pytest.fixture
def vm(tmp_path: Path) -> Vm:
    return Vm(tmp_path)


def test_without_files_there_is_nothing_to_do(vm: Vm):
    vm.look(3)
    assert (vm.joined, vm.left, vm.dynamic.files) == ([], [], [])


def test_a_file_that_comes_is_joined_once(vm: Vm):
    vm.look()
    vm.write("web", ONE, TWO)
    vm.look(5)
    assert vm.joined == [("clb/lb-1", "web"), ("clb/lb-2", "web")]
    assert vm.dynamic.specs == (ONE, TWO)
    (line,) = vm.said("info")
    assert line["groups"] == "clb/lb-1, clb/lb-2"


def test_a_file_that_changes_joins_what_is_new_and_leaves_what_is_no_longer_named(vm: Vm):
    vm.write("web", ONE)
    vm.look()
    vm.write("web", TWO)
    vm.look()
    assert vm.joined == [("clb/lb-1", "web"), ("clb/lb-2", "web")]
    assert vm.left == ["clb/lb-1"]


def test_another_weight_is_joined_anew_and_not_left(vm: Vm):
    vm.write("web", ONE)
    vm.look()
    vm.write("web", replace(ONE, weight=30))
    vm.look()
    assert vm.joined == [("clb/lb-1", "web")] * 2
    assert vm.left == []


def test_a_file_that_goes_is_left_after_a_while(vm: Vm):
    vm.write("web", ONE)
    vm.look()
    vm.path("web").unlink()
    vm.look(LOOKS_UNTIL_GONE)
    assert vm.left == []
    vm.look()
    assert vm.left == ["clb/lb-1"]
    assert vm.dynamic.files == []
    assert vm.said("info")[-1]["message"] == "a co-located job's file is gone"


def test_a_file_that_is_missing_for_a_moment_is_not_left(vm: Vm):
    vm.write("web", ONE)
    vm.look()
    for _ in range(5):
        vm.path("web").unlink()
        vm.look(2)
        vm.write("web", ONE)
        vm.look()
    assert vm.left == []
    assert vm.joined == [("clb/lb-1", "web")]


@pytest.mark.parametrize("text", ["", "{", '{"server_groups": [{}]}', '{"server_groups": 5}'])
def test_a_file_that_breaks_keeps_what_it_said_and_says_so_once_until_it_is_put_right(
    vm: Vm, text: str
):
    vm.write("web", ONE)
    vm.look()
    vm.put("web", text)
    vm.look(10)
    assert (vm.left, vm.problem("web") is None) == ([], False)
    (warning,) = vm.said("warning")
    assert warning["file"] == str(vm.path("web"))
    vm.write("web", ONE)
    vm.look()
    assert vm.problem("web") is None
    assert vm.joined == [("clb/lb-1", "web")]
    assert len(vm.said("info")) == 2  # it is good again


def test_a_bad_file_does_not_stop_the_others(vm: Vm):
    vm.put("bad", "{")
    vm.write("web", ONE)
    vm.look()
    assert vm.joined == [("clb/lb-1", "web")]


def test_a_folder_that_cannot_be_looked_into_is_not_a_file_that_is_gone(vm: Vm, monkeypatch):
    vm.write("web", ONE)
    vm.look()
    stat = Path.stat

    def denied(path: Path, **options: bool) -> object:
        if path == vm.path("web"):
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", denied)
    vm.look(10)
    assert vm.left == []
    assert vm.problem("web") == "cannot be read: Permission denied"
    monkeypatch.setattr(Path, "stat", stat)
    vm.look()
    assert vm.problem("web") is None


def test_the_manifest_goes_before_files_and_says_so(vm: Vm):
    vm.begin(taken=lambda: ["clb/lb-1"])
    vm.write("web", ONE, TWO)
    vm.look()
    assert vm.joined == [("clb/lb-2", "web")]
    assert "clb/lb-1 is named in the manifest" in str(vm.problem("web"))


def test_of_two_files_the_first_counts_and_the_other_takes_over_when_it_goes(vm: Vm):
    vm.write("a", ONE)
    vm.write("b", ONE)
    vm.look(3)
    assert vm.joined == [("clb/lb-1", "a")]
    assert vm.problem("b") == f"clb/lb-1 is named by {vm.path('a')}, too"
    assert len(vm.said("warning")) == 1
    vm.path("a").unlink()
    vm.look(5)
    assert vm.joined == [("clb/lb-1", "a"), ("clb/lb-1", "b")]
    assert vm.left == []
    assert vm.problem("b") is None


@pytest.mark.parametrize("trouble", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENFILE])
def test_a_file_that_cannot_be_read_for_a_moment_is_read_again_though_it_has_not_changed(
    vm: Vm, monkeypatch: pytest.MonkeyPatch, trouble: int
):
    """Found by reading: what it said since was never taken."""
    vm.write("web", ONE)
    vm.look()
    vm.write("web", TWO)
    with monkeypatch.context() as patch:
        patch.setattr(job_files, "read_trusted", Mock(side_effect=OSError(trouble, "trouble")))
        vm.look(10)
    assert (vm.left, vm.problem("web")) == ([], "cannot be read: trouble")
    assert len(vm.said("warning")) == 1
    vm.look()
    assert vm.joined == [("clb/lb-1", "web"), ("clb/lb-2", "web")]
    assert vm.problem("web") is None


def test_a_name_that_comes_to_be_known_leaves_nothing_and_shows_what_two_files_name(
    vm: Vm, monkeypatch: pytest.MonkeyPatch
):
    """As which server this VM stands in a group may be known later than that it is wanted."""
    other = {"product": "alb", "server_group_id": "sgp-1", "port": 80, "server_type": "eni"}
    for job, more in (("a", {"server_id": "eni-1"}), ("b", {})):
        vm.put(job, json.dumps({"server_groups": [{**other, **more}]}))
    names = {"eni-1": "alb/sgp-1@eni-1", None: "alb/sgp-1@?"}
    vm.begin(name_of=lambda spec: names[spec.server_id])
    vm.look(2)
    assert (len(vm.joined), vm.left, vm.problem("b")) == (2, [], None)
    names[None] = names["eni-1"]
    vm.look(2)
    assert (len(vm.joined), vm.left) == (2, ["alb/sgp-1"])
    assert vm.problem("b") == f"alb/sgp-1@eni-1 is named by {vm.path('a')}, too"


def test_files_that_are_too_many_to_look_at_are_a_problem_that_is_told_once(vm: Vm):
    """Found by reading: those after the hundredth were not looked at, and nothing said so."""
    for number in range(MOST_FILES + 1):
        vm.write(f"{number:03}", replace(ONE, load_balancer_id=f"lb-{number}"))
    vm.look(3)
    assert len(vm.joined) == MOST_FILES
    (warning,) = vm.said("warning")
    assert (warning["file"], warning["because"]) == ("dynamic_config_globs", TOO_MANY)
    state, names = vm.dynamic.files[-1]
    assert (str(state.path), state.problem, names) == ("dynamic_config_globs", TOO_MANY, [])
    assert "more than 100 files match" in TOO_MANY

    vm.path("007").unlink()
    vm.look(LOOKS_UNTIL_GONE + 2)
    assert vm.joined[-1] == ("clb/lb-100", "100")
    assert not any(state.problem for state, _ in vm.dynamic.files)
    assert len(vm.said("warning")) == 1


# Health checks


def test_a_file_brings_its_own_check_or_means_that_of_the_manifest(vm: Vm):
    vm.write("a", ONE, health_check={"type": "http", "port": 9000, "path": "/up"})
    vm.write("b", TWO)
    vm.look()
    own = vm.check("clb/lb-1")
    assert own is not None
    assert (own.type, own.port, own.path) == ("http", 9000, "/up")
    assert vm.check("clb/lb-2") is DEFAULT_CHECK


def test_a_group_that_forwards_all_ports_is_checked_on_the_files_port(vm: Vm):
    groups = [
        {"product": "nlb", "server_group_id": "sgp-1", "port": 0},
        {"product": "nlb", "server_group_id": "sgp-2", "port": 8443},
    ]
    vm.put("a", json.dumps({"server_groups": groups, "port": 7000}))
    vm.look()
    ports = [getattr(vm.check(name), "port", None) for name, _ in vm.joined]
    assert ports == [7000, None]


def test_a_changed_check_takes_effect_without_joining_again(vm: Vm):
    vm.write("a", ONE, health_check={"port": 9000})
    vm.look()
    vm.write("a", ONE, health_check={"port": 9001})
    vm.look()
    assert vm.joined == [("clb/lb-1", "a")]
    assert getattr(vm.check("clb/lb-1"), "port", None) == 9001


# After a restart


def test_what_the_journal_knows_stays_while_its_file_is_bad_and_its_health_is_not_known(vm: Vm):
    vm.put("web", "{")
    vm.begin(known={vm.path("web"): (ONE,)})
    vm.look(10)
    assert vm.joined == [("clb/lb-1", "web")]
    assert vm.left == []
    assert vm.check("clb/lb-1") is None
    vm.write("web", ONE)
    vm.look()
    assert vm.check("clb/lb-1") is DEFAULT_CHECK


def test_what_the_journal_knows_is_left_where_its_file_does_not_come_back(vm: Vm):
    vm.begin(known={vm.path("web"): (ONE,)})
    vm.look()
    assert vm.joined == [("clb/lb-1", "web")]
    vm.look(4)
    assert vm.left == ["clb/lb-1"]


def test_what_another_pattern_once_found_is_not_ours(vm: Vm):
    vm.begin(known={vm.folder / "web" / "old.json": (ONE,)})
    vm.look()
    assert vm.dynamic.files == []
