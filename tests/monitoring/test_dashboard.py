"""Every query of the dashboard, asked of a real Prometheus that scrapes real agents."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.certificates import SERVER_NAME, Authority
from tests.integration.cloud import ACCESS_KEY, ME
from tests.integration.stage import Stage, staged
from tests.monitoring.test_alerts import ALERTS, FIREHOSE, MONITORING
from tests.monitoring.vms import through_the_firehose
from tests.ports import free_port
from tests.unit.reporting.test_metrics import document, parse
from tests.waiting import eventually

from slb_registration.cloud.call_counter import CallCounter
from slb_registration.reporting.metrics import exposition

DASHBOARD = MONITORING / "slb-registration.dashboard.json"
PROMETHEUS = shutil.which("prometheus")
ROLE = "slb-registration"
IN_GRAFANA = {"$deployment": ".*", "$instance_group": ".*", "$__rate_interval": "10s"}
"""What Grafana puts in; the interval is 15 s or more there, four scrapes at least."""


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> dict[str, str]:
    """By their panel and letter."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel.get("targets", ())
    }


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\bslb_registration_\w+", text))


def test_the_panels_stand_beside_and_below_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_all_that_alerts_and_dashboard_ask_for_comes_through_the_firehose_too() -> None:
    (group,) = yaml.safe_load(FIREHOSE.read_text())["groups"]
    recorded = [rule["record"] for rule in group["rules"]]
    _, series = parse(exposition(document(), CallCounter(lambda: 1.0)))

    asked = names_in(ALERTS.read_text()) | names_in("".join(queries().values()))
    assert asked - set(recorded) == set()
    assert len(recorded) == len(set(recorded))
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in recorded} == set(series)


