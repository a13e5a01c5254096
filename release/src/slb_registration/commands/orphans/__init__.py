"""Orphans: backend servers with our marker whose VM is gone.

BOSH runs no script of a VM whose agent is dead, so that its registration stays, and its address may
come to a stranger. `find` reads and judges, `removal` takes out what an operator names. It works
beside a running agent, without it, and where nothing is registered (`register: false`).

ECS is what knows of instances. Its word is taken only where it can be: without the permission it
answers with a list that is empty, and of other accounts and regions it lists nothing either, so
that it must list this VM, too, and every server that SLB reports as normal.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from slb_registration.model.configuration import GroupSpec
from slb_registration.model.identity import MARKER_PREFIX
from slb_registration.model.server_group import BackendServer, ListenerHealth


class Verdict(enum.Enum):
    """The judgement on an entry with our marker, as far as there can be one."""

    GONE = "gone"  # ECS no longer has the instance, and SLB nowhere reports it as normal
    GUESS = "guess"  # nobody can be asked whether there is a VM, and SLB reports it as abnormal
    DISPUTED = "disputed"  # ECS does not have the instance, and SLB reports it as normal
    UNKNOWN = "unknown"  # nobody can be asked, and SLB says neither
    ALIVE = "alive"


ORPHANS = frozenset({Verdict.GONE, Verdict.GUESS})
"""What can be removed by name."""


@dataclass(frozen=True)
class Entry:
    """A backend server with our marker in a server group; `spec` opens that group."""

    group: str
    spec: GroupSpec
    server: BackendServer
    health: tuple[ListenerHealth, ...]

    @property
    def spec_id(self) -> str:
        """The BOSH instance's id, as the marker tells it."""
        return marked_by(self.server) or ""


@dataclass(frozen=True)
class Finding:
    """An entry and what it is taken for, with the reason in words."""

    entry: Entry
    verdict: Verdict
    because: str


@dataclass(frozen=True)
class Problem:
    """A thing that could not be found out, and of which group (or file)."""

    group: str
    text: str


@dataclass(frozen=True)
class Survey:
    """All that is known of the groups that could be read.

    `findings` are of entries that are not alive. `alive`, `own` and `unmarked` count the others:
    those of VMs that there are, of this VM, and without our marker. `elsewhere`: why a server that
    is in one of the groups is no orphan, by its id. `ecs`: why its word is not taken, None where
    it is.
    """

    region: str
    me: str
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    ecs: str | None
    groups: int
    alive: int
    own: int
    unmarked: int
    elsewhere: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A server that was named and is no orphan."""

    server_id: str
    because: str


@dataclass(frozen=True)
class Outcome:
    """The fate of an orphan that was named; `problem`: why it is not known to be out."""

    finding: Finding
    problem: str | None = None


Done = Outcome | Refused


def all_is_well(survey: Survey, done: Sequence[Done], *, named: bool) -> bool:
    """Return whether nothing is left to be done: all was read, and what was named is out or, where
    nothing was named, there is nothing to name."""
    if survey.problems or any(isinstance(one, Refused) or one.problem for one in done):
        return False
    return named or not survey.findings


def marked_by(server: BackendServer) -> str | None:
    """The id of the BOSH instance that registered it, None where it was no job of this release."""
    if not server.description.startswith(MARKER_PREFIX):
        return None
    return server.description.removeprefix(MARKER_PREFIX).partition("/")[0] or None
