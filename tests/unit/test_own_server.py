"""As which server this VM is registered: what the metadata service tells of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slb_registration.config import GroupSpec
from slb_registration.instance import IdentityError, MetadataError
from slb_registration.own_server import MACS, resolved

PRIMARY, SECOND = "00:16:3e:00:00:01", "00:16:3e:00:00:02"
TREE = {
    "private-ipv4": "10.0.0.1",
    "mac": PRIMARY,
    MACS: f"{PRIMARY}/\n{SECOND}/",
    f"{MACS}{PRIMARY}/network-interface-id": "eni-1",
    f"{MACS}{PRIMARY}/primary-ip-address": "10.0.0.1",
    f"{MACS}{PRIMARY}/private-ipv4s": '["10.0.0.1","10.0.0.11"]',
    f"{MACS}{SECOND}/network-interface-id": "eni-2",
    f"{MACS}{SECOND}/primary-ip-address": "10.0.0.2",
    f"{MACS}{SECOND}/private-ipv4s": "10.0.0.2",
    f"{MACS}{SECOND}/ipv6s": "[2001:db8:0:0:0:0:0:2]",
}


class Tree:
    """A metadata service."""

    def __init__(self, **changes: str) -> None:
        self.values = {**TREE, **changes}
        self.asked: list[str] = []

    def get(self, path: str) -> str:
        self.asked.append(path)
        if path not in self.values:
            raise MetadataError(f"metadata service: answered 404 to {path}")
        return self.values[path]


def spec(server_type: str, server_id: str | None = None, server_ip: str | None = None) -> GroupSpec:
    plain = GroupSpec("nlb", None, None, 80, 100, None, server_group_id="sgp-1")
    return replace(plain, server_type=server_type, server_id=server_id, server_ip=server_ip)


@pytest.mark.parametrize(
    ("given", "server"),
    [
        (spec("ip"), ("10.0.0.1", "10.0.0.1")),
        (spec("ip", "2001:db8::2", "2001:db8::2"), ("2001:db8::2", "2001:db8::2")),
        (spec("eni"), ("eni-1", "10.0.0.1")),
        (spec("eni", "eni-2"), ("eni-2", "10.0.0.2")),
        (spec("eni", None, "10.0.0.11"), ("eni-1", "10.0.0.11")),
        (spec("eni", None, "2001:db8::2"), ("eni-2", "2001:db8::2")),
    ],
)
def test_what_is_not_given_is_asked_for(given: GroupSpec, server: tuple[str, str]):
    found = resolved(given, Tree())
    assert (found.server_id, found.server_ip) == server
    assert replace(found, server_id=None, server_ip=None) == replace(
        given, server_id=None, server_ip=None
    )


@pytest.mark.parametrize("given", [spec("ecs"), spec("eni", "eni-9", "10.9.9.9")])
def test_what_is_known_is_not_asked_for(given: GroupSpec):
    tree = Tree()
    assert resolved(given, tree) == given
    assert tree.asked == []


@pytest.mark.parametrize("given", [spec("eni", "eni-9"), spec("eni", None, "10.9.9.9")])
def test_a_network_interface_that_is_not_of_this_vm_is_refused(given: GroupSpec):
    with pytest.raises(IdentityError, match="has no network interface"):
        resolved(given, Tree())


def test_what_is_no_address_is_not_taken_for_one():
    with pytest.raises(MetadataError, match="is no private-ipv4"):
        resolved(spec("ip"), Tree(**{"private-ipv4": "<html>"}))
