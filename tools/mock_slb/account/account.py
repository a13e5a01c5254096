"""The account: instances, load balancers of all products, their groups and listeners. No HTTP here.

Every public method may be called from any thread. Refusals are `ApiError`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from mock_slb.alb_nlb.fleet import Fleet as AlbNlbFleet
from mock_slb.alb_nlb.product import ALB, NLB
from mock_slb.clb.fleet import Fleet as ClbFleet
from mock_slb.core.base import BaseAccount


class Account(BaseAccount):
    """One account in one region, with what it has of each product."""

    def __init__(
        self,
        region: str = "cn-hangzhou",
        *,
        clock: Callable[[], float] = time.time,
        already_there: str = "ignore",
    ) -> None:
        super().__init__(region, clock=clock, already_there=already_there)

        self.clb = ClbFleet(self)
        self.load_balancers = self.clb.load_balancers
        self.add_load_balancer = self.clb.add_load_balancer
        self.remove_load_balancer = self.clb.remove_load_balancer
        self.load_balancer = self.clb.load_balancer
        self.groups = self.clb.groups
        self.group = self.clb.group
        self.master_slave_group = self.clb.master_slave_group

        self.alb = AlbNlbFleet(self, ALB)
        self.add_alb = self.alb.add_load_balancer
        self.add_alb_server_group = self.alb.add_server_group
        self.nlb = AlbNlbFleet(self, NLB)
        self.add_nlb = self.nlb.add_load_balancer
        self.add_nlb_server_group = self.nlb.add_server_group

    def release_instance(self, id_: str) -> None:
        """Delete an instance: each product does with it in its groups what the service does."""
        with self.lock:
            released = self._instances.remove(id_)
            for server_id in {released.id, released.eni_id}:
                for fleet in (self.clb, self.alb, self.nlb):
                    fleet.release(server_id)
