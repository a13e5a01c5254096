"""The mocked cloud as these tests use it: a load balancer, this VM, two servers of others."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.group import ServerGroup
from mock_slb.clb.resources import Backend
from mock_slb.core.resources import NORMAL, HealthCheck
from mock_slb.gateway.calls import Call
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Rule
from mock_slb.gateway.gateway import Gateway
from mock_slb.health.probe import Prober
from mock_slb.server import MockServer, serve

REGION = "cn-hangzhou"
ME = "i-bp1me"
OTHERS = {"i-bp1first": 100, "i-bp1second": 50}
BALANCER = "lb-bp1web"
VSERVER_GROUP = "rsp-bp1web"
DEPLOYMENT, INSTANCE_GROUP = "shop", "srt"
TAGS = {"bosh-deployment": DEPLOYMENT, "bosh-instance-group": INSTANCE_GROUP}
ACCESS_KEY = "LTAI5tAccessKeyOfTheTest"
SECRET_KEY = "secret/Key+of=the&Test%20"
QUICK_CHECK = HealthCheck(interval_seconds=0.3, healthy_threshold=2, unhealthy_threshold=2)
DRAIN = {"connection_drain_seconds": 60}
"""Set, so that the errand has nothing to warn of."""

WRITES = (
    "AddBackendServers",
    "SetBackendServers",
    "RemoveBackendServers",
    "AddVServerGroupBackendServers",
    "SetVServerGroupAttribute",
    "RemoveVServerGroupBackendServers",
    "ModifyVServerGroupBackendServers",
)


@dataclass
class Cloud:
    """A running mocked cloud. What a test changes in `account` is not in the log of calls."""

    account: Account
    gateway: Gateway
    server: MockServer
    stack: contextlib.ExitStack

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def balancer(self) -> LoadBalancer:
        return self.account.load_balancers[BALANCER]

    @property
    def vserver_group(self) -> ServerGroup:
        return self.account.group(VSERVER_GROUP)

    @property
    def me(self) -> Backend | None:
        """This VM in the default group."""
        return self.balancer.default_group.server(ME)

    @property
    def weight(self) -> int | None:
        """This VM's weight in the default group, None where it is not in it."""
        return None if self.me is None else self.me.weight

    def others(self) -> dict[str, list[Backend]]:
        """Every server but this VM, by group, in full."""
        groups = [self.balancer.default_group, self.vserver_group]
        return {group.id: [b for b in group.servers() if b.server_id != ME] for group in groups}

    # What was asked

    @property
    def calls(self) -> list[Call]:
        return self.gateway.calls.all()

    def since(self, mark: int) -> list[Call]:
        """The calls after a `mark`; those to the metadata service are left out."""
        api = [call for call in self.calls if not call.action.startswith("metadata:")]
        return [call for call in api if call.number > mark]

    @property
    def mark(self) -> int:
        """The number of the last call."""
        return max((call.number for call in self.calls), default=0)

    def writes(self, since: int = 0) -> list[str]:
        """The actions of all calls that change something, in their order."""
        return [call.action for call in self.since(since) if call.action in WRITES]

    def reads(self, since: int = 0) -> int:
        """How often the default group was read."""
        return sum(call.action == "DescribeLoadBalancerAttribute" for call in self.since(since))

    # What goes wrong

    def spoil(self, name: str, action: str | None = None, *, times: int | None = None) -> int:
        """Inject a fault by its name."""
        return self.gateway.faults.add(preset(name, action, times=times))

    def inject(self, rule: Rule) -> int:
        return self.gateway.faults.add(rule)

    def mend(self) -> None:
        """End all faults."""
        self.gateway.faults.clear()

    def go_down(self) -> None:
        """Refuse connections from now on."""
        self.server.close()

    def come_back(self) -> None:
        """Serve again, at the same address."""
        self.server = _serve(self.gateway, self.server.port)

    def probe(self) -> None:
        """Report what probing the servers shows, as SLB does, and not just that all are normal."""
        self.account.forced_health.clear()
        prober = Prober(self.account)
        prober.start()
        self.stack.callback(prober.stop)

    def assert_only_me_was_written(self) -> None:
        """No call may name a server other than this VM."""
        for call in self.calls:
            if call.action in WRITES:
                named = {entry["ServerId"] for entry in json.loads(call.params["BackendServers"])}
                assert named == {ME}, call


def account_for(port: int) -> Account:
    """The account: a listener on the service's port, and a vServer group beside it."""
    account = Account(REGION)
    account.add_key(ACCESS_KEY, SECRET_KEY)
    for id_ in (ME, *OTHERS):
        account.add_instance(id_, is_self=id_ == ME)
        account.force_health(id_, NORMAL)
    balancer = account.add_load_balancer(BALANCER, tags=TAGS)
    balancer.add_listener(80, backend_port=port, health_check=QUICK_CHECK, **DRAIN)
    group = balancer.add_vserver_group(VSERVER_GROUP)
    balancer.add_listener(81, vserver_group=VSERVER_GROUP, health_check=QUICK_CHECK, **DRAIN)
    for id_, weight in OTHERS.items():
        balancer.default_group.add_server(id_, weight=weight, description="somebody-else")
        group.add_server(id_, port=port, weight=weight, description="somebody-else")
    return account


@contextlib.contextmanager
def cloud_for(port: int) -> Iterator[Cloud]:
    closing = threading.Event()
    gateway = Gateway(account_for(port), wait=closing.wait)
    with contextlib.ExitStack() as stack:
        cloud = Cloud(gateway.account, gateway, _serve(gateway, 0), stack)
        stack.callback(lambda: cloud.server.close())  # noqa: PLW0108 - the one of then
        stack.callback(closing.set)  # ends slow answers at once
        yield cloud


def _serve(gateway: Gateway, port: int) -> MockServer:
    return serve(gateway=gateway, port=port, probe=False)
