"""The readiness port, as a load balancer's health check finds it: in every phase of the agent."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.integration.cloud import ME, TAGS, Cloud
from tests.integration.service import Service
from tests.integration.vm import Vm
from tests.ports import free_port
from tests.waiting import eventually

from mock_slb.core.resources import NORMAL, HealthCheck

HOST = "127.0.0.1"


def with_readiness(vm: Vm, **properties: object) -> int:
    """Configure it; returns the port."""
    port = free_port()
    vm.configure(readiness={"port": port, "address": HOST}, **properties)
    return port


def asked(port: int, method: str = "GET") -> int | None:
    """The answer to a check, None where there is none."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request(method, "/health?from=slb", headers={"Host": "lb.example.com"})
        answer = connection.getresponse()
        assert answer.read() == b""
        return answer.status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@contextmanager
def asking(port: int) -> Iterator[list[tuple[float, int | None]]]:
    """Ask again and again, and note what was answered when."""
    answers: list[tuple[float, int | None]] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.02):
            answers.append((time.monotonic(), asked(port)))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def test_the_answer_in_every_phase(vm: Vm, cloud: Cloud, service: Service) -> None:
    service.healthy = False
    port = with_readiness(vm)
    vm.start()
    eventually(lambda: asked(port) == 503)  # starting, and never healthy
    eventually(lambda: (vm.status() or {"groups": ()})["groups"])
    assert asked(port, "HEAD") == 503

    service.healthy = True
    eventually(lambda: asked(port) == 200)
    vm.until("in service")
    assert asked(port, "HEAD") == 200
    assert f"200 (healthy) on port {port} of {HOST}" in vm.command("status").text

    service.healthy = False
    eventually(lambda: asked(port) == 503)
    assert cloud.weight == 0
    service.healthy = True
    eventually(lambda: asked(port) == 200)

    vm.command("hold")
    assert (asked(port), vm.status()["readiness"]["because"]) == (503, "held")
    vm.command("resume")
    assert asked(port) == 200

    assert vm.command("drain").code == 0
    assert (asked(port), vm.status()["readiness"]["because"]) == (503, "draining")
    vm.command("validate", "--pre-start")
    eventually(lambda: asked(port) == 200)
    said = [event["answer"] for event in vm.events("readiness")]
    assert said == [200, 503, 200, 503, 200, 503, 200]


def test_a_drain_answers_no_at_once_though_the_api_is_down(vm: Vm, cloud: Cloud) -> None:
    port = with_readiness(vm, drain={"timeout": 8})
    vm.start()
    vm.until("in service")
    cloud.go_down()

    draining = vm.begin("drain")
    eventually(lambda: asked(port) == 503)
    assert draining.running
    assert vm.status()["groups"][0]["weight"] == 100
    draining.done()
    cloud.come_back()


