"""Decides the answer to a load balancer that checks readiness.port: to send requests or not.

A drain and a hold answer no at once, whatever the API does. Of a service that fails its check the
answer follows what is wanted of the weight, in which the panic threshold has its say: CLB sends to
nobody where all servers fail its check, so that a fleet whose checks all fail would be its own
outage. What is not known changes nothing: the last word stands, also that of an agent that ran
before on this boot.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from slb_registration.instance import markers
from slb_registration.instance.last_answer import Answer
from slb_registration.model.desired import Phase
from slb_registration.model.health import Health
from slb_registration.model.status import GroupStatus, Origin

HEALTHY = Answer(True, "healthy")
KEPT = Answer(True, "unhealthy, and kept in rotation")
UNHEALTHY = Answer(False, "unhealthy")
HELD = Answer(False, "held")
DRAINING = Answer(False, "draining")


def ordered(data_dir: Path, run_dir: Path, now: float) -> Answer | None:
    """Return what the markers alone say, before anything else is known.

    `now`: seconds since 1970.
    """
    if markers.draining(data_dir, run_dir).read() is not None:
        return DRAINING
    held = markers.hold(data_dir, run_dir).held()
    return None if held is None or held.is_past(now) else HELD


def word(phase: Phase, groups: Iterable[tuple[GroupStatus, Health]]) -> Answer | None:
    """Return what to say as of now, None where that is not known.

    There is one answer for all server groups: no only where no service of the VM should get
    requests. One of several that fails is taken out by its weight.
    """
    if phase is not Phase.SERVE:
        return HELD if phase is Phase.HOLD else DRAINING
    wanted = [pair for pair in groups if pair[0].origin is not Origin.DROPPED]
    words = {_of_group(status, health) for status, health in wanted}
    for one in (HEALTHY, KEPT, None, UNHEALTHY):
        if one in words:
            return one
    return None


def _of_group(status: GroupStatus, health: Health) -> Answer | None:
    if health is Health.HEALTHY:
        return HEALTHY
    if health is Health.UNKNOWN:
        return None
    if status.wanted_weight:
        return KEPT
    if status.read_at is None and status.read_only is None:
        return None  # who else serves is not known
    # Where the weight cannot, or may not, be lowered, this is how it leaves all the same.
    stuck = status.error is not None or status.read_only or status.would is not None
    return UNHEALTHY if stuck or not status.weight else None
