"""A VM that never got in can always be stopped, and so repaired: its drain ends at once, with 0."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import thorough
from tests.integration.cloud import ACCESS_KEY, BALANCER, ME, VSERVER_GROUP
from tests.integration.stage import Stage
from tests.integration.vm import Done
from tests.waiting import eventually

from mock_slb.gateway.faults import Refuse, Rule
from slb_registration.commands.drain import MAY_BE_IN, NEVER_IN

SOON_SECONDS = 8.0
"""Generous, for a busy machine: nothing is waited for, where drain.timeout would be a minute."""

DRAIN = {"timeout": 60, "min_wait": 40, "on_error": "fail"}
Trouble = Callable[[Stage], dict[str, object]]
"""What makes the cloud refuse, and the properties that are wrong."""


def refused(code: str, status: int) -> Trouble:
    def trouble(stage: Stage) -> dict[str, object]:
        stage.cloud.inject(Rule(Refuse(code, status), action="[A-Z]*", name=code))
        return {}

    return trouble


def keys_file(stage: Stage, mode: int, **keys: str) -> dict[str, object]:
    path = stage.vm.folder / "keys.json"
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(json.dumps(keys))
    return {"credentials_file": str(path), "access_key": None, "secret_key": None}


TROUBLES: dict[str, Trouble] = {
    "a wrong secret_key": lambda _: {"secret_key": "another-secret-key"},
    "a wrong secret_key for a group that is named": lambda _: {
        "secret_key": "another-secret-key", "load_balancer_id": BALANCER,
    },
    "a key that is unknown": lambda _: {"access_key": "LTAI5tAnotherAccessKey"},
    "a token that has expired": refused("InvalidSecurityToken.Expired", 400),
    "no permission": refused("Forbidden.RAM", 403),
    "a wrong clock": refused("InvalidTimeStamp.Expired", 400),
    "a load balancer that is gone": lambda _: {"load_balancer_id": "lb-gone"},
    "a server group that is gone": lambda _: {
        "server_groups": [{"vserver_group_id": "rsp-gone", "port": 80}]
    },
    "server groups of ALB and NLB that are gone": lambda _: {
        "server_groups": [
            {"product": product, "server_group_id": "sgp-gone", "port": 80}
            for product in ("alb", "nlb")
        ]
    },
    "no role attached": lambda _: {
        "credential_source": "ecs_ram_role", "access_key": None, "secret_key": None,
    },
    "no credentials file": lambda stage: {
        "credentials_file": str(stage.vm.folder / "keys.json"),
        "access_key": None, "secret_key": None,
    },
    "a wrong key in a credentials file": lambda stage: keys_file(
        stage, 0o600, access_key=ACCESS_KEY, secret_key="another-secret-key"
    ),
    "a credentials file that others may read": lambda stage: keys_file(stage, 0o604),
    "a role that there is not": lambda stage: {
        "credential_source": "assume_role", "role_arn": "acs:ram::123456789012:role/none",
        "endpoints": {"sts": stage.cloud.url},
    },
    "another VM's instance id": lambda _: {"instance_id": "i-another"},
    "another VM's network interface": lambda _: {
        "server_groups": [
            {"load_balancer_id": BALANCER, "server_type": "eni", "server_id": "eni-another"}
        ]
    },
    "no authorities": lambda stage: {
        "ca_bundle": str(stage.vm.folder / "ca.pem"),
        "endpoints": {"slb": "https://127.0.0.1:1"},
    },
    "an invalid configuration": lambda _: {"colour": "red"},
}  # fmt: skip
MOST_LIKELY = (
    "a wrong secret_key", "no permission", "a load balancer that is gone",
    "an invalid configuration",
)  # fmt: skip


def stop(stage: Stage) -> list[Done]:
    """Stop it as BOSH does: pre-stop, and then drain."""
    return [stage.vm.command("drain", *turn) for turn in (["--pre-stop"], ["--after-pre-stop"])]


def assert_let_go(done: Done) -> None:
    assert (done.code, done.out) == (0, ""), done.err
    assert done.err.count(NEVER_IN) == 1, done.err


@pytest.mark.parametrize("trouble", thorough.but(MOST_LIKELY, TROUBLES))
@pytest.mark.parametrize("agent", [True, False], ids=["agent", "no agent"])
def test_a_stop_passes_at_once(stage: Stage, trouble: str, agent: bool) -> None:
    stage.vm.configure(drain=DRAIN, **TROUBLES[trouble](stage))
    if agent and "colour" not in stage.vm.config.read_text():
        stage.vm.start()
        eventually(stage.vm.status)

    for done in stop(stage):
        assert_let_go(done)
        if "colour" not in done.err:
            assert done.seconds < SOON_SECONDS
    assert stage.cloud.me is None


def test_it_passes_with_an_agent_that_has_failed_for_long(stage: Stage) -> None:
    stage.vm.configure(drain=DRAIN, secret_key="another-secret-key")
    stage.vm.start()
    eventually(lambda: stage.vm.events("cannot look for load balancers"))

    for done in stop(stage):
        assert_let_go(done)
        assert done.seconds < SOON_SECONDS
        assert "check access_key and secret_key" in done.err


def test_by_default_it_is_not_waited_for_either(stage: Stage) -> None:
    stage.vm.configure(drain={**DRAIN, "on_error": "continue"}, secret_key="another-secret-key")

    for done in stop(stage):
        assert_let_go(done)
        assert done.seconds < SOON_SECONDS


def test_a_redeploy_with_a_wrong_key_can_be_repaired(stage: Stage) -> None:
    """The VM was in service and has left as it should; the next deploy has a wrong key."""
    stage.vm.configure(drain={**DRAIN, "min_wait": 0.2})
    agent = stage.vm.start()
    stage.vm.until("in service")
    assert [done.code for done in stop(stage)] == [0, 0]
    assert stage.cloud.me is None
    agent.terminate()

    stage.vm.configure(drain=DRAIN, secret_key="another-secret-key")
    assert stage.vm.command("validate", "--pre-start").code == 0
    agent = stage.vm.start()
    eventually(lambda: stage.vm.events("cannot look for load balancers"))
    for done in stop(stage):
        assert_let_go(done)
        assert done.seconds < SOON_SECONDS
    agent.terminate()

    stage.vm.configure(drain={**DRAIN, "min_wait": 0.2})
    assert stage.vm.command("validate", "--pre-start").code == 0
    stage.vm.start()
    stage.vm.until("in service")
    assert stage.cloud.weight == 100


@pytest.mark.thorough
@pytest.mark.parametrize("trouble", ["a wrong secret_key", "an invalid configuration"])
@pytest.mark.parametrize("agent", [True, False], ids=["agent", "no agent"])
def test_a_vm_that_was_seen_in_is_drained_or_fails(stage: Stage, trouble: str, agent: bool) -> None:
    """It is in rotation for all that is known: on_error decides, once the drain's time is over."""
    stage.vm.configure(drain={"timeout": 4, "min_wait": 0.2, "on_error": "fail"})
    running = stage.vm.start()
    stage.vm.until("in service")
    running.terminate()
    stage.vm.configure(
        drain={"timeout": 4, "min_wait": 0.2, "on_error": "fail"},
        **TROUBLES[trouble](stage),
    )
    if agent and trouble == "a wrong secret_key":
        stage.vm.start()
        eventually(stage.vm.status)

    for done in stop(stage):
        assert (done.code, done.out) == (1, "")
        assert "this VM may still be in rotation" in done.err
    assert stage.cloud.weight == 100