def test_a_service_that_fails_is_told_though_the_api_is_down(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    port = with_readiness(vm)
    vm.start()
    vm.until("in service")
    cloud.go_down()

    service.healthy = False
    eventually(lambda: asked(port) == 503)
    service.healthy = True
    eventually(lambda: asked(port) == 200)
    cloud.come_back()


def test_a_vm_that_the_panic_threshold_keeps_answers_yes(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    """CLB sends to nobody where no server passes its check."""
    port = with_readiness(vm, panic_threshold=100)
    vm.start()
    vm.until("in service")

    service.healthy = False
    eventually(lambda: vm.status()["groups"][0]["kept"])
    eventually(lambda: vm.status()["readiness"]["because"] == "unhealthy, and kept in rotation")
    assert (asked(port), cloud.weight) == (200, 100)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_restarted_agent_answers_with_its_last_word_though_it_knows_nothing_yet(
    vm: Vm, cloud: Cloud, service: Service, number: int
) -> None:
    port = with_readiness(vm)
    agent = vm.start()
    vm.until("in service")
    agent.signal(number)
    agent.wait()
    assert asked(port) is None
    cloud.go_down()  # the metadata service, too: it does not learn who it is

    vm.start()
    eventually(lambda: asked(port) is not None)
    assert asked(port) == 200
    eventually(lambda: vm.status() is not None)
    assert (vm.status()["instance_id"], asked(port)) == (None, 200)
    cloud.come_back()


def test_an_agent_that_is_restarted_in_a_drain_never_answers_yes(vm: Vm, cloud: Cloud) -> None:
    port = with_readiness(vm)
    agent = vm.start()
    vm.until("in service")
    agent.kill()
    vm.mark_draining()

    with asking(port) as answers:
        vm.start()
        vm.until("drained")
    assert {answer for _, answer in answers} <= {None, 503}
    assert answers[-1][1] == 503


def test_a_new_start_of_the_job_waits_for_the_service(vm: Vm, service: Service) -> None:
    port = with_readiness(vm)
    agent = vm.start()
    vm.until("in service")
    agent.terminate()
    service.healthy = False
    assert vm.command("validate", "--pre-start").code == 0

    vm.start()
    eventually(lambda: asked(port) is not None)
    assert asked(port) == 503


def test_a_port_that_is_taken_fails_pre_start_and_is_tried_again_by_the_agent(vm: Vm) -> None:
    port = with_readiness(vm)
    with socket.create_server((HOST, port)):
        refused = vm.command("validate", "--pre-start")
        assert refused.code == 1
        assert f"readiness.port: port {port} of {HOST} is in use: give another one" in refused.err

        vm.start()
        vm.until("in service")
        assert "is in use" in vm.status()["readiness"]["error"]
        assert "no health check is answered" in vm.command("status").text
    eventually(lambda: asked(port) == 200)
    assert vm.status()["readiness"]["error"] is None


def test_an_address_of_another_vm_fails_pre_start(vm: Vm) -> None:
    vm.configure(readiness={"port": free_port(), "address": "203.0.113.9"})
    refused = vm.command("validate", "--pre-start")
    assert refused.code == 1
    assert "readiness.address: 203.0.113.9 is no address of this VM" in refused.err


def test_an_agent_that_registers_nothing_answers_nothing(vm: Vm) -> None:
    port = with_readiness(vm, register=False)
    with socket.create_server((HOST, port)):
        assert vm.command("validate", "--pre-start").code == 0
    vm.start()
    vm.until("idle")
    assert asked(port) is None
    assert vm.status()["readiness"] is None


def test_a_vm_that_only_observes_answers_by_its_service_and_changes_nothing(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    cloud.balancer.default_group.add_server(ME, weight=100, description="of another writer")
    port = with_readiness(vm, mode="observe")
    vm.start()
    eventually(lambda: asked(port) == 200)
    service.healthy = False
    eventually(lambda: asked(port) == 503)
    assert (cloud.weight, cloud.writes()) == (100, [])


def test_pre_start_beside_an_agent_that_runs_minds_no_port(vm: Vm) -> None:
    with_readiness(vm)
    vm.start()
    vm.until("in service")
    assert vm.command("validate", "--pre-start").code == 0


@pytest.mark.parametrize("product", ["clb", "alb", "nlb"])
def test_a_load_balancer_that_checks_the_port_sees_what_the_agent_says(
    vm: Vm, cloud: Cloud, product: str
) -> None:
    """It checks another port than the service's, and learns of a drain that no call can tell."""
    port = with_readiness(vm, drain={"timeout": 8}, port=vm.port)
    check = HealthCheck(
        type="http", port=port, interval_seconds=0.1, healthy_threshold=2, unhealthy_threshold=2
    )
    seen = seen_by_clb(cloud, vm, check) if product == "clb" else seen_by(product, cloud, vm, check)
    cloud.probe()
    vm.start()
    eventually(lambda: seen() == (True, 100))

    cloud.go_down()
    vm.begin("drain").done()
    eventually(lambda: seen() == (False, 100))
    cloud.come_back()


Seen = Callable[[], tuple[bool, int] | None]
"""Whether this VM passes a load balancer's check, and its weight; None where it is not there."""


def seen_by_clb(cloud: Cloud, vm: Vm, check: HealthCheck) -> Seen:
    cloud.balancer.add_listener(82, backend_port=vm.port, health_check=check)

    def seen() -> tuple[bool, int] | None:
        (listener,) = (one for one in cloud.balancer.listeners.values() if one.port == 82)
        me = cloud.me
        return None if me is None else (cloud.balancer.health(listener, me) == NORMAL, me.weight)

    return seen


def seen_by(product: str, cloud: Cloud, vm: Vm, check: HealthCheck) -> Seen:
    cloud.account.change_seconds = 0.2
    fleet = getattr(cloud.account, product)
    group = fleet.add_server_group("sgp-bp1web", tags=TAGS, health_check=check)
    balancer = fleet.add_load_balancer(f"{product}-bp1")
    balancer.add_listener(80, server_group="sgp-bp1web")

    def seen() -> tuple[bool, int] | None:
        me, (route,) = group.server(ME, vm.port), balancer.routes()
        return None if me is None else (balancer.health(route, me) == "Normal", me.weight)

    return seen
