"""As which server this VM is registered: what the metadata service tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from slb_registration.instance.metadata import IdentityError, MetadataError
from slb_registration.instance.own_server import MACS, resolved, vpc_id
from slb_registration.model.configuration import GroupSpec

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
    """A metadata service; a number among its values is the status of a refusal."""

    def __init__(self, changes: Mapping[str, str | int] = {}) -> None:
        self.values: dict[str, str | int] = {**TREE, **changes}
        self.asked: list[str] = []

    def get(self, path: str) -> str:
        self.asked.append(path)
        value = self.values.get(path, 404)
        if isinstance(value, int):
            raise MetadataError(f"metadata service: answered {value} to {path}", status=value)
        return value


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


SECONDS_ID, SECONDS_IPV6 = f"{MACS}{SECOND}/network-interface-id", f"{MACS}{SECOND}/ipv6s"
PRIMARYS_ID, PRIMARYS_IPV4 = (
    f"{MACS}{PRIMARY}/network-interface-id",
    f"{MACS}{PRIMARY}/private-ipv4s",
)


@pytest.mark.parametrize("answer", [500, 503, "<html>login</html>", "", "10.0.0", "0.0.0.999"])
@pytest.mark.parametrize(
    ("given", "path"),
    [
        (spec("ip"), "private-ipv4"),
        (spec("eni"), "mac"),
        (spec("eni"), PRIMARYS_ID),
        (spec("eni"), f"{MACS}{PRIMARY}/primary-ip-address"),
        (spec("eni", "eni-2"), MACS),
        (spec("eni", "eni-2"), SECONDS_ID),
        (spec("eni", "eni-2"), f"{MACS}{SECOND}/primary-ip-address"),
        (spec("eni", None, "2001:db8::2"), SECONDS_IPV6),
    ],
)
def test_an_answer_that_is_missing_or_none_never_says_that_this_vm_has_no_such_server(
    given: GroupSpec, path: str, answer: str | int
):
    """Found by reading: a page in the place of the interfaces, or one address list that was not
    answered, was taken for "no such network interface"."""
    if answer == "" and path == SECONDS_IPV6:
        answer = "null"  # nothing between the brackets is an answer
    with pytest.raises(MetadataError):
        resolved(given, Tree({path: answer}))


@pytest.mark.parametrize("answer", [500, "<html>"])
@pytest.mark.parametrize(
    ("given", "path"),
    [(spec("eni", "eni-2"), PRIMARYS_ID), (spec("eni", None, "10.0.0.2"), PRIMARYS_IPV4)],
)
def test_one_interface_that_does_not_tell_what_it_is_hides_no_other(
    given: GroupSpec, path: str, answer: str | int
):
    assert resolved(given, Tree({path: answer})).server_id == "eni-2"


def test_what_is_no_vpc_is_not_taken_for_one():
    assert vpc_id(Tree({"vpc-id": "vpc-1"})) == "vpc-1"
    with pytest.raises(MetadataError, match="is no vpc-id"):
        vpc_id(Tree({"vpc-id": "<html>"}))
