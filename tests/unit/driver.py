"""Drives registrars on a clock that is only told: no threads, no sleeping, the same every time.

`Driver` does what the agent's workers do, with any number of VMs; `World` puts the mocked account
and the real SDK behind them; `MemoryGroup` is a server group as simple as it can be, for tests
that need thousands of runs or a product that changes asynchronously.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import responses

from mock_slb.account.account import Account
from mock_slb.clb.group import ServerGroup as MockGroup
from mock_slb.gateway.faults import Refuse, Reply, Rule
from mock_slb.testing import attach
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.membership.calls import carry_out
from slb_registration.model.configuration import GroupSpec, StaticKeys
from slb_registration.model.desired import Phase, Policy, Wish
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Answer, Call, Event, Op, Wait
from slb_registration.model.server_group import (
    BackendServer,
    Changed,
    ListenerHealth,
    Members,
    ServerGroup,
    StillWanted,
    always,
)
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.pacing.quotas import ALONE, Fleet
from slb_registration.reconcile.registrar import Registrar
from slb_registration.reporting.group_status import describe
from slb_registration.server_groups.clb import DefaultGroup, VServerGroup

CALL_SECONDS = 0.05
ACCESS_KEY = "LTAI5tAccessKeyOfTheTest"
SECRET_KEY = "sEcReTsEcReTsEcReTsEcReTsEcReT"
KINDS = ("default group", "vServer group")
PORT = 8080

THIS_VM = Identity("i-self", None, 100)
"""In a group without ports; it has no marker."""

UNKNOWN = Wish(Phase.SERVE, Health.UNKNOWN)
HEALTHY = Wish(Phase.SERVE, Health.HEALTHY)
UNHEALTHY = Wish(Phase.SERVE, Health.UNHEALTHY)
HELD = Wish(Phase.HOLD, Health.HEALTHY)
LOWER = Wish(Phase.LOWER, Health.HEALTHY)
REMOVE = Wish(Phase.REMOVE, Health.HEALTHY)


class SpinError(AssertionError):
    """A registrar asked to wait for a moment that has passed: its worker would use a whole CPU."""


@dataclass(eq=False)
class Agent:
    """One VM's registrar and its server group, as a worker holds them."""

    registrar: Registrar
    group: ServerGroup
    random: Random
    wish: Wish = UNKNOWN
    due: float = 0.0
    answer: Answer | None = None
    calls: list[tuple[float, Call]] = field(default_factory=list)
    events: list[tuple[float, Event]] = field(default_factory=list)

    def turn(self, now: float) -> None:
        """One round of a worker's loop: a step, and the call that it asks for."""
        self.registrar.want(self.wish)
        step = self.registrar.step(now, self.random, self.answer)
        self.events += [(now, event) for event in self.registrar.events]
        self.registrar.events = []
        if isinstance(step, Wait):
            if step.until <= now:
                raise SpinError(f"waits until {step.until} at {now}")
            self.answer, self.due = None, step.until
            return
        self.calls.append((now, step))
        try:
            self.answer = carry_out(self.group, step)
        except ApiError as error:
            self.answer = error
        self.due = now + CALL_SECONDS

    def ops(self, *wanted: Op, since: float = 0.0) -> list[Op]:
        """The calls made since then, all or those of these kinds."""
        return [
            call.op for at, call in self.calls if at >= since and call.op in (wanted or tuple(Op))
        ]

    def writes(self, since: float = 0.0) -> list[Op]:
        """The changes asked for since then."""
        return self.ops(Op.ADD, Op.SET_WEIGHT, Op.REMOVE, since=since)

    def times(self, *wanted: Op, since: float = 0.0) -> list[float]:
        """When calls of these kinds were made since then."""
        return [at for at, call in self.calls if at >= since and call.op in wanted]

    def said(self, message: str) -> list[Event]:
        """The events with this message."""
        return [event for _, event in self.events if event.message == message]

    @property
    def weight(self) -> int | None:
        """As last seen; None: not registered."""
        mine = self.registrar.mine
        return None if mine is None else mine.weight


