"""An operator's account with one VM that is gone, and the command that looks for such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import ACCESS_KEY, PORT, SECRET_KEY
from tests.unit.rendered import rendered

from mock_slb.gateway.faults import Refuse, Rule
from mock_slb.server import MockServer
from slb_registration.commands import cli

DEFAULT = {"product": "clb", "load_balancer_id": "lb-1"}
VIRTUAL = {"product": "clb", "vserver_group_id": "rsp-1", "port": PORT}
ALB = {"product": "alb", "server_group_id": "sgp-alb", "port": PORT}
NLB = {"product": "nlb", "server_group_id": "sgp-nlb", "port": PORT}
EVERY = (DEFAULT, VIRTUAL, ALB, NLB)
NAMES = ("clb/lb-1", "clb/rsp-1", "alb/sgp-alb", "nlb/sgp-nlb")
MARK = "bosh/11111111-2222-3333-4444-555555555555"
TAGS = {"bosh-deployment": "cf", "bosh-instance-group": "router"}
WRITES = ("Add", "Set", "Update", "Remove", "Modify")


class Operator:
    """The command, and an account with a group of each kind: this VM, one that lives, one that does
    not (`i-gone`), and one that is none of ours."""

    def __init__(
        self, server: MockServer, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.server = server
        self.folder = folder
        self._capsys = capsys
        self._made = 0
        self.account = account = server.account
        account.change_seconds = 0.0
        account.add_key(ACCESS_KEY, SECRET_KEY)
        self.balancer = account.add_load_balancer("lb-1", tags=TAGS)
        self.balancer.add_listener(80, backend_port=PORT)
        self.virtual = self.balancer.add_vserver_group("rsp-1")
        self.balancer.add_listener(81, vserver_group="rsp-1")
        self.alb = account.alb.add_server_group("sgp-alb")
        account.alb.add_load_balancer("alb-1").add_listener(80, server_group="sgp-alb")
        self.nlb = account.nlb.add_server_group("sgp-nlb")
        account.nlb.add_load_balancer("nlb-1").add_listener(80, server_group="sgp-nlb")
        for name, description in (
            ("i-self", "bosh/spec-1"),
            ("i-lives", "bosh/99999999-0000"),
            ("i-gone", f"{MARK}/web-1"),
            ("i-theirs", "terraform"),
        ):
            self.gain(name, is_self=name == "i-self")
            self.register(name, description)
            account.force_health(name, "normal")
        self.lose("i-gone")
        account.force_health("i-theirs", "abnormal")

    def gain(self, name: str, **options: Any) -> None:
        """An instance with an address that no other had."""
        self._made += 1
        address = f"192.168.{100 + self._made // 250}.{self._made % 250}"
        self.account.add_instance(name, private_ip=address, **options)

    def register(self, name: str, description: str, *, weight: int = 100, port: int = PORT) -> None:
        self.balancer.default_group.add_server(name, weight=weight, description=description)
        for group in (self.virtual, self.alb, self.nlb):
            group.add_server(name, port=port, weight=weight, description=description)

    def lose(self, name: str, health: str = "abnormal") -> None:
        """The instance is released, and its entries stay, in CLB and ALB as well."""
        self.account._instances.remove(name)
        self.account.force_health(name, health)

    def servers(self, name: str) -> list[str]:
        """The groups in which it is."""
        groups = (self.balancer.default_group, self.virtual, self.alb, self.nlb)
        return [
            told
            for told, group in zip(NAMES, groups, strict=True)
            if any(one.server_id == name for one in group.servers())
        ]

    def fault(self, code: str, status: int, action: str = "*", times: int | None = None) -> None:
        self.server.faults.add(Rule(Refuse(code, status), action=action, times=times))

    def writes(self) -> list[str]:
        return [call.action for call in self.server.calls.all() if call.action.startswith(WRITES)]

    def text(self, *arguments: str, groups: Any = EVERY, **properties: Any) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        products = ("slb", "alb", "nlb", "ecs", "metadata")
        given = {
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "endpoints": dict.fromkeys(products, self.server.url),
            "log": {"level": "warning"},
            **({"server_groups": list(groups)} if groups else {}),
            **properties,
        }
        file = rendered(self.folder, given)
        code = cli.main(["orphans", "--config", str(file), *arguments])
        out, err = self._capsys.readouterr()
        for secret in (ACCESS_KEY, SECRET_KEY):
            assert secret not in out + err
        assert "Traceback" not in out + err
        return code, out, err

    def run(self, *arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Exit code, and the document."""
        code, out, _ = self.text("--json", *arguments, **options)
        document = json.loads(out)
        assert document["ok"] is (code == 0)
        return code, document

    def verdicts(self, **options: Any) -> dict[str, set[str]]:
        """By server, what is said of its entries."""
        _, document = self.run(**options)
        found: dict[str, set[str]] = {}
        for one in document["entries"]:
            found.setdefault(one["server_id"], set()).add(one["verdict"])
        return found
