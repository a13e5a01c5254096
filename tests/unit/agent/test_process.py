"""The process: what its main thread makes of what others find out meanwhile."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from tests.unit.driver import group_status
from tests.unit.rendered import rendered

from slb_registration.agent import process
from slb_registration.config import loading
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.orders import Order
from slb_registration.model.status import GroupStatus
from slb_registration.reconcile.drain_plan import Stage
from slb_registration.support.logs.event_log import EventLog


class FoundJustNow:
    """Stands in for a joining whose only group is found right after its groups were asked for."""

    membership = None
    barred = False

    def __init__(self, *_: object, **__: object) -> None:
        self.complete = False

    @property
    def statuses(self) -> tuple[GroupStatus, ...]:
        """None yet, and from the next time on the one."""
        found, self.complete = self.complete, True
        return (group_status(GroupSpec("clb", "lb-1", None, None, 100, None)),) if found else ()

    def check_for(self, _: GroupStatus) -> None:
        """No check."""

    def look_again(self) -> None:
        """There is nothing to look at."""


def test_a_group_that_is_found_meanwhile_is_lowered_before_it_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "Startup", FoundJustNow)
    given = {"access_key": "id", "secret_key": "secret"}
    one = process.Agent(loading.load(rendered(tmp_path, given)), EventLog(StringIO()))
    one.order(Order.DRAIN)
    for _ in range(3):
        one._look()
        plan = one._controller.plan
        assert plan is not None
        assert plan.stage is Stage.LOWERING
