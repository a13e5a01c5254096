"""The random walk of a VM that finds its place itself: by tags, and by files of co-located jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from tests.faults.budget import SOAK_SECONDS
from tests.faults.joiner import KINDS_BY_TAGS, joiners_room, tag, untag
from tests.faults.joining_cells import ALL
from tests.faults.test_walk import MANIFESTS, SHORT, Walk, walk_as_long_as_there_is_time
from tests.faults.troubles import Trouble, lift
from tests.unit.every_kind import PORT, Kind

from slb_registration.model.health import Health

JOBS = ("a", "b")
ASKED: tuple[dict[str, int], ...] = (
    {},
    {"first": 40},
    {"second": 100},
    {"second": 20},
    {"first": 100, "second": 60},
)
"""What a co-located job's file may ask for: groups and their weights."""


class JoiningWalk(Walk):
    """An empty manifest looks for tags; files count beside it, and beside any other."""

    @initialize(kind=st.sampled_from(KINDS_BY_TAGS), seed=st.integers(0, 1000))
    def begin(self, kind: Kind, seed: int) -> None:  # type: ignore[override]
        self.stage, self.vm = self.stack.enter_context(joiners_room(kind, seed=seed))
        globs = (f"{self.vm.folder}/jobs/*/slb.json",)
        self.vm._config = replace(self.vm._config, dynamic_config_globs=globs)
        self.groups: tuple[str, ...] = ()
        self.files: dict[str, dict[str, int]] = {}
        self.tagged = self.was_tagged = False
        self.running = self.draining = self.held = False

    # The cloud

    @rule(trouble=st.sampled_from([one for one in ALL if not one.role]))
    def trouble_comes(self, trouble: Trouble) -> None:
        if self.tagged or "tags" not in trouble.name:
            trouble.begin(self.stage)

    @rule()
    def trouble_goes(self) -> None:
        lift(self.stage)
        if self.tagged:
            tag(self.stage, self.stage.first)

    @rule(tagged=st.booleans())
    def operator_tags(self, tagged: bool) -> None:
        self.tagged, self.was_tagged = tagged, self.was_tagged or tagged
        (tag if tagged else untag)(self.stage, self.stage.first)

    # BOSH, and co-located jobs

    @rule(groups=st.sampled_from((*MANIFESTS, (), ())))
    def redeployed(self, groups: tuple[str, ...]) -> None:
        super().redeployed(groups)

    @rule(job=st.sampled_from(JOBS), asked=st.sampled_from(ASKED))
    def job_asks(self, job: str, asked: dict[str, int]) -> None:
        self.files[job] = asked
        self._write(job)

    @precondition(lambda self: self.files)
    @rule()
    def file_breaks(self) -> None:
        self._file(min(self.files)).write_text("{")

    @precondition(lambda self: self.files)
    @rule()
    def job_goes(self) -> None:
        job = max(self.files)
        del self.files[job]
        self._file(job).unlink()

    def _file(self, job: str) -> Path:
        return self.vm.folder / "jobs" / job / "slb.json"

    def _write(self, job: str) -> None:
        """Replace the file, as BOSH does when it renders a job."""
        path = self._file(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        groups = [self._entry(*one) for one in self.files[job].items()]
        new.write_text(json.dumps({"server_groups": groups}))
        new.replace(path)

    def _entry(self, name: str, weight: int) -> dict[str, object]:
        spec = getattr(self.stage, name)
        entry = {"product": spec.product, "weight": weight, "server_type": spec.server_type}
        ids = {"load_balancer_id": spec.load_balancer_id, "server_group_id": spec.server_group_id}
        port = {} if spec.port is None else {"port": PORT}
        return {**entry, **{key: id_ for key, id_ in ids.items() if id_}, **port}

    # The end

    def _end(self) -> None:
        self.trouble_goes()
        for job in self.files:
            self._write(job)
        super()._end()

    def _wanted(self) -> dict[str, set[int | None]]:
        return {name: self._wanted_in(name) for name in ("first", "second")}

    def _wanted_in(self, name: str) -> set[int | None]:
        weights: set[int | None] = self._asked_for(name)
        if self.vm.health is not Health.HEALTHY:
            weights = {None if weight is None else 0 for weight in weights}
        if self.held and weights != {None}:
            weights = {0, None}
        return {None} if self.draining else weights

    def _asked_for(self, name: str) -> set[int | None]:
        if name in self.groups:
            return {100}
        for job in sorted(self.files):  # of two files the first counts
            if name in self.files[job]:
                return {self.files[job][name]}
        if self.groups or name != "first":
            return {None}
        if self.tagged:
            return {100}
        # What has lost its tags stays, where discovery.leave is false; it may not have been seen.
        return {100, None} if self.was_tagged else {None}


FEW = settings(SHORT, max_examples=20)


def test_after_any_walk_a_vm_that_finds_its_place_is_where_it_should_be() -> None:
    run_state_machine_as_test(JoiningWalk, settings=FEW)


@pytest.mark.skipif(not SOAK_SECONDS, reason="only in `make soak`")
def test_walks_of_a_vm_that_finds_its_place_for_as_long_as_there_is_time() -> None:
    walk_as_long_as_there_is_time(JoiningWalk)
