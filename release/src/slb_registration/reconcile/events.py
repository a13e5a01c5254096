"""Events that a registrar tells of its changes."""

from __future__ import annotations

from slb_registration.model.desired import Phase, Wish
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Event, Op
from slb_registration.model.server_group import BackendServer
from slb_registration.model.status import Would
from slb_registration.reconcile.dry_run import OBSERVES

_DONE = {
    Op.ADD: "registered",
    Op.SET_WEIGHT: "weight changed",
    Op.REMOVE: "removed",
}


def change(op: Op, server: BackendServer, me: Identity, wish: Wish, *, repaired: bool) -> Event:
    """Tell of a change of `server`; `repaired`: someone else had undone it before."""
    fields: dict[str, object] = {"server": server.server_id}
    if op is not Op.REMOVE:
        fields["weight"] = server.weight
    if me.is_predecessor(server):
        fields["reason"] = "replaced by this VM"
    elif repaired:
        fields["reason"] = "another writer changed it"
    else:
        fields["reason"] = _reason(wish)
    return Event("info", _DONE[op], fields)


def would_change(would: Would, mine: BackendServer | None, wish: Wish) -> Event:
    """Tell of a change that is not made, since this VM observes; `mine`: as it is registered."""
    fields: dict[str, object] = {
        "would": would.text,
        "server": would.server_id,
        "weight": None if mine is None else mine.weight,
        "reason": "replaced by this VM" if would.of_predecessor else _reason(wish),
    }
    return Event("info", OBSERVES, fields)


def nothing_to_do() -> Event:
    """Tell that what would have been changed is as it should be now."""
    return Event("info", "mode is observe: nothing would be changed any more")


def holder(server: BackendServer) -> dict[str, object]:
    """Describe who stands at this VM's address, for the log."""
    return {
        "server": server.server_id,
        "address": server.address,
        "description": server.description,
        "advice": f"if {server.server_id} is no more, remove it from the server group",
    }


def _reason(wish: Wish) -> str:
    if wish.phase is Phase.SERVE:
        return f"the local check is {wish.local.value}"
    return "held by an operator" if wish.phase is Phase.HOLD else "draining"
