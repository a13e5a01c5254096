"""Judges entries with our marker. Pure.

A wrong "gone" would have an operator take out a VM that serves, a wrong "alive" costs nothing but
another look: in doubt nobody is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from slb_registration.commands.orphans import Entry, Finding, Verdict
from slb_registration.commands.orphans.instances import Instances
from slb_registration.config.loading import INSTANCE_ID
from slb_registration.model.server_group import ABNORMAL, BackendServer

REPLACED = "the VM that this one replaces: its agent removes it once this VM serves"


def instance_of(server: BackendServer) -> str | None:
    """The instance that ECS can be asked for; a network interface or an address is none."""
    usable = server.server_type == "ecs" and INSTANCE_ID.fullmatch(server.server_id)
    return server.server_id if usable else None


def _disputed(entries: Sequence[Entry], instances: Instances, normal: Collection[str]) -> bool:
    """Return whether ECS lacks an instance that SLB reports as normal: then it does not list all
    there are (a policy of some resources, several accounts), and what it lacks need not be gone."""
    return any(
        one.server.server_id in normal and instance_of(one.server) in instances.absent
        for one in entries
    )


def judge(
    entries: Sequence[Entry], instances: Instances, normal: Collection[str], spec_id: str
) -> list[Finding]:
    """The verdict on each. `normal`: the servers that some listener of any group finds normal.

    `spec_id`: this VM's, to tell its predecessors.
    """
    whole = not _disputed(entries, instances, normal)
    return [_judged(one, instances, normal, spec_id, whole=whole) for one in entries]


def _judged(
    entry: Entry, instances: Instances, normal: Collection[str], spec_id: str, *, whole: bool
) -> Finding:
    server = entry.server
    id_ = instance_of(server)
    is_normal = server.server_id in normal
    if id_ in instances.present:
        return Finding(entry, Verdict.ALIVE, "ECS has it")
    if id_ in instances.absent and is_normal:
        return Finding(entry, Verdict.DISPUTED, _DISPUTED)
    if is_normal:
        return Finding(entry, Verdict.ALIVE, "SLB reports it as normal")
    if id_ in instances.absent and whole:
        return Finding(entry, Verdict.GONE, _with_origin("ECS no longer has it", entry, spec_id))
    unasked = _unasked(server, id_, instances)
    if any(one.status == ABNORMAL for one in entry.health):
        text = f"a guess: SLB reports it as abnormal, and {unasked}"
        return Finding(entry, Verdict.GUESS, _with_origin(text, entry, spec_id))
    text = f"cannot tell: {unasked}, and SLB finds it neither normal nor abnormal"
    return Finding(entry, Verdict.UNKNOWN, text)


_DISPUTED = (
    "ECS does not have it, yet SLB reports it as normal: an instance of another account or region, "
    "or its address has come to a stranger's VM"
)


def _unasked(server: BackendServer, id_: str | None, instances: Instances) -> str:
    if server.server_type == "eni":
        return "ECS is asked for instances, not for network interfaces"
    if server.server_type == "ip":
        return "an address says nothing of the VM behind it"
    if id_ is None:
        return f"ECS is not asked for servers of type {server.server_type} with such an id"
    if id_ in instances.absent:
        return "ECS does not have it, but neither has it others that SLB reports as normal"
    return "ECS does not say whether there is such an instance"


def _with_origin(text: str, entry: Entry, spec_id: str) -> str:
    return f"{text}; {REPLACED}" if entry.spec_id == spec_id else text
