"""What the job tells BOSH and operators: post-start, BOSH DNS, the errand, pre-start and logs."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.lifecycle.machine import PATIENCE_SECONDS, Machine, eventually

from demo import cloud
from demo.installation import JOB, logs
from mock_slb.core.resources import ABNORMAL
from mock_slb.gateway.faults import Refuse, Rule

DEAD_API = Rule(Refuse("ServiceUnavailable", 503), action="[A-Z]*")
SHORT = {"timeout": 2}


def test_post_start_needs_no_verdict_of_a_listener_that_does_not_check(machine: Machine) -> None:
    balancer = machine.stage.server.account.load_balancer(cloud.LOAD_BALANCER)
    port = machine.stage.service.port
    balancer.add_listener(8080, "tcp", backend_port=port, health_check=None)
    machine.deploy()
    machine.script("run", "start")

    machine.script("post-start")

    assert "tcp:8080 unavailable" in machine.script("run")


def test_post_start_fails_where_the_load_balancer_does_not_agree_and_names_the_listener(
    machine: Machine,
) -> None:
    machine.stage.server.account.force_health(cloud.OUR_SERVER, ABNORMAL)
    machine.deploy(post_start=SHORT)
    machine.script("run", "start")
    eventually(lambda: machine.weight() == 100)

    done = machine.run("post-start")

    assert done.returncode == 1
    assert f"clb/{cloud.LOAD_BALANCER}: http:80 is abnormal, tcp:443 is abnormal" in done.stderr


def test_post_start_fails_where_the_service_does_and_names_the_group(machine: Machine) -> None:
    machine.stage.service.healthy = False
    machine.deploy(post_start=SHORT)
    machine.script("run", "start")
    eventually(lambda: machine.weight() == 0)

    started = time.monotonic()
    done = machine.run("post-start")

    assert done.returncode == 1
    assert f"clb/{cloud.LOAD_BALANCER}: " in done.stderr
    assert "weight 0" in done.stderr
    assert time.monotonic() - started < PATIENCE_SECONDS  # which the property's default exceeds


def test_post_start_fails_where_the_api_does_and_says_how(machine: Machine) -> None:
    machine.stage.server.faults.add(DEAD_API)
    machine.deploy(post_start=SHORT)
    machine.script("run", "start")
    eventually(lambda: "ServiceUnavailable" in machine.log("agent.stdout"))

    done = machine.run("post-start")

    assert done.returncode == 1
    assert "ServiceUnavailable" in done.stderr


def test_post_start_warns_where_it_is_not_required(machine: Machine) -> None:
    machine.stage.service.healthy = False
    machine.deploy(post_start={**SHORT, "required": False})
    machine.script("run", "start")
    eventually(lambda: machine.weight() == 0)

    done = machine.run("post-start")

    assert done.returncode == 0
    assert f"clb/{cloud.LOAD_BALANCER}: " in done.stderr
    assert "post_start.required is false: going on all the same" in done.stderr


def test_bosh_dns_hears_of_the_service_and_of_draining_but_never_of_slb(machine: Machine) -> None:
    machine.deploy(dns={"enabled": True})
    machine.script("run", "start")
    machine.in_service()
    assert machine.run("dns/healthy").returncode == 0

    machine.stage.server.faults.add(DEAD_API)
    machine.stage.server.account.force_health(cloud.OUR_SERVER, ABNORMAL)
    assert machine.run("dns/healthy").returncode == 0

    machine.stage.service.healthy = False
    eventually(lambda: machine.run("dns/healthy").returncode == 1)
    machine.stage.service.healthy = True
    eventually(lambda: machine.run("dns/healthy").returncode == 0)

    machine.stage.server.faults.clear()
    machine.script("drain")
    assert machine.run("dns/healthy").returncode == 1
    machine.script("run", "stop")
    assert machine.run("dns/healthy").returncode == 1


def test_bosh_dns_hears_nothing_unless_it_is_enabled(machine: Machine) -> None:
    machine.deploy()
    machine.script("run", "start")
    machine.in_service()
    machine.script("drain")

    assert machine.run("dns/healthy").returncode == 0


def test_the_errand_beside_a_service_shows_a_table_and_says_what_is_wrong(
    machine: Machine,
) -> None:
    machine.start()

    well = machine.run("run")
    machine.stage.service.healthy = False
    eventually(lambda: machine.weight() == 0)
    badly = machine.run("run")

    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.splitlines()[0].startswith("SERVER GROUP")
    assert well.stdout.splitlines()[1].split()[:2] == [
        f"clb/{cloud.LOAD_BALANCER}",
        cloud.OUR_SERVER,
    ]
    assert badly.returncode == 1
    assert "FAILED" in badly.stdout
    assert f"{cloud.OUR_SERVER}: the weight is 0 and should be 100" in badly.stderr


def test_the_vm_of_an_errand_judges_all_servers_and_does_not_join_them(machine: Machine) -> None:
    """Its monit jobs run too, and nobody calls pre-stop or drain before it is deleted."""
    machine.deploy(register=False, load_balancer_id=cloud.LOAD_BALANCER)
    machine.script("pre-start")
    machine.start_monit()
    eventually(lambda: machine.agent() is not None)
    machine.script("post-start")

    eventually(lambda: machine.run("run").returncode == 0)
    table = machine.script("run")

    assert [line.split()[1] for line in table.splitlines()[1:]] == list(cloud.OTHER_SERVERS)
    assert machine.weight() is None


def test_pre_start_tells_every_problem_at_once_on_stderr_and_in_the_log(machine: Machine) -> None:
    machine.deploy(
        panic_threshold=200, drain={"method": "hope"}, server_groups=[{"product": "elb"}]
    )

    done = machine.run("pre-start")

    assert done.returncode == 1
    for text in (done.stderr, machine.log("agent.stderr")):
        assert "  panic_threshold: " in text
        assert "  drain.method: " in text
        assert "  server_groups[0].product: " in text


def test_logs_end_in_log_and_go_on_after_copytruncate(machine: Machine) -> None:
    machine.start()
    machine.script("pre-stop")
    path = logs(machine.stage.sandbox) / "agent.stdout.log"
    assert path.stat().st_size > 0
    path.write_text("")

    machine.script("pre-start")
    machine.in_service()

    messages = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    assert "drain ended by an operator or a new start" in messages
    assert {file.suffix for file in path.parent.iterdir()} == {".log"}


def test_no_secret_is_in_a_log_a_command_line_or_an_environment(machine: Machine) -> None:
    machine.start()
    machine.script("run")
    found = list(machine.vm.processes())
    seen = "".join(
        Path(f"/proc/{pid}/{name}").read_text(errors="replace")
        for pid in found
        for name in ("cmdline", "environ")
    )
    machine.script("drain")
    seen += "".join(file.read_text() for file in logs(machine.stage.sandbox).iterdir())

    assert machine.agent() in found
    assert "registered" in seen
    assert machine.stage.keys.secret_key not in seen
    assert machine.stage.keys.access_key not in seen


def test_the_keys_can_be_read_by_root_and_vcap_only(machine: Machine) -> None:
    machine.deploy()

    listed = machine.vm.run("stat", "-c", "%a %G", f"/var/vcap/jobs/{JOB}/config/agent.json")

    assert listed.stdout == "640 vcap\n"
