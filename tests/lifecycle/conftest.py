"""A private /var/vcap with the rendered job in it; skipped where namespaces or Ruby are missing.

Tests of a `machine` (monit and a load balancer) run side by side: they mostly wait. Each has one of
its own, made in the thread in which the test runs.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import pytest

from demo import interpreter, workshop
from demo.compilation import compile_all, unpack
from demo.installation import install
from demo.sandbox import Sandbox, SandboxError, private_vcap
from demo.vm import Vm, booted

from .machine import KEYS, MONIT, Machine, Render, powered

AT_ONCE = 6
HERE = Path(__file__).parent
ENDS = pytest.StashKey[dict[str, "Future[None]"]]()

PowerOn = Callable[[], AbstractContextManager[Machine]]


@pytest.fixture(scope="session")
def python() -> interpreter.Interpreter:
    """Return the interpreter, where all that a sandbox needs is there."""
    if shutil.which("ruby") is None:
        pytest.skip("ruby is missing")
    found = interpreter.find()
    try:
        with private_vcap(found):
            return found
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory, python: interpreter.Interpreter) -> Path:
    """Return our release, built and unpacked."""
    folder = tmp_path_factory.mktemp("release")
    workshop.build(folder / "release.tgz")
    return unpack(folder / "release.tgz", folder / "unpacked")


@pytest.fixture(scope="session")
def compiled(python: interpreter.Interpreter, release: Path) -> Iterator[Sandbox]:
    """Return a /var/vcap with the compiled packages, for others to take them from."""
    with private_vcap(python) as sandbox:
        compile_all(sandbox, release, print)
        yield sandbox


@pytest.fixture
def machine(compiled: Sandbox, render: Render) -> PowerOn:
    """What a test is given is made of this, by `_tell`."""
    if MONIT is None:
        pytest.skip("monit is missing")
    return lambda: powered(compiled, render)


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Tell how a test of a machine has ended; the first to be asked about runs all of them.

    It waits for all, because pytest changes the environment from test to test, and a thread that
    starts a process meanwhile may find it half changed (EFAULT).
    """
    if "machine" not in pyfuncitem.fixturenames:
        return None
    session = pyfuncitem.session
    if ENDS not in session.stash:
        power_on = cast("PowerOn", pyfuncitem.funcargs["machine"])
        session.stash[ENDS] = _all_told(session, power_on)
    session.stash[ENDS][pyfuncitem.nodeid].result()
    return True


def _all_told(session: pytest.Session, power_on: PowerOn) -> dict[str, Future[None]]:
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        ends = {
            item.nodeid: pool.submit(_tell, item, power_on)
            for item in session.items
            if isinstance(item, pytest.Function)
            and item.path.is_relative_to(HERE)
            and "machine" in item.fixturenames
        }
        wait(ends.values())
        return ends
    finally:
        pool.shutdown(cancel_futures=True)


def _tell(item: pytest.Function, power_on: PowerOn) -> None:
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    with power_on() as machine:
        item.obj(machine=machine, **given)


@pytest.fixture
def sandbox(python: interpreter.Interpreter) -> Iterator[Sandbox]:
    with private_vcap(python) as sandbox:
        yield sandbox


@pytest.fixture
def vm(sandbox: Sandbox) -> Iterator[Vm]:
    with booted(sandbox) as vm:
        yield vm


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render the README's manifest with more properties; the same ones only once."""

    @functools.cache
    def rendered(properties: str) -> Path:
        folder = tmp_path_factory.mktemp("render")
        manifest, variables = folder / "manifest.yml", folder / "secrets.yml"
        workshop.write_manifest(manifest, json.loads(properties))
        workshop.write_secrets(variables, KEYS)
        return workshop.render(manifest, variables, "demo", folder / "rendered")

    return lambda **properties: rendered(json.dumps(properties))


@pytest.fixture
def installed(vm: Vm, render: Render) -> Vm:
    """Return a VM with the job on it, and no package."""
    install(vm.sandbox, render())
    return vm
