"""A well-configured account, this VM in every kind of server group, and the errand that looks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import ACCESS_KEY, PORT, SECRET_KEY
from tests.unit.rendered import rendered

from mock_slb.server import MockServer
from slb_registration.commands import cli

GROUPS: Mapping[str, dict[str, Any]] = {
    "clb default": {"product": "clb", "load_balancer_id": "lb-1"},
    "clb vServer": {"product": "clb", "vserver_group_id": "rsp-1", "port": PORT},
    "clb active/standby": {"product": "clb", "active_standby_group_id": "rsp-ms", "port": PORT},
    "alb": {"product": "alb", "server_group_id": "sgp-alb", "port": PORT},
    "nlb": {"product": "nlb", "server_group_id": "sgp-nlb", "port": PORT},
}
LISTENERS = {"clb default": "tcp:80", "clb vServer": "tcp:81", "clb active/standby": "tcp:82"}
KINDS = tuple(GROUPS)
CLB = KINDS[:3]
DEFAULTS = ("clb default", "clb vServer", "alb", "nlb")
ZONED = ("alb", "nlb")
MINE, ELSEWHERE = "cn-hangzhou-h", "cn-hangzhou-g"
"""The zone of this VM, and another one."""


class Stage:
    """A well-configured account, this VM in every kind of group, and the errand."""

    def __init__(self, server: MockServer, folder: Path, capsys: pytest.CaptureFixture[str]):
        self.server, self.folder, self._capsys = server, folder, capsys
        self.account = account = server.account
        account.add_key(ACCESS_KEY, SECRET_KEY)
        for name in ("i-self", "i-other"):
            account.add_instance(name, is_self=name == "i-self")
            account.force_health(name, "normal")
        self.clb = account.add_load_balancer("lb-1")
        self.clb.default_group.add_server("i-self")
        self.clb.add_vserver_group("rsp-1").add_server("i-self", port=PORT)
        self.clb.add_master_slave_group("rsp-ms", master=("i-self", PORT), slave=("i-other", PORT))
        drain = {"connection_drain_seconds": 60}
        self.clb.add_listener(80, backend_port=PORT, **drain)
        self.clb.add_listener(81, vserver_group="rsp-1", **drain)
        self.clb.add_listener(82, master_slave_group="rsp-ms", **drain)
        for name in ("alb", "nlb"):
            fleet = getattr(account, name)
            group = fleet.add_server_group(f"sgp-{name}", **drain)
            group.add_server("i-self", port=PORT)
            fleet.add_load_balancer(f"{name}-1").add_listener(80, server_group=f"sgp-{name}")

    def of(self, kind: str) -> Any:
        """The server group of ALB or NLB."""
        return getattr(self.account, kind).group(f"sgp-{kind}")

    def set(self, kind: str, **changes: Any) -> None:
        """Set something where the product has it: on the listener of CLB, or on the group."""
        if kind in CLB:
            name = LISTENERS[kind]
            self.clb.listeners[name] = replace(self.clb.listeners[name], **changes)
            return
        for name, value in changes.items():
            setattr(self.of(kind), name, value)

    def checks(self, kind: str, **changes: Any) -> None:
        """Change the health check."""
        place = self.clb.listeners[LISTENERS[kind]] if kind in CLB else self.of(kind)
        self.set(kind, health_check=replace(place.health_check, **changes))

    def without_node(self, kind: str) -> Any:
        """The load balancer of ALB or NLB, from now on in another zone, and for that alone."""
        balancer = getattr(self.account, kind).balancer(f"{kind}-1")
        balancer.zone_ids, balancer.cross_zone = (ELSEWHERE,), False
        return balancer

    def behind_one(self, kind: str) -> None:
        """A second group, `sgp-2`, behind the same load balancer without a node."""
        drain = {"connection_drain_seconds": 60}
        group = getattr(self.account, kind).add_server_group("sgp-2", **drain)
        group.add_server("i-self", port=PORT)
        self.without_node(kind).add_listener(81, server_group="sgp-2")

    def cli(self, *kinds: str, json_: bool = True, **properties: Any) -> tuple[int, str, str]:
        given = {
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "endpoints": dict.fromkeys(("slb", "alb", "nlb", "metadata"), self.server.url),
            "log": {"level": "error"},
            "server_groups": [GROUPS[kind] for kind in kinds],
            **properties,
        }
        file = rendered(self.folder, given)
        code = cli.main(["check", "--config", str(file), *(["--json"] if json_ else [])])
        out, err = self._capsys.readouterr()
        return code, out, err

    def warned(self, *kinds: str, **properties: Any) -> list[dict[str, Any]]:
        """The warnings; whatever they are, all is well."""
        code, out, _ = self.cli(*kinds, **properties)
        document = json.loads(out)
        assert (code, document["ok"], document["error"]) == (0, True, None)
        found: list[dict[str, Any]] = document["warnings"]
        return found

    def codes(self, *kinds: str, **properties: Any) -> list[str]:
        return [one["code"] for one in self.warned(*kinds, **properties)]

    def calls(self) -> Counter[str]:
        """The API calls since the last time that this was asked."""
        actions = Counter(
            one.action for one in self.server.calls.all() if not one.action.startswith("metadata")
        )
        self.server.calls.clear()
        return actions