class Driver:
    """A clock and the agents that live by it."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 1000.0
        self.agents: list[Agent] = []
        self._seed = seed

    def add(self, registrar: Registrar, group: ServerGroup) -> Agent:
        """An agent that starts now."""
        agent = Agent(registrar, group, Random(self._seed + len(self.agents)), due=self.now)
        self.agents.append(agent)
        return agent

    def join(
        self,
        group: ServerGroup,
        me: Identity = THIS_VM,
        policy: Policy | None = None,
        *,
        interval: float = 30.0,
        **options: Any,
    ) -> Agent:
        """The agent of this VM in this group, started now; the options are a registrar's."""
        registrar = Registrar(me, policy or Policy(), interval=interval, **options)
        return self.add(registrar, group)

    def want(self, wish: Wish, *agents: Agent) -> None:
        """Hand a wish to these agents (none named: to all); it is felt at once."""
        for agent in agents or tuple(self.agents):
            agent.wish = wish
            if agent.answer is None:
                agent.due = self.now

    def run(self, seconds: float) -> None:
        """Let this time pass."""
        ends = self.now + seconds
        while self.agents:
            agent = min(self.agents, key=lambda one: one.due)
            if agent.due > ends:
                break
            self.now = max(self.now, agent.due)
            agent.turn(self.now)
        self.now = ends


def alone(
    group: ServerGroup, me: Identity = THIS_VM, *, seed: int = 0, **options: Any
) -> tuple[Driver, Agent]:
    """A clock by which one VM lives, and its agent in this group; the options are a registrar's."""
    driver = Driver(seed)
    return driver, driver.join(group, me, **options)


def gaps(times: list[float]) -> list[float]:
    """The seconds from each of these moments to the next."""
    return [later - sooner for sooner, later in itertools.pairwise(times)]


def busiest_minute(agent: Agent) -> int:
    """The most calls made within any 60 seconds."""
    times = [at for at, _ in agent.calls]
    return max((sum(start <= at < start + 60 for at in times) for start in times), default=0)


def in_json(body: object) -> Reply:
    """An answer of HTTP 200."""
    return Reply(200, json.dumps(body).encode(), "application/json")


