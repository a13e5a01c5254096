"""A VM whose server groups are in memory, and what opens them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import MemoryGroup, member
from tests.unit.supervision import quiet

from slb_registration.config import loading as config_module
from slb_registration.instance.journal import Journal
from slb_registration.instance.metadata import Instance
from slb_registration.membership import groups as membership_module
from slb_registration.membership.groups import Groups
from slb_registration.model.configuration import Config, GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.health import Health
from slb_registration.model.status import GroupStatus
from slb_registration.support.logs.event_log import EventLog

PATIENCE = 10.0
ONE = GroupSpec("clb", "lb-1", None, None, 100, None)
TWO = GroupSpec("clb", "lb-2", None, None, 40, None)
NLB = GroupSpec("nlb", None, None, 8080, 100, None, server_group_id="sgp-1")


class Group(MemoryGroup):
    """A group with one server that is not ours; the times that this VM was added are counted."""

    read_only = None

    def __init__(self, name: str) -> None:
        super().__init__({"i-other": member("i-other")})
        self.name = name
        self.added = 0

    def add(self, server):
        self.added += 1
        return super().add(server)


class Vm:
    """A VM with a journal; it opens groups in memory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.groups: dict[str, Group] = {}
        self.stepped = threading.Condition()
        self.lines = StringIO()
        self.journal = self.read_journal()
        self.open_memberships: list[Groups] = []
        self.supervisor = quiet()
        monkeypatch.setattr(membership_module, "open_group", self._open_group)

    def read_journal(self) -> Journal:
        me = Instance("i-self", "cn-hangzhou")
        return Journal(self.folder / "journal.json", me, lambda text: None)

    def _open_group(self, cloud: object, spec: GroupSpec) -> Group:
        name = f"{spec.product}/{spec.load_balancer_id or spec.server_group_id}"
        return self.groups.setdefault(name, Group(name))

    def config(self) -> Config:
        file = self.folder / "agent.json"
        spec = {"id": "spec-1", "deployment": "cf", "instance_group": "r", "director": True}
        whole = {
            "properties": {
                "access_key": "id",
                "secret_key": "secret",
                "load_balancer_id": "lb-1",
                "drain": {"timeout": 4, "min_wait": 0},
            },
            "spec": {**spec, "index": 0, "az": "z1", "address": "10.0.0.1"},
            "run_dir": str(self.folder),
            "data_dir": str(self.folder),
        }
        file.write_text(json.dumps(whole))
        return config_module.load(file)

    def start(self, phase: Phase = Phase.SERVE, **changes: Any) -> Groups:
        config: Any = replace(self.config(), **changes)
        made = Groups(
            config,
            None,  # type: ignore[arg-type]
            Instance("i-self", "cn-hangzhou"),
            self.journal,
            EventLog(self.lines),
            phase=phase,
            on_step=self._stepped,
            supervisor=self.supervisor,
        )
        self.open_memberships.append(made)
        return made

    def stop(self) -> None:
        """End what was started."""
        for membership in self.open_memberships:
            membership.stop()

    def _stepped(self) -> None:
        with self.stepped:
            self.stepped.notify_all()

    def until(
        self, membership: Groups, wanted: Callable[[dict[str, GroupStatus]], bool]
    ) -> dict[str, GroupStatus]:
        def now() -> dict[str, GroupStatus]:
            return {status.name: status for status in membership.statuses}

        with self.stepped:
            assert self.stepped.wait_for(lambda: wanted(now()), PATIENCE), now()
        return now()


def healthy(_: str) -> Health:
    return Health.HEALTHY
