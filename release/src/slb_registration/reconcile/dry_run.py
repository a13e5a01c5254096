"""The mode `observe`: writes are decided on as ever, told and counted, and never made."""

from __future__ import annotations

from collections import Counter

from slb_registration.model.failure import Failure
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Call, Op
from slb_registration.model.server_group import BackendServer
from slb_registration.model.status import Would

OBSERVES = "mode is observe: nothing is changed"


class ObservesError(Failure):
    """Refusal of what would change something."""

    def __init__(self, so: str) -> None:
        super().__init__(f"{OBSERVES}, so {so}")


class DryRun:
    """The mode `observe` of one server group: the writes that are decided on."""

    def __init__(self) -> None:
        self.call: Call | None = None
        """The write that is left undone, None while there is none."""

        self.counts: Counter[Op] = Counter()
        """Counts of how often a write was decided on; one that stays undone was decided on once."""

    def decides(self, call: Call | None) -> bool:
        """Take what is decided now; whether that is another decision than before."""
        if call == self.call:
            return False
        self.call = call
        if call is not None:
            self.counts[call.op] += 1
        return True


def serves(mine: BackendServer | None, me: Identity) -> bool:
    """Return whether this VM is in service, with whatever weight another writer gave it."""
    return mine is not None and (mine.weight > 0 or mine.weight == me.weight)


def would(call: Call, me: Identity, mine: BackendServer | None) -> Would:
    """The write in words; `mine`: this VM as it is registered."""
    server = call.server
    if server is None:
        raise ValueError(f"{call.op.value} without a server")
    of_predecessor = not me.is_me(server)
    if call.op is Op.ADD:
        text = f"register this VM with weight {server.weight}"
    elif call.op is Op.REMOVE:
        text = f"remove {server.server_id}" if of_predecessor else "remove this VM"
        text += ", which this VM replaces" if of_predecessor else ""
    elif mine is not None and mine.weight == server.weight:
        text = "replace another VM's marker in the description by its own"
    else:
        text = f"set the weight to {server.weight}"
    weight = None if call.op is Op.REMOVE else server.weight
    return Would(call.op, server.server_id, weight, of_predecessor, text)
