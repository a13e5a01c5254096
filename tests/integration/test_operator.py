"""The commands of operators and of BOSH: hold, resume, status, check, orphans, wait, healthy and
validate."""

from __future__ import annotations

import json

import pytest
from tests.integration.cloud import BALANCER, DRAIN, ME, OTHERS, REGION, Cloud
from tests.integration.service import Service
from tests.integration.vm import SPEC_ID, Vm
from tests.waiting import eventually

from mock_slb.gateway.faults import Delay, Rule
from slb_registration.commands.cli import CLEAR_NO
from slb_registration.config.link import IGNORED

COMMANDS = ["run", "check", "orphans", "drain", "validate"]


def test_hold_keeps_the_vm_at_weight_0_across_restarts_until_resume(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start()
    vm.until("in service")

    held = vm.command("hold")
    assert (held.code, held.out, cloud.weight) == (0, "", 0)
    assert vm.status()["state"] == "held"
    assert "resume puts it back" in vm.command("status").text

    agent.kill()
    mark = cloud.mark
    agent = vm.start()
    vm.until("held")
    eventually(lambda: cloud.reads(mark) >= 2)
    assert (cloud.weight, cloud.writes(mark)) == (0, [])

    resumed = vm.command("resume")
    assert (resumed.code, resumed.out, cloud.weight) == (0, "", 100)
    agent.terminate()
    vm.start()
    vm.until("in service")


def test_a_new_start_of_the_job_does_not_end_a_hold(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start()
    vm.until("in service")
    vm.command("hold")
    agent.terminate()

    vm.command("validate", "--pre-start")
    vm.start()
    vm.until("held")

    assert cloud.weight == 0


def test_hold_without_an_agent_counts_from_its_next_start(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start()
    vm.until("in service")
    agent.terminate()

    held = vm.command("hold")
    assert (held.code, "it will hold this VM when it starts" in held.err) == (1, True)
    assert cloud.weight == 100
    vm.start()
    eventually(lambda: cloud.weight == 0)

    vm.until("held")


def test_a_hold_ends_by_itself_across_restarts_and_says_why_it_was(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start()
    vm.until("in service")
    held = vm.command("hold", "--for", "1d", "--reason", "kernel update")
    assert (held.code, held.out, cloud.weight) == (0, "", 0)
    document = vm.status() or {}
    assert document["held_until_seconds"] - document["held_since_seconds"] == 86400
    table = vm.command("status").text
    assert f"until {document['held_until']}, or resume; reason: kernel update" in table

    assert vm.command("hold", "--for", "3s", "--reason", "only a moment").code == 0
    agent.kill()
    vm.start()
    vm.until("in service")

    assert cloud.weight == 100
    (ended,) = vm.events("the hold has ended by itself")
    assert ended["reason"] == "only a moment"
    assert not (vm.data_dir / "hold").exists()
    assert (vm.status() or {})["held_until"] is None


@pytest.mark.thorough
@pytest.mark.parametrize("named", [True, False])
def test_a_hold_that_is_not_seen_is_not_said_to_be_done(vm: Vm, cloud: Cloud, named: bool) -> None:
    """The VM is in rotation, put there by someone else, and nothing of that can be read."""
    cloud.balancer.default_group.add_server(ME, weight=100)
    cloud.spoil("unavailable", "[A-Z]*")
    vm.configure(post_start={"timeout": 3}, **({"load_balancer_id": BALANCER} if named else {}))
    vm.start()
    eventually(lambda: (vm.status() or {"instance_id": None})["instance_id"])

    held, started = vm.command("hold"), vm.command("wait")

    assert (held.code, started.code, cloud.weight) == (1, 1, 100)
    assert "ServiceUnavailable" in held.err
    assert "held out of rotation" not in started.err
    cloud.mend()
    eventually(lambda: cloud.weight == 0)
    assert (vm.command("hold").code, vm.command("wait").code) == (0, 0)


def test_a_held_vm_can_be_drained_and_stays_out(vm: Vm, cloud: Cloud) -> None:
    vm.start()
    vm.until("in service")
    vm.command("hold")

    assert vm.command("drain").code == 0
    assert cloud.me is None

    vm.command("validate", "--pre-start")  # ends the drain, not the hold
    vm.until("held")
    assert cloud.weight in (None, 0)


def test_status_is_a_table_for_a_person_and_json_for_programs(vm: Vm, cloud: Cloud) -> None:
    vm.start()
    vm.until("in service")
    eventually(lambda: vm.status()["groups"][0]["health"])

    table = vm.command("status")
    document = json.loads(vm.command("status", "--json").out)

    assert table.code == 0
    lines = table.out.splitlines()
    assert lines[0].split() == ["state", "in", "service"]
    assert lines[1].split() == ["instance", ME, "in", REGION]
    block = lines[lines.index(f"clb/{BALANCER}") :]
    labels = [line.split()[0] for line in block if line.startswith("  ") and line[2] != " "]
    assert labels[:7] == [
        "state", "weight", "health", "changed", "read", "next", "calls",
    ]  # fmt: skip
    assert block[2] == "  weight   100 of 100"
    assert "tcp:80 normal" in block[3]
    assert max(map(len, lines)) <= 80
    assert document["state"] == "in service"
    assert document["local_checks"][0]["health"] == "healthy"
    (group,) = document["groups"]
    assert (group["state"], group["weight"], group["in_service"]) == ("in service", 100, True)
    assert group["last_error"] is None
    assert group["last_change"].endswith("Z")
    made = [c for c in cloud.since(0) if c.action != "DescribeLoadBalancers"]
    assert 0 < group["calls"] <= len(made)


def test_status_tells_the_last_error_of_a_group(vm: Vm, cloud: Cloud) -> None:
    vm.start()
    vm.until("in service")
    cloud.spoil("forbidden", "DescribeLoadBalancerAttribute")

    eventually(lambda: vm.status()["groups"][0]["last_error"])
    told = vm.command("status").text

    assert "because DescribeLoadBalancerAttribute: Forbidden (HTTP 403)" in told
    assert 'add "slb:DescribeLoadBalancerAttribute" to the RAM policy' in told


def test_status_without_an_agent_says_so_in_one_line(vm: Vm) -> None:
    done = vm.command("status")

    assert (done.code, done.out) == (1, "")
    assert f"no agent answers on {vm.socket}" in done.err
    assert len(done.err.splitlines()) == 1


def test_check_prints_a_table_and_succeeds_where_all_is_as_it_should_be(
    vm: Vm, cloud: Cloud
) -> None:
    balancer = cloud.account.add_load_balancer("lb-bp1other")
    other = balancer.add_vserver_group("rsp-bp1other")
    balancer.add_listener(80, vserver_group=other.id, **DRAIN)
    vm.configure(
        server_groups=[
            {"load_balancer_id": BALANCER},
            {"vserver_group_id": other.id, "port": vm.port, "weight": 60},
        ]
    )
    vm.start()
    vm.until("in service")
    mark = cloud.mark

    done = vm.command("check")

    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split() == ["SERVER", "GROUP", "SERVER", "PORT", "WEIGHT", "HEALTH", "RESULT"]
    assert lines[1].split() == [f"clb/{BALANCER}", ME, "-", "100", "tcp:80", "normal", "ok"]
    group, server, port, weight, *rest = lines[2].split()
    assert (group, server) == (f"clb/{other.id}:{vm.port}", ME)
    assert (port, weight, rest[-1]) == (str(vm.port), "60", "ok")
    assert cloud.writes(mark) == []


def test_check_asks_slb_and_not_the_agent_and_says_what_is_wrong(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start()
    vm.until("in service")
    agent.terminate()
    group = cloud.balancer.default_group

    def told() -> str:
        done = vm.command("check")
        assert (done.code, "FAILED" in done.out) == (1, True)
        (line,) = done.err.splitlines()
        return line.removeprefix(f"clb/{BALANCER}, {ME}: ")

    cloud.account.force_health(ME, "abnormal")
    assert told() == "SLB reports it as abnormal on tcp:80"
    group.set_weight(ME, 20)
    assert told() == "the weight is 20 and should be 100"
    group.remove_server(ME)
    assert told() == "this VM is not registered"
    cloud.spoil("forbidden", "DescribeHealthStatus")
    assert 'add "slb:DescribeHealthStatus" to the RAM policy' in told()


def test_with_register_false_the_agent_idles_and_check_judges_every_server(
    vm: Vm, cloud: Cloud
) -> None:
    vm.configure(register=False, load_balancer_id=BALANCER)
    vm.start()
    vm.until("idle")

    done = vm.command("check")
    assert (done.code, cloud.me) == (0, None)
    assert [line.split()[1] for line in done.out.splitlines()[1:]] == [*OTHERS]
    assert vm.command("wait").code == 0

    cloud.vserver_group.remove_server("i-bp1second", port=vm.port)
    cloud.account.force_health("i-bp1second", "abnormal")
    cloud.balancer.default_group.set_weight("i-bp1first", 0)
    done = vm.command("check")
    assert done.code == 1
    assert f"clb/{BALANCER}, i-bp1first: the weight is 0\n" in done.err
    assert f"clb/{BALANCER}, i-bp1second: SLB reports it as abnormal on tcp:80\n" in done.err
    assert cloud.writes() == []


def test_with_register_false_check_finds_the_groups_by_their_tags(vm: Vm, cloud: Cloud) -> None:
    vm.configure(register=False)

    done = vm.command("check")

    assert done.code == 0
    assert len(done.out.splitlines()) == 1 + len(OTHERS)


def test_orphans_are_listed_and_removed_beside_an_agent_that_is_not_disturbed(
    vm: Vm, cloud: Cloud
) -> None:
    group = cloud.account.nlb.add_server_group("sgp-bp1web")
    cloud.account.add_instance("i-bp1gone", private_ip="192.168.77.7")
    group.add_server("i-bp1gone", port=vm.port, description="bosh/0f0f-1")
    vm.configure(
        endpoints={"ecs": vm.url},
        server_groups=[
            {"load_balancer_id": BALANCER},
            {"product": "nlb", "server_group_id": group.id, "port": vm.port},
        ],
    )
    agent = vm.start()
    vm.until("in service")
    cloud.account.release_instance("i-bp1gone")
    mark, others = cloud.mark, cloud.others()

    listed = vm.command("orphans")

    assert (listed.code, "--remove i-bp1gone" in listed.out) == (1, True)
    assert max(map(len, listed.out.splitlines())) <= 80
    removed = vm.command("orphans", "--remove", "i-bp1gone", "--json")
    (entry,) = json.loads(removed.out)["entries"]
    assert (removed.code, entry["server_group"], entry["removed"]) == (0, "nlb/sgp-bp1web", True)
    assert [one.server_id for one in group.servers()] == [ME]
    assert vm.command("orphans").code == 0
    assert (cloud.writes(mark), cloud.others(), agent.running) == ([], others, True)
    assert vm.status()["state"] == "in service"


def test_wait_succeeds_once_the_vm_is_in_service_and_normal(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    service.healthy = False
    vm.start()
    waiting = vm.begin("wait")
    eventually(lambda: cloud.weight == 0)
    vm.until("not in service")
    assert waiting.running

    service.healthy = True
    done = waiting.done()

    assert (done.code, cloud.weight) == (0, 100)
    assert done.events[-1]["message"] == "in service in every server group"


def test_wait_does_not_take_silence_for_service(vm: Vm, cloud: Cloud) -> None:
    cloud.account.force_health(ME, "abnormal")
    vm.configure(post_start={"timeout": 3})
    vm.start()
    vm.until("in service")

    done = vm.command("wait")

    assert done.code == 1
    assert done.events[-1]["level"] == "error"
    assert done.events[-1]["because"].startswith(f"clb/{BALANCER}: tcp:80 is abnormal; ")


def test_wait_does_not_take_a_health_that_was_not_read_yet_for_a_good_one(
    vm: Vm, cloud: Cloud
) -> None:
    vm.configure(post_start={"timeout": 4})
    agent = vm.start()
    vm.until("in service")
    agent.terminate()
    cloud.account.force_health(ME, "abnormal")
    cloud.inject(Rule(Delay(20), "DescribeHealthStatus"))
    vm.start()
    vm.until("in service")

    done = vm.command("wait")

    assert done.code == 1


def test_wait_that_is_not_required_warns_and_lets_the_deploy_pass(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    service.healthy = False
    vm.configure(post_start={"timeout": 1, "required": False})
    vm.start()

    done = vm.command("wait")

    assert done.code == 0
    last = done.events[-1]
    assert (last["level"], last["message"]) == (
        "warning",
        "post_start.required is false: going on all the same",
    )


def test_wait_without_an_agent_ends_in_time(vm: Vm) -> None:
    vm.configure(post_start={"timeout": 1})

    done = vm.command("wait")

    assert (done.code, "no agent answers" in done.err) == (1, True)


def test_healthy_speaks_of_the_local_check_and_of_draining_only(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    vm.configure(dns={"enabled": True})
    assert vm.command("healthy").code == 0  # no agent is no reason
    vm.start()
    vm.until("in service")
    cloud.account.force_health(ME, "abnormal")
    assert vm.command("healthy").code == 0

    service.healthy = False
    vm.until("not in service")
    assert vm.command("healthy").code == CLEAR_NO
    service.healthy = True
    vm.until("in service")
    assert vm.command("healthy").code == 0
    vm.command("drain")
    assert vm.command("healthy").code == CLEAR_NO


def test_healthy_is_off_by_default(vm: Vm, service: Service) -> None:
    service.healthy = False
    vm.start()
    vm.until("not in service")

    assert vm.command("healthy").code == 0


def test_validate_succeeds_and_leaves_a_drain_alone(vm: Vm) -> None:
    (vm.data_dir / "draining").write_text("1\n")

    done = vm.command("validate")

    assert (done.code, done.out) == (0, "")
    assert (vm.data_dir / "draining").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_refuse_a_wrong_configuration_with_every_problem_at_once(
    vm: Vm, cloud: Cloud, name: str
) -> None:
    vm.render(
        {**vm.given, "secret_key": " padded", "weigth": 3, "drain": {"timeout": "60"}}, id=SPEC_ID
    )

    done = vm.command(name, "--log-file", str(vm.logs / "both.log"))

    # This VM never got in, so a wrong configuration does not keep it from being stopped.
    assert (done.code, done.out) == (0 if name == "drain" else 1, "")
    assert done.err.startswith(f"{vm.config} cannot be used:\n")
    for property in ("secret_key", "weigth", "drain.timeout"):
        assert f"  {property}: " in done.err
    assert (vm.logs / "both.log").read_text() == done.err
    assert cloud.calls == []


def test_the_status_tells_where_port_and_path_come_from(vm: Vm) -> None:
    vm.configure(health_check={"path": None, "type": None})
    document = json.loads(vm.config.read_text())
    document["link"] = {"given_by": "this_vm", "port": vm.port, "health_check": {"path": "/health"}}
    vm.config.write_text(json.dumps(document))
    vm.start()
    eventually(vm.status)

    said = vm.command("status").text

    assert f"port {vm.port} (link slb-backend, of a job on this VM) " in said
    assert "path /health (link slb-backend, of a job on this VM) " in said


def test_the_status_tells_of_a_link_that_is_not_used(vm: Vm) -> None:
    document = json.loads(vm.config.read_text())
    document["link"] = {"given_by": "other_vms"}
    vm.config.write_text(json.dumps(document))
    vm.start()
    eventually(vm.status)

    said = vm.command("status").text

    assert "port each server group's own (default) " in said
    assert f"link {IGNORED} " in said


def test_what_cannot_be_asked_takes_no_instance_out_of_dns(vm: Vm) -> None:
    vm.config.write_text("{")

    done = vm.command("healthy")

    assert (done.code, "cannot be used" in done.err) == (0, True)


def test_a_configuration_that_is_not_there_is_said_in_one_line(vm: Vm) -> None:
    vm.config.unlink()

    done = vm.command("run")

    assert done.code == 1
    assert f"{vm.config}: cannot be read: No such file or directory" in done.err


def test_a_wrong_command_line_exits_with_2(vm: Vm) -> None:
    assert vm.command("serve").code == 2


def test_the_log_file_gets_the_lines_of_a_command_too(vm: Vm, cloud: Cloud) -> None:
    done = vm.command("drain", "--log-file", str(vm.logs / "drain.log"))

    assert done.err
    assert (vm.logs / "drain.log").read_text() == done.err


def test_a_log_file_that_cannot_be_written_stops_no_drain(vm: Vm, cloud: Cloud) -> None:
    vm.start()
    vm.until("in service")

    done = vm.command("drain", "--log-file", str(vm.folder / "nowhere" / "drain.log"))

    assert (done.code, cloud.me) == (0, None)