class Prometheus:
    """One that is started by itself; asked over its API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{query}", timeout=20) as answer:
            document = json.load(answer)
        assert document["status"] == "success", document
        data: dict[str, Any] = document["data"]
        return data

    def series(self, expression: str) -> list[dict[str, Any]]:
        for name, value in IN_GRAFANA.items():
            expression = expression.replace(name, value)
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found


@contextlib.contextmanager
def prometheus(folder: Path, jobs: list[dict[str, Any]], rules: list[Path]) -> Iterator[Prometheus]:
    file, port = folder / "prometheus.yml", free_port()
    every_second = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    document = {
        "global": every_second,
        "rule_files": [str(rule) for rule in rules],
        "scrape_configs": jobs,
    }
    file.write_text(yaml.safe_dump(document))
    line = [str(PROMETHEUS), f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    line += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen(line, cwd=folder)
    try:
        asked = Prometheus(f"http://127.0.0.1:{port}")
        eventually(_answers(lambda: asked.get("query", query="vector(1)")))
        yield asked
    finally:
        process.terminate()
        process.wait(30)


def _answers(ask: Callable[[], object]) -> Callable[[], object]:
    def asked() -> object:
        with contextlib.suppress(OSError):
            return ask()
        return None

    return asked


def a_job(name: str, port: int, **more: object) -> dict[str, Any]:
    labels = {"bosh_deployment": "shop", "bosh_job_name": "srt"}
    static = {"targets": [f"127.0.0.1:{port}"], "labels": labels}
    own = {"target_label": "job", "replacement": "slb-registration"}
    return {"job_name": name, "static_configs": [static], "relabel_configs": [own], **more}


def over_tls(stage: Stage, folder: Path) -> dict[str, Any]:
    """An agent that answers who shows a certificate; the job that scrapes it."""
    authority, port = Authority(folder, "ca"), free_port()
    server, scraper = authority.sign(SERVER_NAME, "serverAuth"), authority.sign("p", "clientAuth")
    stage.vm.configure(
        metrics={"port": port, "address": "0.0.0.0"},
        readiness={"port": free_port(), "address": "127.0.0.1"},
    )
    rendered = json.loads(stage.vm.config.read_text())
    rendered["metrics_tls"] = {
        "certificate": str(server.certificate),
        "private_key": str(server.private_key),
        "ca": str(authority.certificate),
    }
    stage.vm.config.write_text(json.dumps(rendered))
    tls = {
        "ca_file": str(authority.certificate), "server_name": SERVER_NAME,
        "cert_file": str(scraper.certificate), "key_file": str(scraper.private_key),
    }  # fmt: skip
    return a_job("over TLS", port, scheme="https", tls_config=tls)


def with_a_role(stage: Stage, port: int | None = None) -> dict[str, Any]:
    """An agent with keys that expire; the job that scrapes it."""
    port = port or free_port()
    stage.cloud.account.add_role(ROLE)
    stage.cloud.account.remove_key(ACCESS_KEY)
    endpoints = dict.fromkeys(("slb", "alb", "nlb", "metadata"), stage.cloud.url)
    stage.vm.configure(
        access_key=None,
        secret_key=None,
        credential_source="ecs_ram_role",
        endpoints=endpoints,
        metrics={"port": port},
    )
    return a_job("in clear", port)


@contextlib.contextmanager
def firehose(ports: dict[str, int]) -> Iterator[dict[str, Any]]:
    """What firehose_exporter has of agents, by their ids; the job that scrapes it.

    It plays what Prometheus would add, as well.
    """

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "".join(_as_exported(instance, port) for instance, port in ports.items())
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        target = {"targets": [f"127.0.0.1:{server.server_port}"]}
        yield {"job_name": "firehose", "honor_labels": True, "static_configs": [target]}
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _as_exported(instance: str, port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        page = answer.read().decode()
    around = f'instance="{instance}",bosh_deployment="shop",bosh_job_name="srt"'
    series = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            key, _, value = line.rpartition(" ")
            name, _, labels = key.partition("{")
            series[f"{name}{{{around},{labels or '}'}"] = value
    told = through_the_firehose(series, retro_compat=True)
    return "".join(f"{key} {value}\n" for key, value in told.items())


def misfortunes(stage: Stage) -> None:
    """A drift to undo, and calls that are refused: they have series of their own."""
    stage.cloud.balancer.default_group.set_weight(ME, 3)
    stage.cloud.spoil("throttled", "Describe*", times=2)


def check_dashboard(asked: Prometheus) -> None:
    empty: dict[str, str] = {}

    def all_give_series() -> bool:
        empty.clear()
        empty.update({name: text for name, text in queries().items() if not asked.series(text)})
        return not empty

    with contextlib.suppress(AssertionError):
        eventually(all_give_series)
    assert empty == {}
    rules = [rule for group in asked.get("rules")["groups"] for rule in group["rules"]]
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
    in_service = 'sum by (state) (slb_registration_state{state="in service"})'
    eventually(lambda: [found["value"][1] for found in asked.series(in_service)] == ["2"])
    assert asked.series('ALERTS{alertstate="firing"}') == []


needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None, reason="prometheus (Debian: prometheus) is missing"
)


@pytest.mark.thorough
@needs_prometheus
def test_every_query_of_the_dashboard_gives_series(tmp_path: Path) -> None:
    with staged() as one, staged() as other:
        jobs = [over_tls(one, tmp_path), with_a_role(other)]
        for stage in (one, other):
            stage.vm.start()
            stage.vm.until("in service")
        misfortunes(one)
        with prometheus(tmp_path, jobs, [ALERTS]) as asked:
            eventually(lambda: len(asked.series("up == 1")) == 2)
            check_dashboard(asked)


@pytest.mark.thorough
@needs_prometheus
def test_every_query_of_the_dashboard_gives_series_through_the_firehose(tmp_path: Path) -> None:
    with staged() as one, staged() as other:
        ports = {"one": free_port(), "other": free_port()}
        one.vm.configure(
            metrics={"port": ports["one"]},
            readiness={"port": free_port(), "address": "127.0.0.1"},
        )
        with_a_role(other, ports["other"])
        for stage in (one, other):
            stage.vm.start()
            stage.vm.until("in service")
        misfortunes(one)
        with firehose(ports) as job, prometheus(tmp_path, [job], [FIREHOSE, ALERTS]) as asked:
            check_dashboard(asked)
