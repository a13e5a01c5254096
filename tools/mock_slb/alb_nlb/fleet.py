"""An account's load balancers, server groups and jobs of ALB, or of NLB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mock_slb.alb_nlb import errors
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.jobs import Jobs
from mock_slb.alb_nlb.product import ALB, Product
from mock_slb.alb_nlb.resources import FUNCTION_GROUP, INSTANCE_GROUP, GroupListener
from mock_slb.core.resources import DEFAULT_VPC, HealthCheck

if TYPE_CHECKING:
    from mock_slb.core.base import BaseAccount

_DEFAULT = HealthCheck(type="as the product has it")


class Fleet:
    """One product's things; ids of ALB and NLB look alike and are told apart only by this."""

    def __init__(self, account: BaseAccount, product: Product) -> None:
        self.account = account
        self.product = product
        self.jobs = Jobs()
        self._balancers: dict[str, Balancer] = {}
        self._groups: dict[str, ServerGroup] = {}

    def add_server_group(
        self,
        id_: str,
        *,
        type: str = INSTANCE_GROUP,
        name: str = "",
        vpc_id: str = DEFAULT_VPC,
        tags: Mapping[str, str] | None = None,
        region: str | None = None,
        protocol: str | None = None,
        health_check: HealthCheck | None = _DEFAULT,
        ipv6: bool = False,
        any_port: bool = False,
        connection_drain_seconds: int | None = None,
        sticky_seconds: int | None = None,
    ) -> ServerGroup:
        """Make a server group; `health_check=None` is off. ValueError for an id that is taken."""
        if type not in self.product.group_types:
            types = " or ".join(self.product.group_types)
            raise ValueError(f"type must be {types}, not {type!r}")
        if any_port and self.product is ALB:
            raise ValueError("only NLB has server groups that forward any port")
        if sticky_seconds is not None and self.product is not ALB:
            raise ValueError("only ALB has server groups with session persistence")
        with self.account.lock:
            if id_ in self._groups:
                raise ValueError(f"server group {id_} exists already")
            check = self.product.default_check if health_check is _DEFAULT else health_check
            if type == FUNCTION_GROUP:
                vpc_id, check = "", None
            self._groups[id_] = ServerGroup(
                self,
                id_,
                type=type,
                name=name or id_,
                vpc_id=vpc_id,
                region=region or self.account.region,
                tags=tags or {},
                protocol=protocol or self.product.protocols[0],
                health_check=check,
                ipv6=ipv6,
                any_port=any_port,
                connection_drain_seconds=connection_drain_seconds,
                sticky_seconds=sticky_seconds,
            )
            return self._groups[id_]

    def remove_server_group(self, id_: str) -> None:
        """Delete a server group. KeyError for none such, ValueError while a listener uses it."""
        with self.account.lock:
            for balancer in self._balancers.values():
                if id_ in balancer.server_group_ids():
                    raise ValueError(f"server group {id_} is used by {balancer.id}")
            del self._groups[id_]

    def add_load_balancer(
        self,
        id_: str,
        *,
        name: str = "",
        tags: Mapping[str, str] | None = None,
        region: str | None = None,
        vpc_id: str = DEFAULT_VPC,
        zone_ids: Sequence[str] = (),
        cross_zone: bool = True,
    ) -> Balancer:
        """Make a load balancer; ValueError for an id that is taken.

        `zone_ids`: where it has nodes; two zones of the region, if none is named. Without
        `cross_zone` a node sends requests only to servers of its own zone.
        """
        with self.account.lock:
            if id_ in self._balancers:
                raise ValueError(f"load balancer {id_} exists already")
            balancer = Balancer(
                self,
                id_,
                name=name or id_,
                tags=tags or {},
                region=region or self.account.region,
                vpc_id=vpc_id,
                zone_ids=zone_ids,
                cross_zone=cross_zone,
            )
            self._balancers[id_] = balancer
            return balancer

    def remove_load_balancer(self, id_: str) -> None:
        """Delete a load balancer; its server groups stay. KeyError for none such."""
        with self.account.lock:
            del self._balancers[id_]

    def balancers(self) -> list[Balancer]:
        """All load balancers of every region."""
        with self.account.lock:
            return list(self._balancers.values())

    def groups(self) -> list[ServerGroup]:
        """All server groups of every region."""
        with self.account.lock:
            return list(self._groups.values())

    def group(self, id_: str, region: str | None = None) -> ServerGroup:
        """The server group with this id in this region. Raises ApiError for none such."""
        with self.account.lock:
            group = self._groups.get(id_)
        if group is None or group.region != (region or self.account.region):
            raise errors.group_not_found(self.product)
        return group

    def balancer(self, id_: str) -> Balancer:
        """The load balancer with this id. Raises KeyError for none such."""
        with self.account.lock:
            return self._balancers[id_]

    def has_group(self, id_: str) -> bool:
        """Tell whether there is a server group with this id."""
        return id_ in self._groups

    def has_listener(self, id_: str) -> bool:
        """Tell whether any load balancer has a listener with this id."""
        return any(id_ in balancer.listeners for balancer in self.balancers())

    def listener(self, id_: str, region: str | None = None) -> tuple[Balancer, GroupListener]:
        """A listener and its load balancer. Raises ApiError for none such in this region."""
        for balancer in self.balancers():
            if id_ in balancer.listeners and balancer.region == (region or self.account.region):
                return balancer, balancer.listeners[id_]
        raise errors.listener_not_found(self.product)

    def related_balancer_ids(self, group: ServerGroup) -> list[str]:
        """The load balancers with a listener or a rule that uses this group."""
        return [one.id for one in self.balancers() if group.id in one.server_group_ids()]

    def balances_across_zones(self, group: ServerGroup) -> bool:
        """CrossZoneEnabled, which ALB tells of a group; here load balancers have it, as in NLB."""
        return all(one.cross_zone for one in self.balancers() if group.id in one.server_group_ids())

    def release(self, server_id: str) -> None:
        """An instance was deleted: ALB forgets it; NLB keeps it until someone removes it."""
        if not self.product.keeps_released_servers:
            for group in self.groups():
                group.drop(server_id)

    def refuses_servers_already_there(self) -> bool:
        """ALB documents Conflict.BackendServer; for NLB it is as the account is set."""
        return self.product is ALB or self.account.already_there == "error"