def test_what_is_read_decides(stage: Stage) -> None:
    """Someone else, the CPI say, has registered it; we may read, and not write."""
    stage.cloud.balancer.default_group.add_server(ME, weight=100)
    stage.cloud.spoil("forbidden", "*BackendServers")
    stage.vm.configure(drain={"timeout": 4, "min_wait": 0.2, "on_error": "fail"})

    done = stage.vm.command("drain", "--pre-stop")

    assert (done.code, stage.cloud.weight) == (1, 100)
    assert "this VM may still be in rotation" in done.err


def test_what_can_be_read_by_now_decides(stage: Stage) -> None:
    """The permission is given while the agent waits minutes before it asks again."""
    stage.cloud.balancer.default_group.add_server(ME, weight=100)
    TROUBLES["no permission"](stage)
    stage.vm.configure(drain={"timeout": 30, "min_wait": 0.2, "on_error": "fail"})
    stage.vm.start()
    eventually(lambda: stage.vm.events("cannot look for load balancers"))
    stage.cloud.mend()

    (before, done) = stop(stage)

    assert (before.code, done.code, stage.cloud.me) == (0, 0, None), before.err + done.err
    assert stage.cloud.writes() == ["SetBackendServers", "RemoveBackendServers"]


def test_who_was_put_in_by_someone_else_is_drained(stage: Stage) -> None:
    stage.cloud.balancer.default_group.add_server(ME, weight=100)
    stage.vm.configure(drain={"timeout": 20, "min_wait": 0.2, "on_error": "fail"})

    assert [done.code for done in stop(stage)] == [0, 0]

    assert stage.cloud.writes() == ["SetBackendServers", "RemoveBackendServers"]


