"""Every query of the dashboard, asked of a real Prometheus that scrapes real agents."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.certificates import SERVER_NAME, Authority
from tests.integration.cloud import ACCESS_KEY, ME
from tests.integration.stage import Stage, staged
from tests.monitoring.test_alerts import ALERTS, FIREHOSE, MONITORING
from tests.ports import free_port
from tests.unit.test_metrics import document, parse
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
def prometheus(folder: Path, jobs: list[dict[str, Any]]) -> Iterator[Prometheus]:
    file, port = folder / "prometheus.yml", free_port()
    every_second = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    rules = {"rule_files": [str(ALERTS)]}
    file.write_text(yaml.safe_dump({"global": every_second, **rules, "scrape_configs": jobs}))
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


def with_a_role(stage: Stage) -> dict[str, Any]:
    """An agent with keys that expire; the job that scrapes it."""
    port = free_port()
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


@pytest.mark.thorough
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus (Debian: prometheus) is missing")
def test_every_query_of_the_dashboard_gives_series(tmp_path: Path) -> None:
    with staged() as one, staged() as other:
        jobs = [over_tls(one, tmp_path), with_a_role(other)]
        for stage in (one, other):
            stage.vm.start()
            stage.vm.until("in service")
        one.cloud.balancer.default_group.set_weight(ME, 3)  # a drift to undo
        one.cloud.spoil("throttled", "Describe*", times=2)
        with prometheus(tmp_path, jobs) as asked:
            eventually(lambda: len(asked.series("up == 1")) == 2)
            empty: dict[str, str] = {}

            def all_give_series() -> bool:
                empty.clear()
                empty.update({k: q for k, q in queries().items() if not asked.series(q)})
                return not empty

            with contextlib.suppress(AssertionError):
                eventually(all_give_series)
            assert empty == {}
            rules = asked.get("rules")["groups"][0]["rules"]
            assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
            in_service = 'sum by (state) (slb_registration_state{state="in service"})'
            assert [found["value"][1] for found in asked.series(in_service)] == ["2"]
            assert asked.series('ALERTS{alertstate="firing"}') == []
