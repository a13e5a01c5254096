"""One word for where this VM stands in ONE server group, as an operator reads it. Pure."""

from __future__ import annotations

from slb_registration.model.desired import ABSENT, Phase
from slb_registration.model.health import Health
from slb_registration.reconcile.dry_run import DryRun, serves
from slb_registration.reconcile.observed_state import Place
from slb_registration.reconcile.registrar import Registrar


def state(registrar: Registrar) -> str:
    """Return what is so, not what is wanted: a VM is held or drained once it was seen out of
    rotation."""
    if registrar.members is None:
        return "failing" if registrar.failures.worst is not None else "starting"
    if registrar.conflict_until is not None:
        return "conflict"
    if registrar.group.read_only is not None:
        return "not registered" if registrar.mine is None else "only reported"
    if registrar.dry_run is not None:
        return _observing(registrar, registrar.dry_run)
    return {
        Phase.SERVE: _serving,
        Phase.HOLD: _held,
        Phase.LOWER: _leaving,
        Phase.REMOVE: _leaving,
    }[registrar.wish.phase](registrar)


def _observing(registrar: Registrar, dry_run: DryRun) -> str:
    """As it is registered, and whether that is as it should be."""
    mine = registrar.mine
    if dry_run.call is not None:
        return "differs"
    if mine is None:
        return "not registered"
    return "in service" if serves(mine, registrar.me) else "at weight 0"


def _held(registrar: Registrar) -> str:
    mine = registrar.mine
    in_rotation = (
        mine is not None and mine.weight > 0 and not registrar.group.at_least(Place.LOWERED)
    )
    return "lowering" if in_rotation else "held"


def _leaving(registrar: Registrar) -> str:
    if registrar.group.at_least(Place.LEFT):
        return "drained"
    kept = registrar.wish.keep and registrar.wish.phase is Phase.LOWER
    return "kept with weight 0" if kept and registrar.group.at_least(Place.LOWERED) else "draining"


def _serving(registrar: Registrar) -> str:
    mine = registrar.mine
    if mine is None:
        return "failing" if registrar.failures.worst is not None else "registering"
    if registrar.group.lingers:
        return "being taken out"
    if mine.weight > 0:
        return _in_rotation(registrar)
    if registrar.wish.local is Health.UNHEALTHY:
        return "unhealthy"
    return "waiting for health" if registrar.wish.local is Health.UNKNOWN else "raising"


def _in_rotation(registrar: Registrar) -> str:
    """The panic threshold is not the only thing that keeps an unhealthy VM there: what is to take
    it out may fail, wait for its turn, or not have been tried yet."""
    group = registrar.group
    if registrar.wish.local is not Health.UNHEALTHY or group.policy.on_unhealthy == "ignore":
        return "in service"
    if group.floor is not None:
        return "kept although unhealthy"
    return "removing" if group.goal is ABSENT else "lowering"
