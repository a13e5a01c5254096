"""Things of ALB and NLB that have tags, by the ResourceType of ListTagResources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mock_slb.alb_nlb import errors
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.product import ALB, Product
from mock_slb.core.errors import ApiError

LOAD_BALANCER, SERVER_GROUP, LISTENER = "loadbalancer", "servergroup", "listener"


@dataclass(frozen=True)
class TagOf:
    """One tag of one thing."""

    resource_type: str
    resource_id: str
    key: str
    value: str


def things(
    resource_type: str,
    product: Product,
    balancers: Iterable[Balancer],
    groups: Iterable[ServerGroup],
) -> Mapping[str, Mapping[str, str]]:
    """The tags of all things of a type, by id. Raises ApiError for a type that there is not."""
    if resource_type == LOAD_BALANCER:
        return {one.id: one.tags_seen() for one in balancers}
    if resource_type == SERVER_GROUP:
        return {one.id: one.tags_seen() for one in groups}
    if resource_type == LISTENER:
        return {one.id: one.tags for each in balancers for one in each.listeners.values()}
    raise errors.illegal("ResourceType" if product is ALB else "resourceType")


def not_found(resource_type: str, product: Product) -> ApiError:
    """No such thing of this type."""
    if resource_type == LOAD_BALANCER:
        return errors.load_balancer_not_found(product)
    if resource_type == SERVER_GROUP:
        return errors.group_not_found(product)
    return errors.listener_not_found(product)
