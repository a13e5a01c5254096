"""One account for every kind of server group, with this VM and two servers that are not ours."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import responses
from tests.unit.driver import ACCESS_KEY, PORT, SECRET_KEY, Agent, Driver, in_json

from mock_slb.account.account import Account
from mock_slb.alb_nlb.group import ServerGroup as MockAlbNlbGroup
from mock_slb.clb.group import ServerGroup as MockClbGroup
from mock_slb.clb.resources import Backend
from mock_slb.gateway.faults import Refuse, Reset, Rule
from mock_slb.testing import attach
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.model.configuration import GroupSpec, StaticKeys
from slb_registration.model.identity import Identity
from slb_registration.model.server_group import BackendServer, Members, ServerGroup
from slb_registration.server_groups.open import open_group

MARKER = "bosh/spec-1"
IPV4, IPV6 = "192.168.7.7", "2001:db8::7"


@dataclass(frozen=True)
class Kind:
    """A kind of server group, and as what this VM is in it."""

    name: str
    product: str
    server_type: str = "ecs"
    server_id: str = "i-self"
    server_ip: str = ""
    port: int = PORT

    @property
    def takes_time(self) -> bool:
        return self.product != "clb"

    @property
    def has_ports(self) -> bool:
        return "default" not in self.name


KINDS = (
    Kind("clb default group", "clb"),
    Kind("clb vServer group", "clb"),
    Kind("clb default group, eni", "clb", "eni", "eni-self", IPV4),
    Kind("clb vServer group, eni", "clb", "eni", "eni-self", IPV4),
    Kind("alb", "alb"),
    Kind("alb, eni", "alb", "eni", "eni-self", IPV4),
    Kind("alb, ip", "alb", "ip", IPV4, IPV4),
    Kind("alb, ipv6", "alb", "ip", IPV6, IPV6),
    Kind("nlb", "nlb"),
    Kind("nlb, eni", "nlb", "eni", "eni-self", IPV4),
    Kind("nlb, ip", "nlb", "ip", IPV4, IPV4),
    Kind("nlb, ipv6", "nlb", "ip", IPV6, IPV6),
)

ANY_PORT = Kind("nlb, any port", "nlb", port=0)
"""Beside the others: what has only one port cannot be in a group with two."""


class Setting:
    """The account and one group of a kind. Its clock is the driver's, begun at the real time."""

    def __init__(self, mock: responses.RequestsMock, kind: Kind) -> None:
        self.kind = kind
        self.driver = Driver()
        started = time.time() - self.driver.now
        self.account = Account(clock=lambda: started + self.driver.now)
        self.account.add_key(ACCESS_KEY, SECRET_KEY)
        self.account.add_instance(
            "i-self", eni_id="eni-self", private_ip="192.168.7.1", other_ips=(IPV4, IPV6)
        )
        for number in (1, 2):
            self.account.add_instance(f"i-other-{number}", private_ip=f"192.168.8.{number}")
        self.ids = self._make()
        self.port = kind.port if kind.has_ports else None
        for number in (1, 2):
            name = f"192.168.8.{number}" if kind.server_type == "ip" else f"i-other-{number}"
            self.group.add_server(name, port=kind.port, weight=100, description="not-ours")
        self.gateway = attach(mock, self.account)
        self.cloud = Cloud(Static(StaticKeys(ACCESS_KEY, SECRET_KEY, None)), self.account.region)
        self.spec = GroupSpec(
            product=kind.product,
            port=self.port,
            weight=100,
            description=None,
            server_type=kind.server_type,
            server_id=None if kind.server_type == "ecs" else kind.server_id,
            server_ip=kind.server_ip or None,
            **{**dict.fromkeys(("load_balancer_id", "vserver_group_id")), **self.ids},
        )

    def _make(self) -> dict[str, str]:
        kind = self.kind
        self.group: MockClbGroup | MockAlbNlbGroup
        if kind.product == "clb":
            balancer = self.account.add_load_balancer("lb-1")
            if not kind.has_ports:
                balancer.add_listener(80, backend_port=PORT)
                self.group = balancer.default_group
                return {"load_balancer_id": "lb-1"}
            self.group = balancer.add_vserver_group("rsp-1")
            balancer.add_listener(80, vserver_group="rsp-1")
            return {"vserver_group_id": "rsp-1"}
        fleet = getattr(self.account, kind.product)
        is_ip = kind.server_type == "ip"
        self.group = fleet.add_server_group(
            "sgp-1", type="Ip" if is_ip else "Instance", ipv6=is_ip, **self._any_port()
        )
        self.balancer = fleet.add_load_balancer(f"{kind.product}-1")
        self.balancer.add_listener(80, server_group="sgp-1")
        fleet.add_server_group("sgp-2")
        fleet.add_load_balancer(f"{kind.product}-2").add_listener(80, server_group="sgp-2")
        return {"server_group_id": "sgp-1"}

    def _any_port(self) -> dict[str, bool]:
        return {} if self.kind.port else {"any_port": True}

    def open(self, **changes: object) -> ServerGroup:
        """An adapter for the group, on the setting's clock."""
        group = open_group(self.cloud, replace(self.spec, **changes))
        self._tick(group)
        return group

    def _tick(self, group: ServerGroup) -> None:
        """Nobody sleeps: adapters that measure time get the driver's."""
        for part in (group, *vars(group).values()):
            if hasattr(part, "_clock"):
                part._clock = lambda: self.driver.now

    def me(self, weight: int = 100, port: int | None = None) -> BackendServer:
        """This VM as it is to be registered."""
        return self.identity(port=port).server(weight)

    def identity(self, *, port: int | None = None, **changes: object) -> Identity:
        """This VM in the group."""
        me = Identity(
            self.kind.server_id,
            self.port if port is None else port,
            100,
            MARKER,
            replaces=True,
            server_type=self.kind.server_type,
            server_ip=self.kind.server_ip,
        )
        return replace(me, **changes)

    def agent(self, group: ServerGroup | None = None, **changes: object) -> Agent:
        """An agent of this VM, started now."""
        return self.driver.join(group or self.open(), self.identity(**changes))

    def settle(self) -> None:
        """Let a change come to its end."""
        self.driver.now += self.account.change_seconds + 0.1

    def there(self, server_id: str | None = None, port: int | None = None) -> BackendServer | None:
        """This VM (or another) as the account has it, whatever adapters say."""
        id_ = server_id or self.kind.server_id
        for one in self.group.servers():
            if one.server_id == id_ and (
                not self.kind.has_ports or one.port == (port or self.kind.port)
            ):
                state = str(getattr(one, "status", "available")).lower()
                return BackendServer(id_, one.port, one.weight, one.description, state)
        return None

    def others(self) -> list[tuple[str, int, str]]:
        """The servers that are not ours."""
        return [
            (one.server_id, one.weight, one.description)
            for one in self.group.servers()
            if one.description == "not-ours"
        ]

    def as_another(self, change: str, weight: int = 100) -> None:
        """Another writer takes this VM out, puts it in, or changes its weight, at once."""
        kind = self.kind
        if kind.product == "clb" and kind.server_type == "eni":
            self._as_another_of_clb(change, weight)
            return
        key = {"port": kind.port}
        if kind.server_type == "eni":
            key["server_ip"] = kind.server_ip
        if change == "add":
            type_ = {"type": "Eni"} if kind.server_type == "eni" else {}
            self.group.add_server(kind.server_id, weight=weight, **key, **type_)
        elif change == "remove":
            self.group.remove_server(kind.server_id, **key)
        else:
            self.group.set_weight(kind.server_id, weight, **key)

    def _as_another_of_clb(self, change: str, weight: int) -> None:
        port = PORT if self.kind.has_ports else 0
        server = Backend(self.kind.server_id, port, weight, "eni", self.kind.server_ip)
        if change == "remove":
            self.group.remove([server.key])
        elif change == "add":
            self.group.add([server])
        else:
            self.group.change([server])

    def lose(self, action: str, *, made: bool, times: int | None = 1) -> None:
        """Cut the connection of calls whose action contains this; `made`: after carrying it out."""
        rule = Rule(Reset(), action=f"*{action}*", times=times, after_change=made)
        self.gateway.faults.add(rule)

    def refuse(self, code: str, status: int = 400, action: str = "*", times: int = 1) -> None:
        """Answer calls with this error."""
        self.gateway.faults.add(Rule(Refuse(code, status), action=action, times=times))

    def reply(self, body: object, action: str = "*", times: int | None = 1) -> None:
        """Answer calls with this, as JSON."""
        self.gateway.faults.add(Rule(in_json(body), action=action, times=times))

    def made(self, *patterns: str) -> list[str]:
        """The actions that were called and contain one of these, in their order."""
        return [
            call.action
            for call in self.gateway.calls.all()
            if any(pattern in call.action for pattern in patterns)
        ]

    def writes(self) -> list[str]:
        """The writes that were called."""
        return self.made("Add", "Set", "Remove", "Update")

    def tokens(self) -> list[str]:
        """The ClientTokens of the writes that were called."""
        return [
            call.params["ClientToken"]
            for call in self.gateway.calls.all()
            if "ClientToken" in call.params
        ]


def mine(setting: Setting, members: Members) -> BackendServer | None:
    """This VM among them."""
    return setting.identity().find(members)
