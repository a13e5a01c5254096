"""What the API says: any JSON in any field becomes a result of the right types, or ApiError.

The answers are those of the mocked cloud with something wrong in them, handed to every adapter;
what the adapters make of them goes on to the registrar, the status, the metrics and the log.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import responses
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from tests.fuzz.strategies import broken, odd_values
from tests.fuzz.target import Target
from tests.unit.driver import HEALTHY, LOWER, PORT, REMOVE, UNHEALTHY
from tests.unit.every_kind import KINDS, Setting

from mock_slb.testing import SDK_SEND
from slb_registration.cloud.call_counter import CallCounter
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import CredentialsState
from slb_registration.membership.calls import carry_out
from slb_registration.model.desired import Policy, Wish
from slb_registration.model.errors import ApiError
from slb_registration.model.operations import Answer, Call, Op, Wait
from slb_registration.model.server_group import Changed, ListenerHealth, Members, ServerGroup
from slb_registration.model.status import Origin
from slb_registration.reconcile.registrar import Registrar
from slb_registration.reporting.document import credentials_document, group_document
from slb_registration.reporting.group_status import describe
from slb_registration.reporting.metrics import exposition
from slb_registration.server_groups.clb_active_standby import ActiveStandbyGroup
from slb_registration.server_groups.open import open_group
from slb_registration.server_groups.tagged import Tagged, listings
from slb_registration.support.logs.event_log import EventLog

MOST_CALLS = 3000
"""More than a dozen operations on one group may make, however long the API says its lists are."""

TAGS = {"bosh-deployment": "cf", "bosh-instance-group": "srt"}
WISHES = (HEALTHY, UNHEALTHY, LOWER, REMOVE)


@dataclass(frozen=True)
class Recorded:
    """One kind of server group and what the mocked cloud answers to each action."""

    name: str
    setting: Setting
    answers: Mapping[str, dict[str, Any]]


class _Recorder:
    """Calls the mocked cloud, and keeps the last answer of each action that says the most."""

    def __init__(self, setting: Setting) -> None:
        self._cloud = setting.cloud
        self.answers: dict[str, dict[str, Any]] = {}

    def call(self, request: Any) -> dict[str, Any]:
        action = str(request.get_action_name())
        answer = self._cloud.call(request)
        if len(str(answer)) >= len(str(self.answers.get(action, ""))):
            self.answers[action] = answer
        return answer


class HostileCloud:
    """Answers each action with what was put there, again and again.

    `endless`: every page of a listing names one more.
    """

    def __init__(self, answers: Mapping[str, Any], *, endless: bool = False) -> None:
        self._answers = answers
        self._endless = endless
        self.calls = 0
        self.region = "cn-hangzhou"

    def call(self, request: Any) -> dict[str, Any]:
        self.calls += 1
        assert self.calls <= MOST_CALLS, "calls without end"
        answer = self._answers.get(str(request.get_action_name()))
        if not isinstance(answer, dict):
            return {}
        return {**answer, "NextToken": f"page-{self.calls}"} if self._endless else answer


@functools.cache
def recorded() -> tuple[Recorded, ...]:
    """Made once, through the real SDK."""
    return tuple(_record())


def _record() -> Iterator[Recorded]:
    for kind in KINDS:
        with responses.RequestsMock(target=SDK_SEND, assert_all_requests_are_fired=False) as mock:
            setting = Setting(mock, kind)
            recorder = _Recorder(setting)
            group = open_group(recorder, setting.spec)  # type: ignore[arg-type]
            _all_calls(setting, group)
            if kind.product == "clb":
                _active_standby(setting, recorder)
            for listing in listings(recorder, (kind.product,), TAGS).values():  # type: ignore[arg-type]
                _tag(setting)
                listing.tagged()
                listing.without_tags(["sgp-1", "lb-1"])
            yield Recorded(kind.name, setting, recorder.answers)


def _all_calls(setting: Setting, group: ServerGroup) -> None:
    for call in (
        lambda: group.add(setting.me(30)),
        lambda: group.set_weight(setting.me(50)),
        lambda: group.health() and group.find(),
        lambda: group.remove(setting.me()),
    ):
        group.find()
        call()
        group.find()
        setting.settle()
    group.add(setting.me())
    setting.settle()
    group.find()
    for _ in range(4):
        group.health()


def _active_standby(setting: Setting, recorder: _Recorder) -> None:
    balancer = setting.account.load_balancer("lb-1")
    balancer.add_master_slave_group("rsp-9", master=("i-self", PORT), slave=("i-other-1", PORT))
    ActiveStandbyGroup(recorder, "rsp-9", None).find()  # type: ignore[arg-type]


def _tag(setting: Setting) -> None:
    if setting.kind.product == "clb":
        setting.account.load_balancer("lb-1").set_tags(TAGS)
    else:
        setting.group.set_tags(TAGS)


@dataclass(frozen=True)
class Hostile:
    """Answers to one kind of server group, with something wrong in them."""

    kind: int
    answers: Mapping[str, Any]
    seed: int = 0
    endless: bool = False

    @property
    def setting(self) -> Setting:
        return recorded()[self.kind].setting

    @property
    def cloud(self) -> Cloud:
        hostile_cloud: Any = HostileCloud(self.answers, endless=self.endless)
        return hostile_cloud


@st.composite
def hostile(draw: DrawFn) -> Hostile:
    """See Hostile."""
    kind = draw(st.integers(0, len(recorded()) - 1))
    answers = draw(broken([dict(recorded()[kind].answers)], most=6))
    if draw(st.integers(0, 9)) == 0:
        answers = dict.fromkeys(recorded()[kind].answers, draw(odd_values))
    known = answers if isinstance(answers, dict) else {}
    return Hostile(kind, known, draw(st.integers(0, 3)), endless=draw(st.integers(0, 9)) == 0)


def groups_hold(value: Hostile) -> None:
    """Each call of an adapter gives what its protocol says, or ApiError."""
    setting = value.setting
    group = open_group(value.cloud, setting.spec)
    servers = (setting.me(100), setting.me(0))
    calls = [Call(Op.FIND), Call(Op.HEALTH), Call(Op.HEALTH), Call(Op.HEALTH)]
    calls += [Call(op, server) for op in (Op.ADD, Op.SET_WEIGHT, Op.REMOVE) for server in servers]
    for call in (*calls, Call(Op.FIND), Call(Op.HEALTH)):
        _check_answer(call, _answer(group, call))


def _answer(group: ServerGroup, call: Call) -> Answer:
    try:
        return carry_out(group, call)
    except ApiError as error:
        return error


def _check_answer(call: Call, answer: Answer) -> None:
    if isinstance(answer, ApiError):
        assert str(answer).isprintable(), repr(str(answer))
        assert len(str(answer)) < 1500
        return
    if call.op is Op.FIND:
        assert isinstance(answer, Members)
        for server in answer.servers:
            _are(str, server.server_id, server.description, server.state, server.server_ip)
            _are(int, server.weight, server.port or 0)
    elif call.op is Op.HEALTH:
        assert isinstance(answer, tuple)
        for item in answer:
            assert isinstance(item, ListenerHealth)
            _are(str, item.status, item.protocol, item.server_id, item.server_ip)
            _are(int, item.listener_port, item.port or 0)
    else:
        assert isinstance(answer, Changed)


def _are(kind: type, *values: object) -> None:
    assert all(type(value) is kind for value in values), values


def standby_holds(value: Hostile) -> None:
    """The group that is only read."""
    group = ActiveStandbyGroup(value.cloud, "rsp-9", PORT if value.seed % 2 else None)
    for op in (Op.FIND, Op.HEALTH, Op.HEALTH, Op.HEALTH, Op.HEALTH, Op.FIND):
        _check_answer(Call(op), _answer(group, Call(op)))


def agent_holds(value: Hostile) -> None:
    """Whatever the API says, the registrar decides and all that it says can be shown."""
    setting, seed = value.setting, value.seed
    group = open_group(value.cloud, setting.spec)
    registrar = Registrar(replace(setting.identity(), also_ours={"i-self"}), Policy(), interval=30)
    random, now = Random(seed), 0.0
    answer: Answer | None = None
    lines = io.StringIO()
    logs = [
        EventLog(lines, level="debug", format=form, now=lambda: 0.0) for form in ("json", "text")
    ]
    told = 0
    for number in range(16):
        wish: Wish = WISHES[(seed + number // 4) % len(WISHES)]
        registrar.want(wish)
        step = registrar.step(now, random, answer)
        events, registrar.events = registrar.events, []
        for event in events:
            told += 2
            for log in logs:
                getattr(log, event.level)(event.message, group=group.name, **event.fields)
        _show(registrar, group, setting)
        if isinstance(step, Wait):
            assert step.until > now
            answer, now = None, step.until
        else:
            answer, now = _answer(group, step), now + 0.1
    said = lines.getvalue()
    assert said.count("\n") == told
    assert said.replace("\n", "").isprintable()


def _show(registrar: Registrar, group: ServerGroup, setting: Setting) -> None:
    status = describe(registrar, setting.spec, group.name, Origin.MANIFEST)
    document = {
        **{"groups": [group_document(status, 0.0)], "drain": None, "local_checks": []},
        "state": "starting",
        "register": True,
        "mode": "register",
        "complete": True,
        "needs_repair": False,
        "credentials": credentials_document("static", CredentialsState()),
        "dynamic_configs": [],
        "held_since_seconds": None,
        "held_until_seconds": None,
        "version": "1.2",
        "package": "aliyun_py/f00d",
        "log_lines_dropped": 0,
        "log_lines_stuck": 0,
        "parts": [],
    }
    json.dumps(document).encode()
    page = exposition(document, CallCounter(lambda: 0.0))
    page.encode()
    for line in page.split("\n"):
        assert line == "" or line.startswith(("# ", "slb_registration_")), repr(line)


def listings_hold(value: Hostile) -> None:
    """A search by tags gives names, or ApiError; never half of a list."""
    product = value.setting.kind.product
    listing = listings(value.cloud, (product,), TAGS)[product]
    tagged = _or_error(listing.tagged)
    for one in tagged:
        assert isinstance(one, Tagged)
        _are(str, one.id, one.name, one.vpc_id, one.server_type)
    for one in _or_error(lambda: listing.without_tags(["sgp-1", "lb-1", "x"])):
        assert one in ("sgp-1", "lb-1", "x")


def _or_error(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ApiError:
        return ()


TARGETS = (
    Target("server_groups", hostile(), groups_hold, examples=200, prepare=recorded),
    Target("active_standby_group", hostile(), standby_holds, examples=60, prepare=recorded),
    Target("registrar", hostile(), agent_holds, examples=100, prepare=recorded),
    Target("listings", hostile(), listings_hold, examples=150, prepare=recorded),
)