class World:
    """An account with a load balancer and two servers that are not ours, and agents of VMs."""

    def __init__(self, mock: responses.RequestsMock, kind: str) -> None:
        self.kind = kind
        self.account = Account()
        self.account.add_key(ACCESS_KEY, SECRET_KEY)
        balancer = self.account.add_load_balancer("lb-1")
        self.servers: MockGroup
        if kind == "default group":
            balancer.add_listener(80, backend_port=PORT)
            self.servers = balancer.default_group
        else:
            self.servers = balancer.add_vserver_group("rsp-1")
            balancer.add_listener(80, vserver_group="rsp-1")
        for name in ("i-other-1", "i-other-2"):
            self.account.add_instance(name)
            self.servers.add_server(name, port=PORT, weight=100, description="not ours")
        self.account.add_instance("i-self")
        self.gateway = attach(mock, self.account)
        self.cloud = Cloud(Static(StaticKeys(ACCESS_KEY, SECRET_KEY, None)), self.account.region)
        self.driver = Driver()

    @property
    def port(self) -> int | None:
        """The port that is part of a server's key in this kind of group."""
        return None if self.kind == "default group" else PORT

    def group(self) -> ServerGroup:
        """An adapter for the group."""
        if self.kind == "default group":
            return DefaultGroup(self.cloud, "lb-1")
        return VServerGroup(self.cloud, "rsp-1", PORT)

    def agent(
        self,
        server_id: str = "i-self",
        *,
        weight: int = 100,
        marker: str = "bosh/spec-1",
        replaces: bool = True,
        served: bool = False,
        policy: Policy | None = None,
        interval: float = 30.0,
        fleet: Fleet = ALONE,
    ) -> Agent:
        """The agent of a VM, started now."""
        me = Identity(server_id, self.port, weight, marker, replaces=replaces)
        return self.driver.join(
            self.group(), me, policy, interval=interval, served=served, fleet=fleet
        )

    def serving(self, **options: object) -> Agent:
        """An agent whose VM is in rotation, at rest."""
        agent = self.agent(**options)  # type: ignore[arg-type]
        self.account.force_health(agent.registrar.me.server_id, "normal")
        self.driver.want(HEALTHY, agent)
        self.driver.run(1)
        assert self.weight(agent.registrar.me.server_id) == agent.registrar.me.weight
        return agent

    def weight(self, server_id: str = "i-self") -> int | None:
        """What the account says; None: not registered."""
        server = self.servers.server(server_id, self.port or 0)
        return None if server is None else server.weight

    def set_weight(self, weight: int, server_id: str = "i-self") -> None:
        """As another writer does."""
        self.servers.set_weight(server_id, weight, port=PORT)

    def take_out(self, server_id: str = "i-self") -> None:
        """As another writer does."""
        self.servers.remove_server(server_id, port=PORT)

    def put_in(self, server_id: str, weight: int = 100, description: str = "") -> None:
        """As another writer does."""
        if self.account.instance(server_id) is None:
            self.account.add_instance(server_id)
        self.servers.add_server(server_id, port=PORT, weight=weight, description=description)

    def others(self) -> list[tuple[str, int, str]]:
        """The servers that are not ours."""
        return [
            (one.server_id, one.weight, one.description)
            for one in self.servers.servers()
            if one.server_id.startswith("i-other")
        ]

    def refuse(self, code: str, status: int = 400, action: str = "*", **rule: object) -> int:
        """Answer calls with this error from now on."""
        return self.gateway.faults.add(
            Rule(Refuse(code, status), action=action, **rule)  # type: ignore[arg-type]
        )

    def reply(self, body: object, action: str = "*") -> None:
        """Answer calls with this, as JSON, from now on."""
        self.gateway.faults.add(Rule(in_json(body), action=action))

    def made(self, pattern: str = "") -> int:
        """How many calls whose action contains this have reached the account."""
        return sum(pattern in call.action for call in self.gateway.calls.all())


Outcome = tuple[ApiError, bool]
"""A failure, and whether the change was made all the same."""


class MemoryGroup:
    """A server group in a dict that adapters share. `fail` may spoil any call.

    `settles` > 0 makes it asynchronous: a change is under way for so many reads.
    """

    name = "memory/group"
    port: int | None = None

    def __init__(
        self,
        servers: dict[str, BackendServer] | None = None,
        *,
        fail: Callable[[Op], Outcome | None] = lambda _: None,
        settles: int = 0,
    ) -> None:
        self.servers = {} if servers is None else servers
        self.busy = False
        self.fail = fail
        self.settles = settles
        self._under_way: dict[str, int] = {}
        self._hides = 0
        self._before = Members(())

    def hide(self, reads: int) -> None:
        """Let so many reads show what is now, whatever changes."""
        self._hides, self._before = reads, self._members()

    def find(self) -> Members:
        self._spoil(Op.FIND)
        for server_id in list(self._under_way):
            self._under_way[server_id] -= 1
            if self._under_way[server_id] < 0:
                self._settle(server_id)
        if self._hides > 0:
            self._hides -= 1
            return self._before
        return self._members()

    def add(self, server: BackendServer) -> Changed:
        return self._change(Op.ADD, server, "adding")

    def set_weight(self, server: BackendServer) -> Changed:
        return self._change(Op.SET_WEIGHT, server, "configuring")

    def remove(self, server: BackendServer) -> Changed:
        return self._change(Op.REMOVE, server, "removing")

    round_robin = False

    def settings(self, *, ask: bool = False) -> None:
        """Nothing is known of them."""

    def health(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...] | None:
        self._spoil(Op.HEALTH)
        return tuple(
            ListenerHealth(80, "tcp", one.server_id, PORT, "normal")
            for one in self.servers.values()
        )

    def _members(self) -> Members:
        return Members(tuple(self.servers.values()), busy=self.busy)

    def _change(self, op: Op, server: BackendServer, state: str) -> Changed:
        outcome = self.fail(op)
        if outcome is not None and not outcome[1]:
            raise outcome[0]
        if self.settles:
            self.servers[server.server_id] = replace(server, state=state)
            self._under_way[server.server_id] = self.settles
        elif op is Op.REMOVE:
            self.servers.pop(server.server_id, None)
        else:
            self.servers[server.server_id] = server
        if outcome is not None:
            raise outcome[0]
        return Changed(pending=self.settles > 0)

    def _settle(self, server_id: str) -> None:
        del self._under_way[server_id]
        server = self.servers.pop(server_id)
        if server.state != "removing":
            self.servers[server_id] = replace(server, state="available")

    def _spoil(self, op: Op) -> None:
        outcome = self.fail(op)
        if outcome is not None:
            raise outcome[0]


