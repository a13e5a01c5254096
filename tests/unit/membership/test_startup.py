"""From who this VM is to its server groups, when the metadata service answers late, or never."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.instance.test_own_server import MACS, PRIMARY, TREE, Tree
from tests.unit.rendered import rendered

from slb_registration.config import loading
from slb_registration.instance import journal_file
from slb_registration.instance.journal import Journal
from slb_registration.instance.journal_file import FILE_NAME
from slb_registration.instance.metadata import AGAIN_SECONDS, Instance, MetadataError
from slb_registration.membership import opening, startup
from slb_registration.membership.startup import Startup
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.pacing.backoff import RECHECK_SECONDS
from slb_registration.server_groups.open import open_group
from slb_registration.server_groups.tagged import Tagged
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.part import Part, Turn
from slb_registration.support.supervision.supervisor import Supervisor
from slb_registration.support.supervision.vitals import Vitals

WHO = {"instance-id": "i-self", "region-id": "cn-hangzhou", "vpc-id": "vpc-1"}
CLB = {"load_balancer_id": "lb-1"}
ALB = {"product": "alb", "server_group_id": "sgp-1", "port": 80}
ENI, IP = {**ALB, "server_type": "eni"}, {**ALB, "server_type": "ip"}
OF_ENI, OF_IP = "alb/sgp-1:80@eni-1/10.0.0.1", "alb/sgp-1:80@10.0.0.1"
REGISTERED = GroupSpec(
    "alb", None, None, 80, 100, None, server_group_id="sgp-1", server_type="eni",
    server_id="eni-1", server_ip="10.0.0.1",
)  # fmt: skip

Answer = str | int
NO_ANSWERS: tuple[Answer, ...] = (500, 503, 404, 0, "<html>log in", "", "eni-")


class Metadata(Tree):
    """With who this VM is; the status 0 stands for a connection that is refused, or no answer."""

    endpoint = "http://100.100.100.200"

    def get(self, path: str) -> str:
        if self.values.get(path) == 0:
            self.asked.append(path)
            raise MetadataError("metadata service: no connection")
        return super().get(path)


class Waits(threading.Event):
    """Ends what loops after so many waits, which take no time."""

    def __init__(self, ends_after: int = 1) -> None:
        super().__init__()
        self.seconds: list[float | None] = []
        self._ends_after = ends_after

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        if len(self.seconds) >= self._ends_after:
            self.set()
        return self.is_set()


class Idle(Supervisor):
    """Starts nothing."""

    def start(self, name: str, turn: Turn, **how: Any) -> Part:
        return Part(Vitals(name, how["turn_seconds"], lambda: 0.0), turn, threading.Event())


class Vm:
    """One VM, on a clock that is told; what would run in threads does not."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.now = 1000.0
        self.lines = StringIO()
        self.metadata = Metadata(WHO)
        self.phase = Phase.SERVE
        self.listed: list[Tagged] = []
        cloud = SimpleNamespace(region="cn-hangzhou")
        patch.setattr(startup, "metadata_of", lambda _: self.metadata)
        patch.setattr(opening, "connect", lambda *_, **__: cloud)
        patch.setattr(opening, "listings", lambda *_: {"alb": self})

    def start(self, *groups: dict[str, object], **properties: object) -> Startup:
        given = {"access_key": "id", "secret_key": "secret", **properties}
        globs = [f"{self.folder}/jobs/*.json"]
        given |= {"server_groups": groups} if groups else {}
        file = rendered(self.folder, {**given, "dynamic_config_globs": globs})
        self.config = loading.load(file)
        self.joining = Startup(
            self.config,
            EventLog(self.lines),
            phase=lambda: self.phase,
            on_call=lambda *_: None,
            on_step=lambda: None,
            supervisor=Idle(EventLog(self.lines)),
            clock=lambda: self.now,
        )
        return self.joining

    def join(self, *groups: dict[str, object], **properties: object) -> Startup:
        one = self.start(*groups, **properties)
        one.turn(Waits())
        return one

    def job_asks(self, *groups: dict[str, object]) -> None:
        (self.folder / "jobs").mkdir(exist_ok=True)
        (self.folder / "jobs" / "web.json").write_text(json.dumps({"server_groups": groups}))

    def registered(self, spec: GroupSpec, file: str | None = None, *, tags: bool = False) -> None:
        """An earlier start has left this."""
        me = Instance("i-self", "cn-hangzhou")
        folder = loading.load(
            rendered(self.folder, {"access_key": "i", "secret_key": "s"})
        ).data_dir
        journal = Journal(folder / FILE_NAME, me, lambda _: None)
        name = open_group(None, spec).name  # type: ignore[arg-type]
        journal.remember(name, spec, discovered=tags, file=file)
        journal.served(name)

    def look(self, seconds: float = 0.0) -> None:
        """What the threads do after so many seconds."""
        self.now += seconds
        opened = self.joining._opened
        assert opened is not None
        opened.servers.look()
        opened.files.look()
        if opened.discoverer is not None:
            opened.discoverer.look()

    @property
    def statuses(self) -> dict[str, GroupStatus]:
        return {status.name: status for status in self.joining.statuses}

    @property
    def origins(self) -> dict[str, Origin]:
        """Why each group is open, those left aside that wait."""
        assert self.joining.membership is not None
        return {one.name: one.origin for one in self.joining.membership.statuses}

    def said(self, level: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [event for event in events if event["level"] == level]

    # As the listing of one product

    def tagged(self) -> list[Tagged]:
        return self.listed

    def without_tags(self, _: object) -> frozenset[str]:
        return frozenset()


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vm:
    return Vm(tmp_path, monkeypatch)


# One group's trouble


@pytest.mark.parametrize("answer", NO_ANSWERS)
@pytest.mark.parametrize(
    ("group", "path", "name"),
    [
        (ENI, "mac", OF_ENI),
        (ENI, f"{MACS}{PRIMARY}/network-interface-id", OF_ENI),
        (ENI, f"{MACS}{PRIMARY}/primary-ip-address", OF_ENI),
        ({**ENI, "server_id": "eni-1"}, MACS, OF_ENI),
        ({**ENI, "server_ip": "10.0.0.1"}, f"{MACS}{PRIMARY}/private-ipv4s", OF_ENI),
        (IP, "private-ipv4", OF_IP),
    ],
)
@pytest.mark.parametrize("by_file", [False, True])
def test_a_group_without_an_answer_waits_and_all_others_go_on(
    vm: Vm, group: dict[str, object], path: str, name: str, answer: Answer, by_file: bool
):
    """Found by running: one lost answer stopped the whole agent for 300 s."""
    whole, vm.metadata.values[path] = vm.metadata.values[path], answer
    if by_file:
        vm.job_asks(group)
        vm.join(CLB)
    else:
        vm.join(CLB, group)
    vm.look()

    assert vm.origins == {"clb/lb-1": Origin.MANIFEST}
    (waiting,) = (status for status in vm.statuses.values() if status.name != "clb/lb-1")
    assert waiting.origin is (Origin.FILE if by_file else Origin.MANIFEST)
    assert (waiting.in_service, waiting.barred) == (False, None)
    assert waiting.error is not None
    assert waiting.error.startswith(("metadata service", "server_groups: this VM has no"))
    assert (vm.joining.complete, vm.joining.error) == (True, None)

    vm.metadata.values[path] = whole
    vm.look(AGAIN_SECONDS)
    assert set(vm.origins) == {"clb/lb-1", name} == set(vm.statuses)
    assert [line["message"] for line in vm.said("warning")] == [
        "not known as which server this VM is to stand; asking again"
    ]


def test_whatever_number_of_groups_is_about_one_server_it_is_asked_for_once(vm: Vm):
    groups = [{**IP, "server_group_id": f"sgp-{number}"} for number in range(50)]
    vm.join(CLB, *groups)
    vm.look()
    vm.look(60)
    assert len(vm.origins) == 51
    assert vm.metadata.asked.count("private-ipv4") == 1


def test_joining_waits_for_no_answer_about_a_group(vm: Vm):
    vm.join(CLB, ENI, IP)
    assert vm.metadata.asked == ["instance-id", "region-id"]
    vm.look()
    assert set(vm.origins) == {"clb/lb-1", OF_ENI, OF_IP}


def test_asking_again_is_never_in_haste(vm: Vm):
    vm.metadata.values["private-ipv4"] = 500
    vm.join(IP)
    for _ in range(600):
        vm.look(0.1)
    assert 10 <= vm.metadata.asked.count("private-ipv4") <= 30
    assert len(vm.said("warning")) == 1


def test_that_this_vm_has_no_such_interface_is_told_once_and_takes_a_person(vm: Vm):
    vm.join(CLB, {**ENI, "server_id": "eni-9"})
    for _ in range(10):
        vm.look(AGAIN_SECONDS)
    (warning,) = vm.said("warning")
    assert "has no network interface eni-9" in warning["because"]
    status = vm.statuses["alb/sgp-1:80@eni-9/?"]
    assert (status.needs_repair, status.error_code) == (True, "no such server")


def test_a_group_is_joined_before_a_question_about_another_is_asked(
    vm: Vm, monkeypatch: pytest.MonkeyPatch
):
    """The next answer may take long."""
    joined: list[set[str]] = []
    get = vm.metadata.get

    def slow(path: str) -> str:
        if path == "mac":
            joined.append(set(vm.origins))
        return get(path)

    vm.join(IP, ENI)
    monkeypatch.setattr(vm.metadata, "get", slow)
    vm.look()
    assert joined == [{OF_IP}]


# A new start


@pytest.mark.parametrize("origin", [Origin.MANIFEST, Origin.FILE, Origin.TAGS])
@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_what_an_earlier_start_has_registered_stays_when_there_is_no_answer(
    vm: Vm, origin: Origin, answer: Answer
):
    """Found by running: "cannot be resolved" was "dropped", which took it out of rotation."""
    spec, name, path = REGISTERED, OF_ENI, "mac"
    if origin is Origin.TAGS:
        spec = replace(REGISTERED, server_type="ip", server_id="10.0.0.1")
        name, path = OF_IP, "private-ipv4"
    file = str(vm.folder / "jobs" / "web.json") if origin is Origin.FILE else None
    vm.registered(spec, file, tags=origin is Origin.TAGS)
    vm.metadata.values[path] = answer
    if origin is Origin.FILE:
        vm.job_asks(ENI)
    vm.listed = [Tagged("alb", "sgp-1", "web", "vpc-1", "ip")]
    by_tags = {"discovery": {"enabled": origin is Origin.TAGS}, "port": 80}
    vm.join(*([ENI] if origin is Origin.MANIFEST else []), **by_tags)
    for _ in range(5):
        assert (
            vm.origins == {name: origin} == {one.name: one.origin for one in vm.statuses.values()}
        )
        vm.look(10)
    vm.metadata.values[path] = TREE[path]
    vm.look(AGAIN_SECONDS)
    assert vm.origins == {name: origin}


@pytest.mark.parametrize("journal", ["", "{", None])
def test_a_journal_that_tells_nothing_leaves_nothing(vm: Vm, journal: str | None):
    vm.registered(REGISTERED)
    path = vm.start(CLB, ENI)._config.data_dir / FILE_NAME
    vm.metadata.values["mac"] = 500
    path.unlink() if journal is None else path.write_text(journal)
    vm.join(CLB, ENI)
    vm.look()
    assert vm.origins == {"clb/lb-1": Origin.MANIFEST}
    assert vm.joining.membership is not None
    assert vm.joining.membership.unknown_in == {REGISTERED.group_ids}


# A drain


def test_a_drain_takes_out_what_the_journal_has_when_nothing_answers(vm: Vm):
    """Found by running: it gave up on all groups, plain ones too."""
    vm.registered(REGISTERED)
    vm.metadata.values |= dict.fromkeys(("instance-id", "mac", "private-ipv4"), 0)
    vm.phase = Phase.LOWER
    other = {**IP, "server_group_id": "sgp-2"}
    vm.start(CLB, ENI, other).for_drain(Waits(10**6), patience_seconds=0.0)
    vm.look()
    assert vm.origins == {"clb/lb-1": Origin.MANIFEST, OF_ENI: Origin.MANIFEST}
    waiting = "alb/sgp-2:80@?"
    assert vm.statuses[waiting].barred is None  # one answer may have been lost
    vm.look(AGAIN_SECONDS)
    assert "no connection" in str(vm.statuses[waiting].barred)  # it was never seen there


# Who this VM is


def test_who_this_vm_is_is_asked_for_until_there_is_an_answer(vm: Vm):
    vm.metadata.values["region-id"] = "<html>"
    one = vm.start(CLB)
    stop = Waits(4)
    assert one.turn(stop) is None
    assert one.membership is None
    assert max(filter(None, stop.seconds[:4])) <= AGAIN_SECONDS
    assert "which is no region-id; asking again" in str(one.error)
    assert len(vm.said("warning")) == 1
    vm.metadata.values["region-id"] = "cn-hangzhou"
    one.turn(Waits())
    assert set(vm.origins) == {"clb/lb-1"}


@pytest.mark.parametrize("path", ["instance-id", "region-id"])
@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_a_new_start_without_an_answer_goes_on_as_who_it_was_since_the_boot(
    vm: Vm, path: str, answer: Answer
):
    """Nobody lowers a VM whose service fails as long as it is not known which VM it is."""
    vm.registered(REGISTERED)
    vm.metadata.values |= {path: answer, "mac": answer}
    one = vm.start(ENI)
    assert one.turn(Waits(10**6)) is None
    assert one.instance == Instance("i-self", "cn-hangzhou")
    assert vm.origins == {OF_ENI: Origin.MANIFEST}
    assert vm.said("warning")[-1]["message"] == "going on as who this VM was since it was booted"


@pytest.mark.parametrize("given", [{"instance_id": "i-other"}, {"region": "cn-beijing"}, {}])
def test_what_the_configuration_or_the_boot_speaks_against_is_not_believed_of_a_journal(
    vm: Vm, given: dict[str, object], monkeypatch: pytest.MonkeyPatch
):
    """A disk that was cloned comes with a journal of another VM."""
    vm.registered(REGISTERED)
    if not given:
        monkeypatch.setattr(journal_file, "BOOT_ID", vm.folder / "none")
    vm.metadata.values["instance-id"] = 0
    one = vm.start(ENI, **given)
    assert one.turn(Waits(50)) is None
    assert one.membership is None


def test_an_instance_id_of_another_vm_is_looked_at_seldom_and_never_believed(vm: Vm):
    one = vm.start(CLB, instance_id="i-other")
    for _ in range(2):
        assert (one.turn(Waits()), one.membership) == (RECHECK_SECONDS, None)
    assert one.needs_repair
    assert "instance_id: i-other is given" in str(one.error)


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_a_vpc_without_an_answer_keeps_no_other_group_from_being_found(vm: Vm, answer: Answer):
    vm.metadata.values["vpc-id"] = answer
    vm.listed = [Tagged("alb", "sgp-1", "web", "vpc-1"), Tagged("alb", "sgp-2", "api")]
    vm.join(discovery={"enabled": True}, port=80)
    vm.look()
    assert set(vm.origins) == {"alb/sgp-2:80"}
    vm.metadata.values["vpc-id"] = "vpc-1"
    vm.look(AGAIN_SECONDS)
    assert set(vm.origins) == {"alb/sgp-1:80", "alb/sgp-2:80"}
