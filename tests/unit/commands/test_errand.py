"""The errand: what SLB says, judged. Through the command line, against the mocked cloud."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import ACCESS_KEY, PORT, SECRET_KEY
from tests.unit.rendered import rendered

from mock_slb.gateway.faults import Refuse, Rule
from mock_slb.server import MockServer
from slb_registration.commands import cli
from slb_registration.commands import errand as check
from slb_registration.model.errors import ApiError, Kind

TAGS = {"bosh-deployment": "cf", "bosh-instance-group": "router"}
DEFAULT = {"product": "clb", "load_balancer_id": "lb-1"}
VIRTUAL = {"product": "clb", "vserver_group_id": "rsp-1", "port": PORT}


class Errand:
    def __init__(
        self, server: MockServer, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.server = server
        self.account = account = server.account
        self.folder = folder
        self._capsys = capsys
        account.add_key(ACCESS_KEY, SECRET_KEY)
        self.balancer = account.add_load_balancer("lb-1", tags=TAGS)
        drain = {"connection_drain_seconds": 60}  # there is nothing to warn of
        self.balancer.add_listener(80, backend_port=PORT, **drain)
        self.virtual = self.balancer.add_vserver_group("rsp-1")
        self.balancer.add_listener(81, vserver_group="rsp-1", **drain)
        for name in ("i-self", "i-other"):
            account.add_instance(name, is_self=name == "i-self")
            account.force_health(name, "normal")
        self.register("i-self")

    def register(self, name: str, weight: int = 100) -> None:
        self.balancer.default_group.add_server(name, weight=weight)
        self.virtual.add_server(name, port=PORT, weight=weight)

    def fault(self, code: str, status: int, action: str = "*", times: int | None = None) -> None:
        self.server.faults.add(Rule(Refuse(code, status), action=action, times=times))

    def run(self, *groups: dict[str, Any], **properties: Any) -> tuple[int, list[list[str]], str]:
        """Exit code, the table's rows, and what stands on stderr."""
        given = {
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "endpoints": dict.fromkeys(("slb", "alb", "nlb", "metadata"), self.server.url),
            "log": {"level": "error"},
            **({"server_groups": list(groups)} if groups else {}),
            **properties,
            "discovery": {"products": ["clb"], **properties.get("discovery", {})},
        }
        file = rendered(self.folder, given)
        code = cli.main(["check", "--config", str(file)])
        out, err = self._capsys.readouterr()
        assert ACCESS_KEY not in out + err
        assert SECRET_KEY not in out + err
        rows = [re.split("  +", line) for line in out.splitlines()]
        assert rows[0] == ["SERVER GROUP", "SERVER", "PORT", "WEIGHT", "HEALTH", "RESULT"]
        return code, rows[1:], err


