"""The zones in which load balancers of ALB and NLB have nodes. The errand alone asks for it."""

from __future__ import annotations

from dataclasses import replace

from slb_registration.cloud.client import Cloud
from slb_registration.model.balancer_settings import Nodes, Settings
from slb_registration.model.errors import ApiError, Kind
from slb_registration.server_groups.alb_nlb_settings import nodes
from slb_registration.server_groups.open import requests_of


def matter(product: str, settings: Settings) -> bool:
    """Return whether a zone without a node may hurt, by what the server group tells."""
    is_off = product != "alb" or settings.cross_zone is False  # NLB's load balancer has to tell
    return is_off and bool(settings.load_balancer_ids)


class Zones:
    """Asks for each load balancer once, without patience, however many groups are behind it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._known: dict[tuple[str, str], Nodes | ApiError] = {}
        self._told: set[str] = set()

    def added(self, product: str, settings: Settings) -> Settings:
        """`settings` with what is known of the nodes. A permission that is missing is told once for
        a product; of any other failure nothing is said, and nothing raised."""
        found = [self._ask(product, one, settings) for one in settings.load_balancer_ids]
        denied = [one for one in found if isinstance(one, ApiError) and one.kind is Kind.DENIED]
        unread = str(denied[0]) if denied and product not in self._told else ""
        if unread:
            self._told.add(product)
        told = tuple(one for one in found if isinstance(one, Nodes))
        return replace(settings, nodes=told, nodes_unread=unread)

    def _ask(self, product: str, id_: str, settings: Settings) -> Nodes | ApiError:
        key = (product, id_)
        if key not in self._known:
            try:
                answer = self._cloud.call(requests_of(product).load_balancer(id_))
                self._known[key] = nodes(answer, id_)
            except ApiError as error:
                self._known[key] = error
        known = self._known[key]
        if product == "alb" and isinstance(known, Nodes):
            return replace(known, cross_zone=settings.cross_zone)
        return known
