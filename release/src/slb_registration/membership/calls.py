"""The words between a registrar and whoever carries out its steps."""

from __future__ import annotations

from slb_registration.model.operations import Answer, Call, Op
from slb_registration.model.server_group import (
    ServerGroup,
    StillWanted,
    always,
)


def carry_out(group: ServerGroup, call: Call, wanted: StillWanted = always) -> Answer | None:
    """Make the call; raises ApiError. None for a read of health that was `wanted` no longer."""
    if call.op is Op.FIND:
        return group.find()
    if call.op is Op.HEALTH:
        return group.health(wanted)
    if call.server is None:
        raise ValueError(f"{call.op.value} without a server")
    if call.op is Op.ADD:
        return group.add(call.server)
    if call.op is Op.SET_WEIGHT:
        return group.set_weight(call.server)
    return group.remove(call.server)