@pytest.fixture
def errand(
    account_server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Errand:
    return Errand(account_server, tmp_path, capsys)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that fails is not repeated."""
    monkeypatch.setattr(check, "PATIENCE_SECONDS", 0.0)


def test_a_vm_that_is_registered_everywhere_passes(errand: Errand):
    code, rows, err = errand.run(DEFAULT, VIRTUAL)
    assert (code, err) == (0, "")
    assert [(row[0], row[1], row[2], row[3], row[-1]) for row in rows] == [
        ("clb/lb-1", "i-self", "-", "100", "ok"),
        (f"clb/rsp-1:{PORT}", "i-self", "8080", "100", "ok"),
    ]
    assert "tcp:80 normal" in rows[0][4]


def test_asking_changes_nothing(errand: Errand):
    errand.run(DEFAULT, VIRTUAL)
    actions = {call.action for call in errand.server.calls.all()}
    assert all(action.startswith(("Describe", "metadata:")) for action in actions)


def test_a_vm_that_is_not_registered_fails(errand: Errand):
    errand.balancer.default_group.remove_server("i-self")
    code, rows, err = errand.run(DEFAULT, VIRTUAL)
    assert code == 1
    assert [row[-1] for row in rows] == ["FAILED", "ok"]
    assert err == "clb/lb-1, i-self: this VM is not registered\n"


@pytest.mark.parametrize("weight", [0, 99])
def test_another_weight_fails(errand: Errand, weight: int):
    errand.balancer.default_group.set_weight("i-self", weight)
    code, _, err = errand.run(DEFAULT)
    assert code == 1
    assert f"the weight is {weight} and should be 100" in err


@pytest.mark.parametrize(
    ("marker", "said"), [("hold", "held by an operator"), ("draining", "draining or drained")]
)
def test_what_an_operator_ordered_is_told_with_the_failure(errand: Errand, marker: str, said: str):
    (errand.folder / marker).write_text("1.0\n")
    assert errand.run(DEFAULT)[::2] == (0, "")

    errand.balancer.default_group.set_weight("i-self", 0)
    code, _, err = errand.run(DEFAULT)

    assert code == 1
    assert said in err.splitlines()[-1]
    assert "resume puts it back" in err


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("1.0 9999999999\nkernel\n", "held by an operator until 2286-11-20T17:46:39Z (kernel):"),
        ("1.0 1763913600\nkernel\n", None),  # it is over, and the agent has yet to see that
    ],
)
def test_a_hold_explains_a_failure_until_its_end(errand: Errand, marker: str, said: str | None):
    (errand.folder / "hold").write_text(marker)
    errand.balancer.default_group.set_weight("i-self", 0)
    code, _, err = errand.run(DEFAULT)
    assert code == 1
    assert (said in err) if said else ("held" not in err)


def test_the_configured_weight_passes(errand: Errand):
    errand.balancer.default_group.set_weight("i-self", 30)
    assert errand.run({**DEFAULT, "weight": 30})[0] == 0


def test_a_vm_that_slb_finds_abnormal_fails_and_says_where(errand: Errand):
    errand.account.force_health("i-self", "abnormal")
    code, _, err = errand.run(DEFAULT)
    assert code == 1
    assert "abnormal on tcp:80" in err


def test_a_check_that_is_off_or_has_not_finished_is_no_failure(errand: Errand):
    errand.account.force_health("i-self", "unavailable")
    assert errand.run(DEFAULT)[0] == 0


def test_another_servers_troubles_are_not_ours(errand: Errand):
    errand.register("i-other", weight=0)
    errand.account.force_health("i-other", "abnormal")
    code, rows, _ = errand.run(DEFAULT)
    assert (code, len(rows)) == (0, 1)


# An errand's instance group: its own VM is in no load balancer


def test_with_register_false_every_server_is_judged(errand: Errand):
    errand.register("i-other")
    code, rows, _ = errand.run(VIRTUAL, register=False)
    assert code == 0
    assert [row[1] for row in rows] == ["i-self", "i-other"]

    errand.account.force_health("i-other", "abnormal")
    errand.virtual.set_weight("i-self", 0, port=PORT)
    code, rows, err = errand.run(VIRTUAL, register=False)
    assert code == 1
    assert [row[-1] for row in rows] == ["FAILED", "FAILED"]
    assert "i-self: the weight is 0" in err
    assert "i-other: SLB reports it as abnormal" in err


def test_with_register_false_an_empty_group_fails(errand: Errand):
    errand.virtual.remove_server("i-self", port=PORT)
    code, _, err = errand.run(VIRTUAL, register=False)
    assert code == 1
    assert "no server is registered" in err


# Found by tags


def test_load_balancers_are_found_by_their_tags(errand: Errand):
    other = errand.account.add_load_balancer("lb-2", tags=TAGS)
    other.add_listener(80, backend_port=PORT, connection_drain_seconds=60)
    code, rows, err = errand.run()
    assert code == 1
    assert [row[0] for row in rows] == ["clb/lb-1", "clb/lb-2"]
    assert err == "clb/lb-2, i-self: this VM is not registered\n"


def test_one_that_is_named_and_tagged_is_judged_once_with_the_named_weight(errand: Errand):
    errand.balancer.default_group.set_weight("i-self", 30)
    code, rows, _ = errand.run({**DEFAULT, "weight": 30}, discovery={"enabled": True})
    assert (code, len(rows)) == (0, 1)


def test_none_found_fails_with_tags_and_region(errand: Errand):
    errand.balancer.set_tags({"bosh-deployment": "another"})
    code, rows, err = errand.run()
    assert code == 1
    assert rows[0][-1] == "FAILED"
    assert "bosh-deployment=cf, bosh-instance-group=router" in err
    assert "cn-hangzhou" in err


# Calls that fail


def test_what_passes_is_waited_for(errand: Errand):
    errand.fault("Throttling.User", 400, "DescribeLoadBalancerAttribute", times=3)
    errand.fault("ServiceUnavailable", 503, "DescribeHealthStatus", times=2)
    assert errand.run(DEFAULT)[0] == 0


@pytest.mark.parametrize("action", ["DescribeLoadBalancerAttribute", "DescribeHealthStatus"])
def test_what_cannot_be_read_fails_at_once_with_the_apis_word(errand: Errand, action: str):
    errand.fault("Forbidden.RAM", 403, action)
    code, rows, err = errand.run(DEFAULT, VIRTUAL)
    assert code == 1
    assert rows[0][-1] == "FAILED"
    assert f"{action}: Forbidden.RAM" in err
    assert len(errand.server.calls.all(action)) <= 2


@pytest.mark.parametrize("code", ["Sundry.NewThing", "InvalidTimeStamp.Expired"])
def test_what_hardly_passes_is_asked_a_few_times(errand: Errand, code: str):
    errand.fault(code, 400, "DescribeLoadBalancerAttribute")
    exit_code, _, err = errand.run(DEFAULT)
    assert (exit_code, code in err) == (1, True)
    assert len(errand.server.calls.all("DescribeLoadBalancerAttribute")) == check.FEW_TRIES


def test_an_endpoint_that_there_is_not_is_asked_a_few_times(errand: Errand):
    asked = []

    def question() -> None:
        asked.append(1)
        raise ApiError("Action", Kind.UNAVAILABLE, "NoConnection", "no such name", lasting=True)

    with pytest.raises(ApiError):
        check.patiently(question)
    assert len(asked) == check.FEW_TRIES


def test_what_does_not_pass_fails_in_the_end(errand: Errand, impatient: None):
    errand.fault("ServiceUnavailable", 503, "DescribeLoadBalancerAttribute")
    code, _, err = errand.run(DEFAULT)
    assert code == 1
    assert "ServiceUnavailable" in err


def test_a_listing_that_may_not_be_made_fails(errand: Errand):
    errand.fault("Forbidden.RAM", 403, "DescribeLoadBalancers")
    code, rows, err = errand.run()
    assert code == 1
    assert rows[0][0] == "(discovery)"
    assert "DescribeLoadBalancers: Forbidden.RAM" in err


def test_a_product_that_may_not_be_listed_is_no_failure_where_another_was_found(errand: Errand):
    errand.fault("Forbidden.RAM", 403, "ListServerGroups")
    both = {"discovery": {"products": ["clb", "alb"]}, "log": {"level": "warning"}}
    code, rows, err = errand.run(**both)
    assert (code, [row[0] for row in rows]) == (0, ["clb/lb-1"])
    assert "ListServerGroups: Forbidden.RAM" in err
    errand.balancer.set_tags({"bosh-deployment": "another"})
    assert errand.run(**both)[0] == 1


def test_a_group_that_does_not_exist_fails_and_the_others_are_still_judged(errand: Errand):
    code, rows, err = errand.run({**DEFAULT, "load_balancer_id": "lb-none"}, VIRTUAL)
    assert code == 1
    assert [row[-1] for row in rows] == ["FAILED", "ok"]
    assert "InvalidLoadBalancerId.NotFound" in err


# ALB and NLB


def test_a_zone_without_a_node_of_the_load_balancer_fails_and_is_told(errand: Errand):
    """Unlike a check that is off or has not finished: no request ever comes."""
    alb = errand.account.alb
    group = alb.add_server_group("sgp-1")
    balancer = alb.add_load_balancer("alb-1", zone_ids=["cn-hangzhou-k"], cross_zone=False)
    balancer.add_listener(80, server_group="sgp-1")
    group.add_server("i-self", port=PORT)
    errand.account.forced_health.clear()
    entry = {"product": "alb", "server_group_id": "sgp-1", "port": PORT}
    code, ((*_, health, result),), err = errand.run(entry)
    assert (code, health, result) == (1, "http:80 unavailable", "FAILED")
    assert "SLB reports it as unavailable on http:80 (Unused: the load balancer seems to" in err


def test_the_reason_of_slbs_verdict_is_told(errand: Errand):
    nlb = errand.account.nlb
    group = nlb.add_server_group("sgp-1")
    nlb.add_load_balancer("nlb-1").add_listener(80, server_group="sgp-1")
    group.add_server("i-self", port=PORT)
    errand.account.force_health("i-self", "abnormal")
    code, _, err = errand.run({"product": "nlb", "server_group_id": "sgp-1", "port": PORT})
    assert code == 1
    assert "SLB reports it as abnormal on tcp:80 (CONNECT_FAILED)" in err


def test_where_only_functions_carry_the_tags_that_is_told(errand: Errand):
    errand.account.alb.add_server_group("sgp-fc", type="Fc", tags={"a": "b"})
    discovery = {"products": ["alb"], "tags": {"a": "b"}}
    code, ((group, *_),), err = errand.run(port=PORT, discovery=discovery)
    assert (code, group) == (1, "(discovery)")
    assert "sgp-fc is not joined: it holds functions (type Fc), no VMs" in err


def test_a_group_that_forwards_all_ports_is_judged_by_port_0(errand: Errand):
    nlb = errand.account.nlb
    group = nlb.add_server_group("sgp-1", any_port=True, tags={"a": "b"})
    group.add_server("i-self")
    discovery = {"products": ["nlb"], "tags": {"a": "b"}}
    code, ((name, _, port, weight, *_),), _ = errand.run(port=PORT, discovery=discovery)
    assert (code, name, port, weight) == (0, "nlb/sgp-1:0", "0", "100")
    code, _, err = errand.run(discovery=discovery)
    assert code == 1
    assert "it forwards all ports: set health_check.port" in err


def test_of_more_groups_than_a_vm_can_be_in_the_first_are_asked_for(
    errand: Errand, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(check, "MOST_GROUPS", 1)
    code, rows, err = errand.run(DEFAULT, VIRTUAL)
    assert code == 1
    assert [(row[0], row[-1]) for row in rows] == [("(too many)", "FAILED"), ("clb/lb-1", "ok")]
    assert f"1 of its server groups is not joined (clb/rsp-1:{PORT})" in err
