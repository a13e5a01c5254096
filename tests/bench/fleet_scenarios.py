"""What happens to a fleet, and what it cost: plain data, ready for a table and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.fleet_cloud import ACTIONS, Cloud
from tests.bench.fleet_naive import NaiveFleet, NaiveVm
from tests.bench.fleet_simulation import HEALTHY, INTERVAL_SECONDS, UNKNOWN, Simulation, Vm

from slb_registration.model.configuration import Drain
from slb_registration.model.operations import WRITES, Op
from slb_registration.pacing.quotas import BUCKET_SECONDS

HOUR = 3600.0
DAY = 24 * HOUR
HEALTH_SECONDS = 5.0
"""When a service is known to be healthy, where it is not at once."""

LOST_SECONDS = 600.0
MIN_WAIT_SECONDS = 10.0
"""The default of drain.min_wait: a part of every drain, however small the fleet is."""

LONGEST_BACKOFF_SECONDS = 60.0
"""How long an agent may take to notice that an API is back, however small its fleet is."""


@dataclass(frozen=True)
class Outcome:
    """One fleet's way from one state to another.

    `bound`: the seconds that the quota takes to let each VM make the slowest of the calls that it
    needs once: calls ÷ quota. A bucket that was full at the beginning saves up to a minute of it.
    `moments`: when each VM was there, in seconds, sorted. `refused`: of each VM.
    """

    what: str
    product: str
    size: int
    fleet_size: int | None
    bound: float
    moments: Sequence[float]
    calls: int
    refused: Sequence[int]
    longest_wait: float

    @property
    def bound_with_full_bucket(self) -> float:
        """Nobody can be faster: the bucket at the beginning, then what refills it."""
        return max(0.0, self.bound - BUCKET_SECONDS)

    def until(self, share: float) -> float:
        """Seconds until this share of the fleet was there."""
        return self.moments[max(0, -int(-share * len(self.moments) // 1) - 1)]


@dataclass(frozen=True)
class Rest:
    """What a fleet at rest reads: by action, a minute and as a share of its quota."""

    product: str
    size: int
    reads: Sequence[tuple[str, float, float]]


def register(
    size: int, product: str, seed: int, *, factor: float = 1.0, known: bool = True
) -> Outcome:
    """All start in the same second. `known`: their health is known by then, not 5 s later.

    `factor`: what they are told their number is, as a multiple of it.
    """
    told = max(1, round(size * factor))
    fleet = Simulation(size, product=product, fleet_size=told, seed=seed)
    fleet.start(HEALTHY if known else UNKNOWN)
    if not known:
        fleet.run(HEALTH_SECONDS)
        fleet.want(HEALTHY)
    fleet.run(30 * DAY, until=lambda: fleet.serving == size)
    what = "healthy at once" if known else f"healthy after {HEALTH_SECONDS:.0f} s"
    if told != size:
        what = f"told {told:,}"
    extra = 0.0 if known else HEALTH_SECONDS
    return _registered(what, product, fleet.cloud, fleet.vms, told, extra=extra)


def register_naively(size: int, product: str, _seed: int) -> Outcome:
    """All start in the same second, and try again every 5 seconds."""
    fleet = NaiveFleet(size, product=product)
    fleet.run()
    return _registered("naive", product, fleet.cloud, fleet.vms, None)


def register_while_lost(size: int, product: str, seed: int) -> Outcome:
    """As `register`, and the API is lost for 10 minutes after a tenth of the time it takes."""
    fleet = Simulation(size, product=product, fleet_size=size, seed=seed)
    fleet.start()
    bound = size / fleet.cloud.per_minute(Op.ADD) * 60
    fleet.run(bound / 10, until=lambda: fleet.serving == size)
    fleet.cloud.lost = True
    fleet.run(LOST_SECONDS)
    fleet.cloud.lost = False
    fleet.run(30 * DAY, until=lambda: fleet.serving == size)
    what = "API lost early"
    return _registered(what, product, fleet.cloud, fleet.vms, size, extra=LOST_SECONDS)


def lose_the_api(size: int, product: str, seed: int) -> Outcome:
    """A fleet at rest loses the API for 10 minutes: from then on until each has read again."""
    fleet = _at_rest(size, product, seed)
    fleet.cloud.lost = True
    fleet.run(LOST_SECONDS)
    fleet.cloud.lost = False
    fleet.forget_costs()
    back = fleet.now
    moments: dict[str, float] = {}
    while len(moments) < size:
        fleet.run(1.0)
        for vm in fleet.vms:
            if Op.FIND not in vm.registrar.failures.errors:
                moments.setdefault(vm.registrar.me.server_id, fleet.now - back)
    return Outcome(
        what="API lost at rest",
        product=product,
        size=size,
        fleet_size=size,
        bound=max(size / fleet.cloud.per_minute(Op.FIND) * 60, LONGEST_BACKOFF_SECONDS),
        moments=sorted(moments.values()),
        calls=sum(fleet.cloud.calls.values()),
        refused=[vm.refused for vm in fleet.vms],
        longest_wait=max(moments.values()),
    )


def drain(size: int, product: str, seed: int, *, timeout: float | None = None) -> Outcome:
    """All VMs of a fleet at rest drain at once, with as much time as they need or `timeout`."""
    fleet = _at_rest(size, product, seed)
    fleet.forget_costs()
    began = fleet.now
    bound = size / fleet.cloud.per_minute(Op.REMOVE) * 60 + MIN_WAIT_SECONDS
    ends = 3 * bound + 600 if timeout is None else timeout
    fleet.drain(Drain(ends, MIN_WAIT_SECONDS, "weight_zero", None, (), "continue"))
    fleet.run(30 * DAY if timeout is None else timeout, until=lambda: fleet.removed == size)
    there = sorted(
        (vm.removed_at if timeout is None else vm.lowered_at) - began
        for vm in fleet.vms
        if (vm.removed_at if timeout is None else vm.lowered_at) is not None
    )
    return Outcome(
        what="drain" if timeout is None else f"drain in {timeout:.0f} s",
        product=product,
        size=size,
        fleet_size=size,
        bound=bound,
        moments=there,
        calls=sum(fleet.cloud.calls.values()),
        refused=[vm.refused for vm in fleet.vms],
        longest_wait=there[-1],
    )


def rest(size: int, product: str, seed: int) -> Rest:
    """An hour at rest."""
    fleet = _at_rest(size, product, seed)
    fleet.forget_costs()
    fleet.run(HOUR)
    cloud = fleet.cloud
    assert not any(cloud.calls[op] for op in WRITES)
    minutes = {op: cloud.calls[op] / 60 for op in (Op.FIND, Op.HEALTH)}
    return Rest(
        product,
        size,
        [(ACTIONS[product][op], n, n / cloud.per_minute(op)) for op, n in minutes.items()],
    )


def _at_rest(size: int, product: str, seed: int) -> Simulation:
    """A fleet that has been in rotation for long enough to poll as seldom as it ever will."""
    fleet = Simulation(size, product=product, fleet_size=size, seed=seed)
    fleet.start_in_rotation()
    slowest = max(
        fleet.vms[0].registrar.pacer.fleet.between_polls(op) for op in (Op.FIND, Op.HEALTH)
    )
    fleet.run(30 * INTERVAL_SECONDS + 3 * slowest)
    return fleet


def _registered(
    what: str,
    product: str,
    cloud: Cloud,
    vms: Sequence[Vm] | Sequence[NaiveVm],
    fleet_size: int | None,
    extra: float = 0.0,
) -> Outcome:
    return Outcome(
        what=what,
        product=product,
        size=len(vms),
        fleet_size=fleet_size,
        bound=len(vms) / cloud.per_minute(Op.ADD) * 60 + extra,
        moments=sorted(vm.serving_at for vm in vms if vm.serving_at is not None),
        calls=sum(cloud.calls.values()),
        refused=[vm.refused for vm in vms],
        longest_wait=max(vm.serving_at - vm.began for vm in vms if vm.serving_at is not None),
    )
