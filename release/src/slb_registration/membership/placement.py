"""Brings this VM to where it is to be: every server group that is wanted, by whom, and as which
server.

A group is opened as soon as it is known as which server this VM stands in it. Until then what the
journal has of it stays as it is: that something cannot be found out is no reason to leave.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from slb_registration.discovery.capacity import Want
from slb_registration.instance.journal import Journal
from slb_registration.instance.journal_file import Entry
from slb_registration.instance.metadata import IdentityError
from slb_registration.membership.groups import Groups
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.failure import Failure
from slb_registration.model.status import GroupStatus, Origin

_FIRST = {
    origin: number for number, origin in enumerate((Origin.MANIFEST, Origin.FILE, Origin.TAGS))
}
"""Who goes before whom where the same group is wanted twice."""


class Servers(Protocol):
    """As of own_servers.Servers."""

    def of(self, spec: GroupSpec) -> GroupSpec:
        """`spec` as a server. Raises MetadataError and IdentityError."""
        ...

    def given_up(self, spec: GroupSpec) -> bool:
        """Return whether a drain waits for that no longer."""
        ...


@dataclass(frozen=True)
class Waiting:
    """A group that is wanted, and cannot be joined yet. `name`: with question marks."""

    want: Want
    name: str
    error: Failure
    given_up: bool

    @property
    def is_mistake(self) -> bool:
        """Return whether this VM has no such server: only a person can mend that."""
        return isinstance(self.error, IdentityError)

    def status(self, phase: Phase, journal: Journal) -> GroupStatus:
        """As that of every group. A drain has nothing to do where this VM was never seen."""
        leaving = phase in (Phase.LOWER, Phase.REMOVE)
        never_in = not journal.is_confirmed(self.name)
        return GroupStatus(
            name=self.name,
            spec=self.want.spec,
            origin=self.want.origin,
            server_id="?",
            state="unknown server",
            weight=None,
            registered=False,
            in_service=False,
            lowered=False,
            removed=False,
            out=phase is Phase.HOLD,
            conflict=False,
            health=(),
            health_known=False,
            backend_ports=None,
            error=str(self.error),
            changed_at=None,
            calls=0,
            repairs={},
            file=None if self.want.file is None else str(self.want.file),
            barred=str(self.error) if leaving and never_in and self.given_up else None,
            error_code="no such server" if self.is_mistake else "no answer of the metadata service",
            needs_repair=self.is_mistake,
            phase=phase,
            wanted_weight=self.want.spec.weight if phase is Phase.SERVE else None,
        )


class Placement:
    """Notes what is wanted; `settle` brings that about. Thread-safe."""

    def __init__(
        self,
        servers: Servers,
        membership: Groups,
        journal: Journal,
        *,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_change` is told when a group was opened or left, or what is waited for is new."""
        self.waiting: tuple[Waiting, ...] = ()
        self._servers = servers
        self._membership = membership
        self._journal = journal
        self._on_change = on_change
        self._lock = threading.Lock()
        self._wants: dict[tuple[object, ...], Want] = {}
        self._taken: dict[str, Want] = {}

    def add(self, spec: GroupSpec, origin: Origin, file: Path | None = None) -> None:
        """Want a group, or want it in another way."""
        want = Want(spec, origin, file)
        with self._lock:
            self._wants[want.is_about] = want

    def drop(self, spec: GroupSpec, origin: Origin) -> None:
        """Want it no more, for this reason; there may be others."""
        with self._lock:
            self._wants.pop(Want(spec, origin).is_about, None)

    def name_of(self, spec: GroupSpec) -> str:
        """The group's name, as far as it is known as which server this VM stands in it."""
        with contextlib.suppress(Failure):
            spec = self._servers.of(spec)
        return self._membership.name_of(spec)

    def settle(self) -> None:
        """Open what is wanted and known, and leave what is wanted no more."""
        with self._lock:
            before, waited_for = self._taken, self.waiting
            placed, waiting = self._places()
            self._membership.unknown_in = frozenset(
                one.want.spec.group_ids for one in waiting if not one.is_mistake
            )
            for name, want in placed.items():
                if before.get(name) != want:
                    self._membership.open(want.spec, want.origin, want.file)
            self._taken, self.waiting = placed, waiting
            for name in before.keys() - placed.keys():
                self._membership.leave(before[name].spec, before[name].origin)
        if (before, waited_for) != (placed, waiting):
            self._on_change()

    def _places(self) -> tuple[dict[str, Want], tuple[Waiting, ...]]:
        placed: dict[str, Want] = {}
        unknown: list[tuple[Want, Failure]] = []
        for want in sorted(self._wants.values(), key=_order):
            try:
                spec = self._servers.of(want.spec)
            except Failure as error:
                unknown.append((want, error))
            else:
                placed.setdefault(self._membership.name_of(spec), replace(want, spec=spec))
        unplaced = []
        for want, why in unknown:
            standing = dict(_standing_in(want, self._known_before(placed)))
            placed.update(standing)
            if not standing:
                unplaced.append((want, why))
        for want, _ in unplaced:
            placed.update(_kept(want, self._known_before(placed)))
        waiting = (self._waiting(*one) for one in unplaced)
        return placed, tuple({one.name: one for one in waiting}.values())

    def _waiting(self, want: Want, error: Failure) -> Waiting:
        name = self._membership.name_of(want.spec)
        return Waiting(want, name, error, self._servers.given_up(want.spec))

    def _known_before(self, placed: Mapping[str, Want]) -> list[tuple[str, Want]]:
        """As what this VM is, or may be, registered; what has its place already is left out."""
        journal = {name: _of(entry) for name, entry in self._journal.entries.items()}
        before = {**journal, **self._taken}
        return [(name, want) for name, want in before.items() if name not in placed]


def _of(entry: Entry) -> Want:
    """Return who wanted what the journal tells of."""
    if entry.discovered:
        return Want(entry.spec, Origin.TAGS)
    if entry.file is not None:
        return Want(entry.spec, Origin.FILE, Path(entry.file))
    return Want(entry.spec, Origin.MANIFEST)


def _order(want: Want) -> tuple[int, int]:
    """Return who goes before, and of one origin what says more of the server that it means."""
    unknown = (want.spec.server_id is None) + (want.spec.server_ip is None)
    return _FIRST[want.origin], unknown


Known = Collection[tuple[str, Want]]


def _standing_in(want: Want, known: Known) -> Iterable[tuple[str, Want]]:
    """Return what was registered as that which is wanted now, above all for the same reason."""
    same = [(name, one) for name, one in known if _may_be(want.spec, one.spec)]
    meant = [pair for pair in same if (pair[1].origin, pair[1].file) == (want.origin, want.file)]
    for name, one in meant or same:
        spec = replace(one.spec, weight=want.spec.weight, description=want.spec.description)
        yield name, replace(want, spec=spec)


def _kept(want: Want, known: Known) -> Iterable[tuple[str, Want]]:
    """Return what this VM is in the group otherwise: it stays until what is wanted can take its
    place."""
    for name, one in known:
        if one.spec.group_ids == want.spec.group_ids:
            yield name, replace(want, spec=one.spec)


def _may_be(wanted: GroupSpec, registered: GroupSpec) -> bool:
    """Return whether what is wanted may have been registered so."""
    servers = (
        (wanted.server_id, registered.server_id),
        (wanted.server_ip, registered.server_ip),
    )
    return (
        wanted.group_ids == registered.group_ids
        and (wanted.port, wanted.server_type) == (registered.port, registered.server_type)
        and all(given in (None, known) for given, known in servers)
    )
