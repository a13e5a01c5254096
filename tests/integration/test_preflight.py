"""What is set on a load balancer and would hurt, as the agent tells it, and the next pre-start."""

from __future__ import annotations

import json

from tests.integration.cloud import Cloud
from tests.integration.vm import Vm
from tests.waiting import eventually

from mock_slb.core.resources import HealthCheck

GROUP = "sgp-bp1web"
CODES = ["no_connection_drain", "session_persistence"]


def test_the_agent_tells_once_what_would_hurt_and_pre_start_what_it_knew(
    vm: Vm, cloud: Cloud
) -> None:
    fleet = cloud.account.alb
    group = fleet.add_server_group(GROUP, sticky_seconds=60, health_check=HealthCheck())
    fleet.add_load_balancer("alb-bp1").add_listener(80, server_group=GROUP)
    entry = {"product": "alb", "server_group_id": GROUP, "port": vm.port}
    vm.configure(server_groups=[entry], load_balancer_id=None)
    agent = vm.start()

    def warned() -> list[str]:
        status = vm.status() or {"groups": []}
        return sorted(one["code"] for each in status["groups"] for one in each["warnings"])

    eventually(lambda: warned() == CODES)
    assert vm.command("status").out.count("  warning  ") == 2
    told = vm.events("what is set on a load balancer would hurt")
    assert sorted(event["code"] for event in told) == CODES
    agent.terminate()

    mark = cloud.mark
    started = vm.command("validate", "--pre-start")
    events = [json.loads(line) for line in started.err.splitlines()]
    known = [one["because"] for one in events if "load balancer would hurt" in one["message"]]
    assert (started.code, len(known)) == (0, 2)
    assert cloud.writes(mark) == []

    group.sticky_seconds, group.connection_drain_seconds = None, 60
    vm.start()
    kept = vm.data_dir / "warnings.json"
    eventually(lambda: json.loads(kept.read_text())["warnings"] == [])
    assert warned() == []