class Refusing(MemoryGroup):
    """A group in which some kinds of calls fail, all in one way."""

    def __init__(
        self, *refused: Op, members: Iterable[str] = (), kind: Kind = Kind.THROTTLED
    ) -> None:
        super().__init__({name: member(name) for name in members}, fail=self._refuse)
        self.refused = set(refused)
        self.kind = kind

    def refuse(self, op: Op, kind: Kind) -> None:
        """Let this kind of call fail so from now on, and no other."""
        self.refused, self.kind = {op}, kind

    def _refuse(self, op: Op) -> Outcome | None:
        return (failure(self.kind), False) if op in self.refused else None


CLB = GroupSpec("clb", "lb-1", None, None, 100, None)
"""The default group of a load balancer, as the configuration has it."""


def status(agent: Agent) -> GroupStatus:
    """What is told of an agent's server group, which it has found by tags."""
    return describe(agent.registrar, CLB, "clb/lb-1", Origin.TAGS)


QUIET: dict[str, object] = {
    "version": "1.2",
    "package": "aliyun_py/f00d",
    "register": True,
    "mode": "register",
    "held_since": None,
    "needs_repair": False,
    "under_way": None,
    "remark": None,
    "held_since_seconds": None,
    "held_until": None,
    "held_until_seconds": None,
    "held_reason": None,
    "backend": {
        "port": None, "port_from": "default", "path": None, "path_from": None, "ignored": None,
    },
    "credentials": {
        "source": "static", "good_until": None, "good_until_seconds": None, "error": None,
    },
    "local_checks": [],
    "discovered": [],
    "dynamic_configs": [],
    "log_lines_dropped": 0,
    "log_lines_stuck": 0,
    "parts": [],
}  # fmt: skip
"""What a status document holds where there is nothing to tell."""


def group_status(spec: GroupSpec, **changes: object) -> GroupStatus:
    """The status of a server group in which all is well; what is not given has no value."""
    without_default = (
        one.name for one in dataclasses.fields(GroupStatus) if one.default is dataclasses.MISSING
    )
    fields: dict[str, object] = dict.fromkeys(without_default)
    known: dict[str, object] = {
        "name": "clb/lb-1",
        "spec": spec,
        "origin": Origin.MANIFEST,
        "server_id": "i-self",
        "state": "in service",
        "weight": spec.weight,
        "registered": True,
        "in_service": True,
        "lowered": False,
        "removed": False,
        "out": False,
        "conflict": False,
        "health": (),
        "health_known": True,
        "calls": 0,
        "repairs": {},
        "needs_repair": False,
    }
    return GroupStatus(**{**fields, **known, **changes})  # type: ignore[arg-type]


def failure(kind: Kind, status: int | None = 400, code: str | None = None) -> ApiError:
    """An error of this kind."""
    return ApiError("Action", kind, code or kind.name.title(), "made up", status)


def member(server_id: str, weight: int = 100, description: str = "") -> BackendServer:
    """A server of a group without ports."""
    return BackendServer(server_id, None, weight, description)
