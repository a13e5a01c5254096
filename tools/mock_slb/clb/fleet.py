"""An account's load balancers and server groups of CLB."""

from __future__ import annotations

from collections.abc import Mapping

from mock_slb.clb import errors
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.group import ServerGroup
from mock_slb.core.base import BaseAccount
from mock_slb.core.resources import DEFAULT_VPC


class Fleet:
    """CLB's things of all regions; only a default group has no id of its own."""

    def __init__(self, account: BaseAccount) -> None:
        self.account = account
        self.load_balancers: dict[str, LoadBalancer] = {}
        self._groups: dict[str, ServerGroup] = {}

    def add_load_balancer(
        self,
        id_: str,
        *,
        name: str = "",
        tags: Mapping[str, str] | None = None,
        region: str | None = None,
        vpc_id: str = DEFAULT_VPC,
    ) -> LoadBalancer:
        """Make a CLB instance; raises ValueError if the id is taken.

        `vpc_id` is empty for one of the classic network.
        """
        with self.account.lock:
            if id_ in self.load_balancers:
                raise ValueError(f"load balancer {id_} exists already")
            balancer = LoadBalancer(
                self,
                id_,
                name=name or id_,
                tags=tags or {},
                region=region or self.account.region,
                vpc_id=vpc_id,
            )
            self.load_balancers[id_] = balancer
            return balancer

    def remove_load_balancer(self, id_: str) -> None:
        """Delete a CLB instance with its groups. Raises KeyError for none such."""
        with self.account.lock:
            balancer = self.load_balancers.pop(id_)
            for group in [*balancer.vserver_groups(), *balancer.master_slave_groups()]:
                del self._groups[group.id]

    def load_balancer(self, id_: str, region: str | None = None) -> LoadBalancer:
        """The CLB instance with this id in this region; raises ApiError for none such."""
        with self.account.lock:
            balancer = self.load_balancers.get(id_)
        if balancer is None or balancer.region != (region or self.account.region):
            raise errors.load_balancer_not_found()
        return balancer

    def add_group(self, group: ServerGroup) -> ServerGroup:
        """Take in a CLB server group that has an id of its own; ValueError if the id is taken."""
        with self.account.lock:
            if group.id in self._groups:
                raise ValueError(f"server group {group.id} exists already")
            self._groups[group.id] = group
            return group

    def groups(self) -> list[ServerGroup]:
        """All CLB server groups that have an id of their own."""
        with self.account.lock:
            return list(self._groups.values())

    def group(self, id_: str) -> ServerGroup:
        """The vServer group with this id; raises ApiError for none such."""
        with self.account.lock:
            group = self._groups.get(id_)
        if group is None or group.active_standby:
            raise errors.vserver_group_not_found()
        return group

    def master_slave_group(self, id_: str) -> ServerGroup:
        """The active/standby group with this id; raises ApiError for none such."""
        with self.account.lock:
            group = self._groups.get(id_)
        if group is None or not group.active_standby:
            raise errors.master_slave_group_not_found()
        return group

    def release(self, server_id: str) -> None:
        """An instance was deleted: CLB drops it from every group."""
        with self.account.lock:
            defaults = [balancer.default_group for balancer in self.load_balancers.values()]
            for group in [*self._groups.values(), *defaults]:
                group.drop(server_id)
