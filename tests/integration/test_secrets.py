"""No key is ever seen outside of the one file that holds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from tests.integration.cloud import ACCESS_KEY, SECRET_KEY, Cloud
from tests.integration.service import Service
from tests.integration.test_faults import API
from tests.integration.vm import Vm, processes_below
from tests.waiting import eventually

from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Refuse, Rule
from slb_registration.commands.client import ask

TOKEN = "CAIS/token+of=the&Test%20=="
# What the environment must not be able to change, or to make the SDK print.
HOSTILE = {
    "DEBUG": "sdk",
    "ALIYUN_ACCESS_KEY_ID": "another-key",
    "ALIYUN_ACCESS_KEY_SECRET": "another-secret",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "another-key",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "another-secret",
    "http_proxy": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "REQUESTS_CA_BUNDLE": "/nowhere",
}


def forms(secret: str) -> set[str]:
    """How it may be written."""
    once = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return once | {quote(form, safe="") for form in once}


FORBIDDEN = {*forms(SECRET_KEY), *forms(TOKEN), ACCESS_KEY, "Signature=", "Signature%3D"}


class Watcher:
    """Looks again and again at what everybody on the VM can see of our processes."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self.seen: set[str] = set()
        self.processes: set[int] = set()
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.02):
            for started in self._vm.living:
                for pid in processes_below(started):
                    self._look(pid)

    def stop(self) -> None:
        self._end.set()

    def _look(self, pid: int) -> None:
        for name in ("cmdline", "environ"):
            try:
                text = (Path("/proc") / str(pid) / name).read_text(errors="replace")
            except OSError:
                continue
            self.processes.add(pid)
            self.seen.add(text)


@contextmanager
def watching(vm: Vm) -> Iterator[Watcher]:
    watcher = Watcher(vm)
    thread = threading.Thread(target=watcher.run)
    thread.start()
    try:
        yield watcher
    finally:
        watcher.stop()
        thread.join()


ECHO = Rule(
    Refuse(
        "InvalidParameter",
        503,
        f"https://slb.aliyuncs.com/?AccessKeyId={ACCESS_KEY}&SecurityToken={quote(TOKEN, safe='')}"
        f"&Signature=c2lnbmVk and {TOKEN}",
    ),
    API,
    name="an answer that repeats the request",
)


def test_over_a_whole_life_with_failures_no_key_is_seen_anywhere(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    cloud.account.add_key(ACCESS_KEY, SECRET_KEY, security_token=TOKEN)
    script = vm.folder / "check.sh"
    script.write_text(f"#!/bin/sh\nenv >{vm.logs}/script.log\ntest ! -e {vm.folder}/ill\n")
    script.chmod(0o755)
    vm.environment.update(HOSTILE)
    vm.configure(
        security_token=TOKEN,
        log={"level": "debug"},
        health_check={"type": "script", "script": str(script), "port": None, "path": None},
    )
    said: list[str] = []

    def look() -> None:
        said.append(vm.command("status").out)
        said.append(vm.command("status", "--json").out)
        said.append(ask(vm.socket, "GET", "/metrics").decode())

    with watching(vm) as watcher:
        cloud.account.add_key(ACCESS_KEY, "another", security_token=TOKEN)
        agent = vm.start()
        vm.until("failing")
        vm.command("check")
        look()
        agent.terminate()

        cloud.account.add_key(ACCESS_KEY, SECRET_KEY, security_token=TOKEN)
        cloud.inject(preset("reset", API, times=2))
        vm.start()
        vm.until("in service")
        for rule in (ECHO, *(preset(n, API) for n in ("bad_gateway", "truncated", "not_utf8"))):
            cloud.inject(rule)
            (vm.folder / "ill").touch()  # a changed answer is acted on at once
            eventually(lambda: vm.status()["groups"][0]["last_error"])
            look()
            cloud.mend()
            eventually(lambda: cloud.weight == 0)
            (vm.folder / "ill").unlink()
            eventually(lambda: cloud.weight == 100)
        vm.command("hold")
        vm.command("resume")
        vm.command("drain")
        vm.command("healthy")
        look()

    assert len(watcher.processes) >= 10
    assert any("slb_registration" in text for text in watcher.seen)
    assert any("InvalidParameter (HTTP 503)" in text for text in said)
    everywhere = {
        "printed or logged": vm.output(),
        "status and metrics": "".join(said),
        "arguments and environments": "".join(watcher.seen),
        "files for everybody": "".join(p.read_text() for p in vm.readable_by_all()),
        "the journal": (vm.data_dir / "journal.json").read_text(),
    }
    found = [
        (place, secret)
        for place, text in everywhere.items()
        for secret in FORBIDDEN
        if secret in text.replace("Signature=[redacted]", "")
    ]
    assert found == []


@pytest.mark.parametrize("what", ["secret_key", "security_token"])
def test_a_refused_configuration_does_not_repeat_a_key(vm: Vm, what: str) -> None:
    vm.configure(**{what: f"{SECRET_KEY} "}, region=SECRET_KEY)

    done = vm.command("validate", "--log-file", str(vm.logs / "both.log"))

    assert (done.code, f"  {what}: " in done.err) == (1, True)
    assert not any(form in vm.output() for form in forms(SECRET_KEY))
