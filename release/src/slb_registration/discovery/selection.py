"""Selects what this VM joins of all that carries our tags, and says why not the others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from slb_registration.instance.metadata import MetadataError
from slb_registration.model.configuration import ANY_PORT, Discovery, GroupSpec, HealthCheck
from slb_registration.server_groups.tagged import Tagged

DEFAULT_WEIGHT = 100


@dataclass(frozen=True)
class Choice:
    """The decision on a thing that was found. `spec` is None where it is not joined.

    `why` says why, in both cases. `problem`: somebody should see to it. `again`: it may be
    different at the next look.
    """

    thing: Tagged
    why: str
    spec: GroupSpec | None = None
    problem: bool = False
    again: bool = False

    @property
    def told(self) -> str:
        """That it is not joined, and why."""
        return f"{self.thing.id} is not joined: {self.why}"

    def refused(self, why: str, *, again: bool = False) -> Choice:
        """The same thing, not joined after all."""
        return replace(self, why=why, spec=None, problem=True, again=again)


class Chooser:
    """Decides by the VPC, the port, and what the manifest names itself."""

    def __init__(
        self,
        config: Discovery,
        port: int | None,
        check: HealthCheck,
        vpc_id: Callable[[], str],
        named: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """`check` is the manifest's. `vpc_id` asks for this VM's and may raise MetadataError.

        `named`: the ids that the manifest and co-located jobs name, as of now.
        """
        self._tags = tags_text(config)
        self._port = port
        self._check = check
        self._vpc_id = vpc_id
        self.named = named

    def choose(self, thing: Tagged) -> Choice:
        """Return whether to join it."""
        choice = Choice(thing, f"carries the tags {self._tags}")
        if thing.id in self.named():
            return replace(choice, why="named in the manifest or by a co-located job")
        if thing.functions:
            return replace(choice, why="it holds functions (type Fc), no VMs")
        if thing.vpc_id:
            try:
                ours = self._vpc_id()
            except MetadataError as error:
                why = f"it is in {thing.vpc_id}, and this VM's VPC is not known: {error}"
                return choice.refused(why, again=True)
            if ours != thing.vpc_id:
                # No mistake of anybody's: another director's deployment may have the same tags.
                return replace(choice, why=f"it is in {thing.vpc_id}, this VM in {ours}")
        spec = self._spec(thing)
        if thing.product != "clb" and spec.port is None:
            return choice.refused("no backend port is known: set the property port")
        if spec.port == ANY_PORT and not self._check.of(spec, self._port).names_its_place:
            return choice.refused("it forwards all ports: set health_check.port")
        return replace(choice, spec=spec)

    def _spec(self, thing: Tagged) -> GroupSpec:
        is_clb = thing.product == "clb"
        return GroupSpec(
            product=thing.product,
            load_balancer_id=thing.id if is_clb else None,
            vserver_group_id=None,
            port=None if is_clb else ANY_PORT if thing.any_port else self._port,
            weight=DEFAULT_WEIGHT,
            description=None,
            server_group_id=None if is_clb else thing.id,
            server_type=thing.server_type,
        )


def named_ids(groups: Iterable[GroupSpec]) -> frozenset[str]:
    """The load balancers and server groups that could be found by tags, too."""
    return frozenset(
        id_ for spec in groups for id_ in (spec.load_balancer_id, spec.server_group_id) if id_
    )


def tags_text(config: Discovery) -> str:
    """The tags as an operator would write them."""
    return ", ".join(f"{key}={value}" for key, value in sorted(config.tags.items()))
