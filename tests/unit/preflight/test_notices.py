"""The agent's warnings of settings: told once, kept for the next pre-start, and asked of nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import responses
from tests.unit.driver import ACCESS_KEY, SECRET_KEY
from tests.unit.every_kind import KINDS, Setting
from tests.unit.rendered import rendered

from slb_registration.commands import cli
from slb_registration.config import loading
from slb_registration.instance.metadata import MetadataError
from slb_registration.model.balancer_settings import ListenerState, Place, Settings
from slb_registration.model.configuration import Config, GroupSpec
from slb_registration.model.server_group import ServerGroup
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.preflight import SettingWarning, memory
from slb_registration.preflight import notices as notices_module
from slb_registration.preflight.notices import LOOK_SECONDS, Notices
from slb_registration.reporting.group_status import describe
from slb_registration.support.logs.event_log import EventLog

LISTENERS = (ListenerState("tcp:80", "running"),)
GOOD = Settings((Place("tcp:80", drains=True),), LISTENERS)
STICKY = Settings((Place("tcp:80", drains=True, sticky=True),), LISTENERS)
ONE = SettingWarning("check_off", "clb/lb-1", "tcp:80", "it is off", "turn it on")


class Metadata:
    """Tells the VPC, or nothing."""

    vpc: str | None = "vpc-1"
    asked = 0

    def get(self, path: str) -> str:
        self.asked += 1
        if self.vpc is None:
            raise MetadataError(f"no {path}")
        return self.vpc


@dataclass
class Worker:
    spec: GroupSpec
    status: GroupStatus
    settings: Settings | None


class Stage:
    def __init__(self, folder: Path, sdk: responses.RequestsMock) -> None:
        self.folder, self.lines, self.metadata = folder, StringIO(), Metadata()
        self.setting = Setting(sdk, KINDS[0])
        self.worker = self.worker_of(STICKY)
        self.config: Config = loading.load(self.rendered())
        self.notices = self.begun()

    def rendered(self) -> Path:
        keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
        return rendered(self.folder, {**keys, "load_balancer_id": "lb-1"})

    def begun(self) -> Notices:
        """An agent's."""
        return Notices(
            self.config,
            self.metadata,
            EventLog(self.lines),
            workers=lambda: [self.worker],
            check_for=lambda status: (
                None if status.origin is Origin.DROPPED else self.config.health_check
            ),
            wall=lambda: 0.0,
        )

    def worker_of(self, settings: Settings | None, origin: Origin = Origin.MANIFEST) -> Worker:
        registrar = self.setting.agent().registrar
        status = describe(registrar, self.setting.spec, "clb/lb-1", origin)
        return Worker(self.setting.spec, status, settings)

    def said(self) -> list[dict[str, Any]]:
        """What was logged since the last time that this was asked."""
        lines = self.lines.getvalue().splitlines()
        self.lines.seek(0)
        self.lines.truncate()
        return [json.loads(line) for line in lines]

    def codes(self) -> list[str]:
        return [one.code for some in self.notices.by_group.values() for one in some]


@pytest.fixture
def stage(tmp_path: Path, sdk: responses.RequestsMock) -> Stage:
    return Stage(tmp_path, sdk)


def test_each_is_logged_once_until_it_is_another_one(stage: Stage):
    assert stage.notices.turn() == LOOK_SECONDS
    (event,) = stage.said()
    assert (event["level"], event["code"]) == ("warning", "session_persistence")
    assert (event["group"], event["listener"]) == ("clb/lb-1", "tcp:80")
    stage.notices.turn()
    assert (stage.said(), stage.codes()) == ([], ["session_persistence"])

    stage.worker.settings = GOOD
    stage.notices.turn()
    assert (stage.said(), stage.codes()) == ([], [])
    stage.worker.settings = STICKY
    stage.notices.turn()
    assert [event["code"] for event in stage.said()] == ["session_persistence"]


def test_a_group_that_is_left_and_one_of_which_nothing_is_known_are_not_warned_of(stage: Stage):
    for worker in (stage.worker_of(STICKY, Origin.DROPPED), stage.worker_of(None)):
        stage.worker = worker
        stage.notices.turn()
        assert (stage.said(), stage.codes()) == ([], [])


