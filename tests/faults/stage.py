"""An account with two server groups of one kind, this VM, and two servers that are not ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

from tests.faults.wire import Wire
from tests.unit.every_kind import PORT, Kind, Setting

from mock_slb.alb_nlb.group import ServerGroup as MockAlbNlbGroup
from mock_slb.clb.group import ServerGroup as MockClbGroup
from slb_registration.cloud import ram_role
from slb_registration.cloud.refreshing import RefreshingCredentials
from slb_registration.instance.metadata import Metadata
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.server_group import ServerGroup
from slb_registration.server_groups.open import open_group
from slb_registration.support.logs.event_log import EventLog

ROLE = "slb-registration"
OTHER_IDS = {
    "load_balancer_id": "lb-other",
    "vserver_group_id": "rsp-other",
    "server_group_id": "sgp-other",
}
MARKER = "bosh/spec-1"
ADDRESS = "192.168.7.1"


@dataclass(frozen=True)
class Registration:
    """What the account has of a server."""

    weight: int
    description: str


class Stage(Setting):
    """`first` and `second` are the two groups; what is not about this VM must stay as it is."""

    def __init__(self, kind: Kind, *, role: bool = False, alone: bool = False) -> None:
        """`role`: the VM signs with a role's keys. `alone`: there are no other servers."""
        self.wire = Wire(self._pass, lambda: self.account.now() - self.account.clock_offset_seconds)
        super().__init__(self.wire, kind)  # type: ignore[arg-type]
        self.wire.join(self.gateway)
        self.account.set_self("i-self")
        self.account.force_health(kind.server_id, "normal")
        self.lines = StringIO()
        self.first = self.spec
        self.second = self._second()
        self._holder: str | None = None
        if alone:
            for name, *_ in self.strangers():
                self.group.drop(name)
        for name, _, weight, text in self.strangers():
            self.group_of(self.second).add_server(name, port=PORT, weight=weight, description=text)
        if role:
            self._sign_as_role()
        self._before = self.strangers()

    def log(self) -> EventLog:
        """One line an event, into `lines`."""
        return EventLog(self.lines, now=self.wall)

    def wall(self) -> float:
        """Seconds since the epoch, as this VM's clock has them."""
        return self.wire.now()

    def clock(self) -> float:
        """The monotonic clock of everything here, in seconds."""
        return self.driver.now

    def _pass(self, seconds: float) -> None:
        self.driver.now += seconds

    def opened(self, cloud: object, spec: GroupSpec) -> ServerGroup:
        """An adapter on this clock, in the place of server_groups.open."""
        group = open_group(self.cloud, spec)
        self._tick(group)
        return group

    def _second(self) -> GroupSpec:
        kind = self.kind
        (name,) = self.ids
        if name == "load_balancer_id":
            self.account.add_load_balancer(OTHER_IDS[name]).add_listener(80, backend_port=PORT)
        elif name == "vserver_group_id":
            self.account.load_balancers["lb-1"].add_vserver_group(OTHER_IDS[name])
        else:
            is_ip = kind.server_type == "ip"
            fleet = getattr(self.account, kind.product)
            fleet.add_server_group(OTHER_IDS[name], type="Ip" if is_ip else "Instance", ipv6=is_ip)
        return replace(self.spec, **{name: OTHER_IDS[name]})

    def _sign_as_role(self) -> None:
        self.account.add_role(ROLE, lifetime_seconds=900.0)
        metadata = Metadata("http://100.100.100.200", now=self.clock)
        self.cloud._source = RefreshingCredentials(
            ram_role.of_instance(metadata, ROLE), self.log(), clock=self.clock, wall=self.wall
        )

    @property
    def groups_used(self) -> int:
        """How many of the two groups were written to or read."""
        ids = {self.group_of(self.first).id, self.group_of(self.second).id}
        used = {v for call in self.gateway.calls.all() for v in call.params.values() if v in ids}
        return len(used)

    def call_times(self) -> list[float]:
        """When calls of the API arrived, the metadata service left aside."""
        return [
            call.time for call in self.gateway.calls.all() if not call.action.startswith("metadata")
        ]

    # What is in the account

    def group_of(self, spec: GroupSpec) -> MockClbGroup | MockAlbNlbGroup:
        """The account's own view of a group."""
        if spec.load_balancer_id is not None:
            return self.account.load_balancers[spec.load_balancer_id].default_group
        if spec.vserver_group_id is not None:
            return self.account.group(spec.vserver_group_id)
        return next(
            group
            for group in getattr(self.account, spec.product).groups()
            if group.id == spec.server_group_id
        )

    def here(self, spec: GroupSpec, server_id: str | None = None) -> Registration | None:
        """This VM (or another) in a group; there is never more than one of it."""
        wanted = server_id or self.kind.server_id
        group = self.group_of(spec)
        leaving = getattr(group, "_leaving", ())  # removed, though it is listed for a while yet
        found = [
            one
            for one in group.servers()
            if one.server_id == wanted and getattr(one, "key", None) not in leaving
        ]
        assert len(found) <= 1, found
        return Registration(found[0].weight, found[0].description) if found else None

    def weight(self, spec: GroupSpec) -> int | None:
        """This VM's weight in a group, None where it is not in it."""
        found = self.here(spec)
        return None if found is None else found.weight

    def put_in(self, spec: GroupSpec, weight: int = 100) -> None:
        """This VM, as an earlier start of the agent has registered it."""
        kind, server = self.kind, self.me(weight)
        group: Any = self.group_of(spec)
        if kind.product == "clb":
            port = PORT if kind.has_ports else 0
            group.add([_clb_backend(kind, port, weight, server.description)])
            return
        type_ = {"type": "Eni", "server_ip": kind.server_ip} if kind.server_type == "eni" else {}
        group.add_server(
            kind.server_id, port=PORT, weight=weight, description=server.description, **type_
        )

    def take_address(self, description: str, code: str | None) -> None:
        """Another server joins both groups with this VM's address, which bars this VM with `code`.

        That of an instance is the primary one.
        """
        self.free_address()
        eni = self.kind.server_type == "eni"
        self._holder = "eni-holder" if eni else "i-holder"
        if self.account.instance("i-holder") is None:
            self.account.add_instance(
                "i-holder",
                eni_id="eni-holder",
                private_ip="192.168.9.9" if eni else ADDRESS,
                other_ips=(self.kind.server_ip,) if eni else (),
            )
        self.account.address_taken = "accept"
        for spec in (self.first, self.second):
            type_ = {"type": "Eni", "server_ip": self.kind.server_ip} if eni else {}
            self.group_of(spec).add_server(
                self._holder, port=PORT, weight=100, description=description, **type_
            )
        self.account.address_taken, self.account.address_code = "refuse", code

    @property
    def holds_address(self) -> bool:
        """Whether the other server that took this VM's address is in both groups still."""
        return all(self.here(spec, self._holder) for spec in (self.first, self.second))

    def free_address(self) -> None:
        """The other server that took this VM's address is released, if there is one."""
        if self._holder is not None:
            for spec in (self.first, self.second):
                self.group_of(spec).drop(self._holder)
            self._holder = None

    def strangers(self) -> list[tuple[str, str, int, str]]:
        """The servers of the two groups that are not this VM, in full."""
        return [
            (one.server_id, group.id, one.weight, one.description)
            for group in (self.group_of(self.first), self.group_of(self.second))
            for one in group.servers()
            if one.description == "not-ours"
        ]

    def assert_strangers_untouched(self) -> None:
        assert self.strangers() == self._before


def _clb_backend(kind: Kind, port: int, weight: int, description: str) -> object:
    from mock_slb.clb.resources import Backend

    type_ = "eni" if kind.server_type == "eni" else "ecs"
    return Backend(kind.server_id, port, weight, type_, kind.server_ip, description)
