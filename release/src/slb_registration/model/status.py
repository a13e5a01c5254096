"""The status of a registration in one server group, as plain data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Floor, Phase
from slb_registration.model.operations import Op
from slb_registration.model.server_group import ListenerHealth


class WaitsFor(enum.Enum):
    """The event that the next step waits for."""

    NOTHING = "nothing"  # it is about to be made
    ANSWER = "answer"  # it is being made
    POLL = "poll"  # all is done: the next look
    QUOTA = "quota"  # throttled: its turn at the quota that the account's VMs share
    RETRY = "retry"  # it has failed
    REPAIR = "repair"  # it has failed, and only a person can mend that
    OTHER_WRITER = "other writer"  # who keeps changing it
    SLB = "slb"  # that has accepted a change, and is to show it


@dataclass(frozen=True)
class Outlook:
    """The next step; `weight` is what a write would give this VM, None where it gives none.

    `at`: the moment of the registrar's clock before which it is not made, for ANSWER when it was
    begun; None where there is none. `of_predecessor`: what is removed is the VM that this one
    replaces.
    """

    op: Op
    weight: int | None
    at: float | None
    waits_for: WaitsFor
    of_predecessor: bool = False


@dataclass(frozen=True)
class Would:
    """A write that would be made of `server_id`; `text` says it as `it would …` goes on."""

    op: Op
    server_id: str
    weight: int | None
    of_predecessor: bool
    text: str


class Origin(enum.Enum):
    """Why a server group is ours."""

    MANIFEST = "manifest"
    TAGS = "tags"
    FILE = "file of a co-located job"
    DROPPED = "no longer wanted"  # registered by an earlier start, to be left


@dataclass(frozen=True)
class GroupStatus:
    """One server group as its registrar sees it. Moments (`…_at`, `…_until`) are of the agent's
    clock.

    `out`: held or draining, it is known to get no new connections; or that cannot be brought about.
    `unproven`: it is not listed, for want of a list, and may be there. `rests`: draining, it was
    seen with weight 0, or is out.
    `barred`: why there is nothing to be done in a drain: this VM was never seen in the group, and
    only a person can let it be looked up. `begun`: a call that registers it was made, and what came
    of that is not known.
    `error_code`: the error without what differs each time. `needs_repair`: it takes a person.
    `wanted_weight`: what it should have by now, None where it should not be in the group.
    `asked_at`: when the group was last asked for, `read_at`: when that last succeeded.
    `conflict_until`: so long another writer's changes are left alone. `outlook`: what is next.
    `floor`: the panic threshold, where that keeps this VM in rotation. `unhealthy_ignored`: it
    stays there because on_unhealthy is ignore. `address`: to which SLB sends what this VM gets,
    empty where that is not known. `would`: the write that is left undone where this VM only
    observes; `would_writes`: how often each was decided on, None where it does not only observe.
    """

    name: str
    spec: GroupSpec
    origin: Origin
    server_id: str
    state: str
    weight: int | None
    registered: bool
    in_service: bool
    lowered: bool
    removed: bool
    out: bool
    conflict: bool
    health: tuple[ListenerHealth, ...]
    health_known: bool
    backend_ports: tuple[int, ...] | None
    error: str | None
    changed_at: float | None
    calls: int
    repairs: Mapping[str, int]
    read_only: str | None = None
    file: str | None = None
    gone: bool = False
    unproven: bool = False
    rests: bool = False
    barred: str | None = None
    begun: bool = False
    error_code: str | None = None
    needs_repair: bool = False
    phase: Phase = Phase.SERVE
    wanted_weight: int | None = None
    asked_at: float | None = None
    read_at: float | None = None
    conflict_until: float | None = None
    outlook: Outlook | None = None
    floor: Floor | None = None
    unhealthy_ignored: bool = False
    address: str = ""
    would: Would | None = None
    would_writes: Mapping[str, int] | None = None

    @property
    def service_ports(self) -> tuple[int, ...] | None:
        """The port that the configuration names, or those that SLB does: None while not known."""
        return (self.spec.port,) if self.spec.port else self.backend_ports
