"""The policy that operators copy allows what the agent calls: all of it, and nothing else."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator

import pytest
import responses
from tests.paths import ROOT
from tests.unit.every_kind import KINDS, Setting

from mock_slb.gateway.gateway import Gateway
from slb_registration.cloud import ram_role
from slb_registration.cloud.client import Cloud
from slb_registration.commands.orphans import instances
from slb_registration.model.balancer_settings import Settings
from slb_registration.model.configuration import CredentialConfig
from slb_registration.model.errors import ApiError, Kind
from slb_registration.preflight.zones import Zones
from slb_registration.server_groups.tagged import listings

SOURCES = ROOT / "release/src/slb_registration"
POLICY = ROOT / "release/manifests/ram-policy.json"
_REQUEST = re.compile(r"aliyunsdk(\w+)\.request\.v\d+\.(\w+)Request")


def statements() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(POLICY.read_text())["Statement"]
    return found


def allowed() -> list[str]:
    return [str(action) for one in statements() for action in one["Action"]]  # type: ignore[attr-defined]


def written(tree: ast.AST) -> Iterator[str]:
    """The actions that a module can make requests of: classes of the SDK, and those of our own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (match := _REQUEST.fullmatch(node.module or "")):
            yield f"{match[1]}:{match[2]}"
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "RpcRequest":
            product, _, action = (ast.literal_eval(argument) for argument in node.args[:3])
            yield f"{product.lower()}:{action}"


def test_it_allows_exactly_what_the_sources_can_ask_for():
    asked = {
        action
        for path in SOURCES.rglob("*.py")
        for action in written(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert asked == set(allowed())


def test_it_names_each_action_once_and_none_by_a_pattern():
    assert len(allowed()) == len(set(allowed()))
    assert all(re.fullmatch(r"(slb|alb|nlb|sts|ecs):[A-Z][A-Za-z]+", one) for one in allowed())


def test_it_is_a_policy_as_ram_takes_it():
    document = json.loads(POLICY.read_text())
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "1"
    for one in statements():
        assert set(one) == {"Effect", "Action", "Resource"}
        assert one["Effect"] == "Allow"
    assert len(POLICY.read_text()) <= 6144  # the most that a custom policy may have


def use(setting: Setting) -> None:
    """All that can be asked of a group."""
    group = setting.open()
    group.find()
    for change in (
        lambda: group.add(setting.me(30)),
        lambda: group.set_weight(setting.me(60)),
        lambda: group.remove(setting.me(60)),
    ):
        change()
        group.find()  # under way: asks for its job
        setting.settle()
        group.find()
        group.health()


def discover(setting: Setting) -> None:
    for listing in listings(setting.cloud, ("clb", "alb", "nlb"), {"a": "b"}).values():
        listing.tagged()
        listing.without_tags(["lb-1"])


def look_at_zones(setting: Setting) -> None:
    """As the errand does."""
    settings = Settings(load_balancer_ids=(f"{setting.kind.product}-1",))
    assert Zones(setting.cloud).added(setting.kind.product, settings).nodes


def standby(setting: Setting) -> None:
    group = setting.open(
        load_balancer_id=None, vserver_group_id=None, active_standby_group_id="rsp-none"
    )
    with pytest.raises(ApiError):  # whether it is there does not matter here
        group.find()


def assume(setting: Setting) -> None:
    arn = setting.account.add_role("slb-registration").arn
    config = CredentialConfig("assume_role", None, None, arn, "session", 900, None)
    ram_role.assumed(setting.cloud.call, config)()


def look_for_instances(setting: Setting) -> None:
    assert instances.ask(setting.cloud, ["i-other-1"], "i-self").present == {"i-other-1"}


def called(gateway: Gateway) -> set[str]:
    return {f"{call.product}:{call.action}" for call in gateway.calls.all()}


def test_every_action_that_it_allows_is_one_that_the_agent_really_calls(
    sdk: responses.RequestsMock,
):
    seen: set[str] = set()
    for kind in KINDS:
        sdk.reset()
        setting = Setting(sdk, kind)
        uses: list[Callable[[Setting], None]] = [use, discover, assume, look_for_instances]
        if kind.product == "clb":
            uses.append(standby)
        else:
            uses.append(look_at_zones)
        for one in uses:
            one(setting)
        seen |= called(setting.gateway)
        setting.cloud.close()
    assert seen == set(allowed())


@pytest.mark.parametrize("line", allowed())
def test_an_action_that_is_refused_is_named_with_the_line_that_is_missing(line: str):
    product, _, action = line.partition(":")
    error = ApiError(action, Kind.DENIED, "NoPermission", "m", 403, product=product)
    assert f'add "{line}" to the RAM policy (release/manifests/ram-policy.json)' in str(error)


def test_no_test_of_a_cloud_calls_what_the_policy_does_not_allow(sdk: responses.RequestsMock):
    """The guard in conftest.py, which stands around all tests of this folder, works."""
    setting = Setting(sdk, KINDS[0])
    from aliyunsdkslb.request.v20140515.DeleteLoadBalancerRequest import (
        DeleteLoadBalancerRequest,
    )

    with pytest.raises(AssertionError, match="slb:DeleteLoadBalancer is not in the RAM policy"):
        Cloud.call(setting.cloud, DeleteLoadBalancerRequest())
