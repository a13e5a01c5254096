"""The Prometheus metrics, over the socket and on the port that may be opened for them."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections import Counter

import pytest
from tests.integration.cloud import BALANCER, ME, Cloud
from tests.integration.vm import Vm
from tests.ports import free_port
from tests.waiting import eventually

from slb_registration.commands.client import ask

GROUP = f'group="clb/{BALANCER}",product="clb"'
LINE = re.compile(
    r"(# (HELP|TYPE) slb_registration_\w+ .+|slb_registration_\w+(\{.*\})? -?[0-9.e+]+)"
)


def metrics(vm: Vm) -> dict[str, float]:
    page = ask(vm.socket, "GET", "/metrics").decode()
    assert page.endswith("\n")
    assert [line for line in page.splitlines() if not LINE.fullmatch(line)] == []
    samples = [line for line in page.splitlines() if not line.startswith("#")]
    return {
        name.removeprefix("slb_registration_"): float(value)
        for name, _, value in (line.rpartition(" ") for line in samples)
    }


def test_metrics_over_the_socket_follow_the_life_of_the_vm(vm: Vm, cloud: Cloud) -> None:
    vm.start()
    vm.until("in service")
    eventually(lambda: f'listener_normal{{{GROUP},listener="tcp:80"}}' in metrics(vm))

    now = metrics(vm)
    assert now[f"in_service{{{GROUP}}}"] == 1
    assert now[f"weight{{{GROUP}}}"] == 100
    assert now[f'listener_normal{{{GROUP},listener="tcp:80"}}'] == 1
    assert now["draining_since_timestamp_seconds"] == 0
    assert now['api_calls_total{action="AddBackendServers",result="ok"}'] == 1
    assert now["last_successful_call_timestamp_seconds"] > 1.7e9
    (passed,) = [n for n in now if n.startswith("local_checks_total") and 'result="passed"' in n]
    assert now[passed] >= 1

    cloud.balancer.default_group.set_weight(ME, 3)
    eventually(lambda: metrics(vm)[f'drift_repaired_total{{{GROUP},field="weight"}}'] == 1)
    cloud.spoil("bad_gateway", "Describe*", times=1)
    failed = 'result="unavailable"'
    eventually(lambda: [n for n in metrics(vm) if n.startswith("api_calls") and failed in n])
    vm.command("hold")
    eventually(lambda: metrics(vm)["held_since_timestamp_seconds"] > 1.7e9)
    vm.command("resume")
    eventually(lambda: metrics(vm)["held_since_timestamp_seconds"] == 0)
    vm.command("drain")

    now = metrics(vm)
    assert now[f"in_service{{{GROUP}}}"] == 0
    assert now[f"weight{{{GROUP}}}"] == -1
    assert now["draining_since_timestamp_seconds"] > 1.7e9


def test_a_port_that_is_taken_keeps_no_vm_out_of_service(vm: Vm) -> None:
    # Found on a VM: the agent ended at every start, and the deploy with it.
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        vm.configure(metrics={"port": port})
        vm.start()
        vm.until("in service")
        (event,) = vm.events("metrics are on the agent's socket only")
        place = f"metrics.port: cannot listen on 127.0.0.1:{port}"
        assert event["because"] == f"{place}: Address already in use"
        assert "in_service" in str(metrics(vm))


def test_a_certificate_that_goes_wrong_keeps_no_vm_out_of_service(vm: Vm) -> None:
    vm.configure(metrics={"port": free_port(), "address": "0.0.0.0"})
    rendered = json.loads(vm.config.read_text())
    names = ("certificate", "private_key", "ca")
    rendered["metrics_tls"] = {name: str(vm.folder / f"{name}.pem") for name in names}
    vm.config.write_text(json.dumps(rendered))

    vm.start()
    vm.until("in service")

    (event,) = vm.events("metrics are on the agent's socket only")
    place = f"metrics.tls.certificate: {vm.folder / 'certificate.pem'}"
    assert event["because"] == f"{place}: No such file or directory"
    assert "in_service" in str(metrics(vm))


def test_debug_logs_the_calls_that_are_counted(vm: Vm) -> None:
    vm.configure(log={"level": "debug"})
    vm.start()
    vm.until("in service")
    vm.mark_draining()
    vm.until("drained")

    logged = Counter((event["action"], event["result"]) for event in vm.events("API call"))
    counted = metrics(vm)
    for action in ("AddBackendServers", "SetBackendServers", "RemoveBackendServers"):
        number = counted[f'api_calls_total{{action="{action}",result="ok"}}']
        assert logged[action, "ok"] == number >= 1
    assert logged["DescribeLoadBalancerAttribute", "ok"] >= 1


def test_the_port_serves_the_metrics_and_nothing_else_and_on_loopback_only(vm: Vm) -> None:
    port = free_port()
    vm.configure(metrics={"port": port})
    vm.start()
    eventually(lambda: vm.events("agent started"))

    def get(path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    status, page = get("/metrics")
    assert (status, "slb_registration_api_calls_total" in page) == (200, True)
    assert get("/metrics", "HEAD") == (200, "")
    for path in ("/status", "/healthz", "/"):
        assert get(path)[0] == 404
    for order in ("/drain", "/hold", "/resume", "/metrics"):
        assert get(order, "POST")[0] == 404
    # Another address of this machine: open only where all addresses are listened on.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=20).close()
    assert vm.status()["drain"] is None


@pytest.mark.parametrize(
    ("properties", "result", "repair"),
    [
        ({"secret_key": "wRoNgWrOnGwRoNgWrOnGwRoNgWrOnG"}, "denied", 1),
        ({"discovery": {"tags": {"bosh-deployment": "nobody-has-this"}}}, "ok", 0),
    ],
    ids=["a wrong key", "tags that match nothing"],
)
def test_what_an_alert_is_made_of_is_there_although_nothing_is_joined(
    vm: Vm, properties: dict[str, object], result: str, repair: int
) -> None:
    vm.configure(**properties)
    vm.start()
    eventually(lambda: vm.status() is not None)
    asked = f'api_calls_total{{action="DescribeLoadBalancers",result="{result}"}}'
    eventually(lambda: metrics(vm).get(asked))
    eventually(lambda: metrics(vm)["needs_repair"] == repair)

    now = metrics(vm)

    assert now["groups_wanted"] == now["groups_in_service"] == 0
    assert now['state{state="in service"}'] == 0
    assert sum(number for name, number in now.items() if name.startswith("state{")) == 1
    taken = f'product="clb",action="DescribeLoadBalancers",result="{result}"'
    assert now[f"api_call_duration_seconds_count{{{taken}}}"] >= 1


def test_a_group_that_cannot_be_read_has_its_series(vm: Vm, cloud: Cloud) -> None:
    cloud.spoil("forbidden", "DescribeLoadBalancerAttribute")
    vm.configure(load_balancer_id=BALANCER)
    vm.start()
    eventually(lambda: (vm.status() or {"groups": []})["groups"])
    eventually(lambda: metrics(vm)["needs_repair"] == 1)
    eventually(lambda: metrics(vm)[f"wanted_weight{{{GROUP}}}"] == 100)

    now = metrics(vm)

    assert (now["groups_wanted"], now["groups_in_service"]) == (1, 0)
    assert now[f"weight{{{GROUP}}}"] == -1
    assert now[f"last_read_timestamp_seconds{{{GROUP}}}"] > 1.7e9
    assert now[f"last_successful_read_timestamp_seconds{{{GROUP}}}"] == 0