def test_each_server_group_counts_for_itself(stage: Stage) -> None:
    """The keys are right for one of two: it is left as ever, and the other holds up nothing."""
    stage.vm.configure(
        drain={**DRAIN, "min_wait": 0.2},
        server_groups=[
            {"load_balancer_id": BALANCER},
            {"vserver_group_id": VSERVER_GROUP, "port": stage.vm.port},
        ],
    )
    stage.cloud.spoil("forbidden", "DescribeVServerGroupAttribute")
    stage.vm.start()
    eventually(lambda: stage.cloud.weight == 100)

    (before, done) = stop(stage)

    assert before.code == 0
    assert_let_go(done)
    (line,) = [event for event in done.events if event["message"] == NEVER_IN]
    assert line["groups"] == [f"clb/{VSERVER_GROUP}:{stage.vm.port}"]
    assert stage.cloud.me is None
    assert stage.cloud.writes()[-2:] == ["SetBackendServers", "RemoveBackendServers"]


@pytest.mark.parametrize("agent", [True, False], ids=["agent", "no agent"])
def test_a_call_that_was_not_answered_is_told_of(stage: Stage, agent: bool) -> None:
    """Then the keys were taken away: it is not known what came of the call."""
    stage.cloud.spoil("lost_answer", "AddBackendServers")
    stage.vm.configure(drain=DRAIN)
    running = stage.vm.start()
    eventually(lambda: "AddBackendServers" in stage.cloud.writes())
    stage.cloud.inject(Rule(Refuse("InvalidAccessKeyId.Inactive", 404), action="Describe*"))
    running.kill()
    journal = json.loads((stage.vm.data_dir / "journal.json").read_text())
    for entry in journal["registrations"].values():
        entry["confirmed"] = False  # a read may have come before the keys were taken away
    (stage.vm.data_dir / "journal.json").write_text(json.dumps(journal))
    if agent:
        stage.vm.start()
        eventually(stage.vm.status)

    done = stage.vm.command("drain", "--pre-stop")

    assert_let_go(done)
    assert f"{MAY_BE_IN} clb/{BALANCER}" in done.err


def of_an_earlier_version(journal: Path) -> None:
    document = json.loads(journal.read_text())
    for entry in document["registrations"].values():
        del entry["confirmed"]
    journal.write_text(json.dumps(document))


def damaged(journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[:-40])


@pytest.mark.thorough
@pytest.mark.parametrize("spoil", [of_an_earlier_version, damaged])
@pytest.mark.parametrize("trouble", ["a wrong secret_key", "an invalid configuration"])
def test_a_journal_that_does_not_tell_counts_as_one_that_says_yes(
    stage: Stage, spoil: Callable[[Path], None], trouble: str
) -> None:
    agent = stage.vm.start()
    stage.vm.until("in service")
    agent.terminate()
    spoil(stage.vm.data_dir / "journal.json")
    stage.vm.configure(
        drain={"timeout": 4, "min_wait": 0.2, "on_error": "fail"}, **TROUBLES[trouble](stage)
    )

    assert [done.code for done in stop(stage)] == [1, 1]


@pytest.mark.thorough
@pytest.mark.parametrize("agent", [True, False], ids=["agent", "no agent"])
def test_a_network_that_fails_is_waited_for(stage: Stage, agent: bool) -> None:
    """It says nothing of this VM: someone else may have put it in."""
    stage.vm.configure(
        drain={"timeout": 4, "min_wait": 0.2, "on_error": "fail"}, load_balancer_id=BALANCER
    )
    stage.cloud.inject(Rule(Refuse("ServiceUnavailable", 503), action="[A-Z]*"))
    if agent:
        stage.vm.start()
        eventually(stage.vm.status)

    done = stage.vm.command("drain", "--pre-stop")

    assert done.code == 1
    assert NEVER_IN not in done.err