def test_the_vpc_is_asked_for_where_it_matters_until_it_is_known(stage: Stage):
    stage.notices.turn()
    assert stage.metadata.asked == 0
    stage.worker.settings = replace(GOOD, vpc_id="vpc-2")
    stage.metadata.vpc = None
    stage.notices.turn()
    assert stage.codes() == []
    stage.metadata.vpc = "vpc-1"
    for _ in range(3):
        stage.notices.turn()
        assert stage.codes() == ["other_vpc"]
    assert stage.metadata.asked == 2


def test_a_mistake_in_a_rule_is_told_once_and_ends_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(notices_module, "warnings", broken)
        assert [stage.notices.turn() for _ in range(3)] == [LOOK_SECONDS] * 3
        (event,) = stage.said()
        assert "ZeroDivisionError" in event["because"]
    stage.notices.turn()
    assert stage.codes() == ["session_persistence"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_agent_makes_no_call_for_them(sdk: responses.RequestsMock, tmp_path: Path, kind: Any):
    """By the third look at the health all is known, of ALB and NLB by the first."""
    sdk.reset()
    setting = Setting(sdk, kind)
    group: ServerGroup = setting.open()
    assert group.settings() is None
    for _ in range(3 if kind.product == "clb" else 1):
        group.find()
        group.health()
    before = len(setting.gateway.calls.all())
    settings = group.settings()
    assert settings is not None
    assert settings.listeners
    assert [place.drains for place in settings.places] == [False]
    assert len(setting.gateway.calls.all()) == before
    reads = setting.made("DescribeLoadBalancerListeners", "ListServerGroups", "ListListeners")
    assert len(reads) == len(set(reads))  # each once at most, all this time
    setting.cloud.close()


# What is kept for pre-start


def pre_start(stage: Stage, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    code = cli.main(["validate", "--pre-start", "--config", str(stage.rendered())])
    assert code == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [event for event in events if "load balancer" in event["message"]]


def test_pre_start_tells_what_the_agent_knew_and_asks_nobody(
    stage: Stage, capsys: pytest.CaptureFixture[str]
):
    assert pre_start(stage, capsys) == []
    stage.notices.turn()
    (event,) = pre_start(stage, capsys)
    assert (event["level"], event["as_of"]) == ("warning", "1970-01-01T00:00:00Z")
    assert event["because"].startswith("clb/lb-1, tcp:80: session persistence is on")
    assert stage.setting.gateway.calls.all() == []

    stage.notices = stage.begun()  # the agent's next start: nothing is known yet
    stage.worker.settings = None
    stage.notices.turn()
    assert len(pre_start(stage, capsys)) == 1
    stage.worker.settings = GOOD
    stage.notices.turn()
    assert pre_start(stage, capsys) == []


def test_it_is_written_when_it_changes_alone_and_a_full_disk_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    written: list[int] = []

    def full(*_: object) -> None:
        written.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory, "remember", full)
    stage.notices.turn()
    stage.notices.turn()
    events = [event["message"] for event in stage.said()]
    assert (len(written), len(events)) == (1, 2)
    assert events[1] == "warnings cannot be kept for the next pre-start"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "[" * 100_000,
        lambda text: "[]",
        lambda text: text.replace('"warnings"', '"w"'),
        lambda text: text.replace('"tcp:80"', "80"),
        lambda text: text.replace('"code"', '"x"'),
        lambda text: json.dumps({"time": 3, "warnings": [None, 1, []]}),
        lambda text: text + " " * memory.SIZE_LIMIT,
    ],
)
def test_a_file_that_is_not_as_ours_tells_nothing(tmp_path: Path, change: Callable[[str], str]):
    memory.remember(tmp_path, [ONE], "now")
    assert memory.recall(tmp_path) == ("now", (ONE,))
    file = tmp_path / memory.FILE_NAME
    file.write_text(change(file.read_text()))
    assert memory.recall(tmp_path)[1] == ()


def test_a_file_that_others_may_write_tells_nothing(tmp_path: Path):
    memory.remember(tmp_path, [ONE], "now")
    (tmp_path / memory.FILE_NAME).chmod(0o666)
    assert memory.recall(tmp_path) == ("", ())
