"""A private /var/vcap with the rendered job in it; skipped where namespaces or Ruby are missing.

Tests that are given a `machine` (monit and a load balancer), a `vm` or a `folder` run side by side:
they mostly wait. Each has one of its own, made in the thread in which the test runs.
"""

from __future__ import annotations

import functools
import inspect
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
from tests.lifecycle.machine import KEYS, MONIT, Render, powered
from tests.lifecycle.stand_in import put_agent

from demo import interpreter, workshop
from demo.compilation import compile_all, unpack
from demo.installation import install
from demo.sandbox import Sandbox, SandboxError, private_vcap
from demo.vm import Vm, booted

AT_ONCE = 8
HERE = Path(__file__).parent
ENDS = pytest.StashKey[dict[str, "Future[None]"]]()

Makers = dict[str, Callable[[], AbstractContextManager[object]]]


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
        pytest.skip(" ".join(str(error).splitlines()[:2]))  # the rest says what to do


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


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render the README's manifest with more properties; the same ones only once."""
    one_at_a_time = threading.Lock()

    @functools.cache
    def rendered(properties: str) -> Path:
        folder = tmp_path_factory.mktemp("render")
        manifest, variables = folder / "manifest.yml", folder / "secrets.yml"
        workshop.write_manifest(manifest, json.loads(properties))
        workshop.write_secrets(variables, KEYS)
        return workshop.render(manifest, variables, "demo", folder / "rendered")

    def once(**properties: object) -> Path:
        with one_at_a_time:
            return rendered(json.dumps(properties))

    return once


@pytest.fixture(scope="session")
def makers(
    request: pytest.FixtureRequest, python: interpreter.Interpreter, render: Render
) -> Makers:
    """What the selected tests are given, by the names of their parameters, and how it is made."""
    wanted = {name for item in _side_by_side(request.session) for name in item.fixturenames}
    made: Makers = {
        "render": lambda: nullcontext(render),
        "vm": lambda: _vm(python),
        "installed": lambda: _installed(python, render),
        "job": lambda: _job(python, render),
        "folder": _folder,
    }
    if "machine" in wanted:
        compiled = request.getfixturevalue("compiled")
        made["machine"] = lambda: powered(compiled, render)
    return made


@pytest.fixture
def sandbox(python: interpreter.Interpreter) -> Iterator[Sandbox]:
    with private_vcap(python) as sandbox:
        yield sandbox


@contextmanager
def _vm(python: interpreter.Interpreter) -> Iterator[Vm]:
    with private_vcap(python) as sandbox, booted(sandbox) as vm:
        yield vm


@contextmanager
def _installed(python: interpreter.Interpreter, render: Render) -> Iterator[Vm]:
    """A VM with the job on it, and no package."""
    with _vm(python) as vm:
        install(vm.sandbox, render())
        yield vm


@contextmanager
def _job(python: interpreter.Interpreter, render: Render) -> Iterator[Vm]:
    """The same, with a stand-in for the agent."""
    with _installed(python, render) as vm:
        put_agent(vm)
        yield vm


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="lifecycle-") as folder:
        yield Path(folder)


@pytest.fixture
def vm(makers: Makers) -> None:
    """Made by `_tell`; these fixtures make the names known to pytest."""


installed = job = folder = vm


@pytest.fixture
def machine(makers: Makers) -> None:
    """Made by `_tell`, too."""
    if MONIT is None:
        pytest.skip("monit is missing")


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Tell how a test has ended that is run side by side; the first one asked about runs them all.

    It waits for all, because pytest changes the environment from test to test, and a thread that
    starts a process meanwhile may find it half changed (EFAULT).
    """
    if not _has_its_own(pyfuncitem):
        return None
    session = pyfuncitem.session
    if ENDS not in session.stash:
        makers = cast("Makers", pyfuncitem.funcargs["makers"])
        session.stash[ENDS] = _all_told(session, makers)
    session.stash[ENDS][pyfuncitem.nodeid].result()
    return True


def _side_by_side(session: pytest.Session) -> list[pytest.Function]:
    items = [item for item in session.items if isinstance(item, pytest.Function)]
    return [item for item in items if item.path.is_relative_to(HERE) and _has_its_own(item)]


def _has_its_own(item: pytest.Function) -> bool:
    return "makers" in item.fixturenames


def _all_told(session: pytest.Session, makers: Makers) -> dict[str, Future[None]]:
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        ends = {
            item.nodeid: pool.submit(_tell, item, makers)
            for item in _side_by_side(session)
            if MONIT is not None or "machine" not in item.fixturenames
        }
        wait(ends.values())
        return ends
    finally:
        pool.shutdown(cancel_futures=True)


def _tell(item: pytest.Function, makers: Makers) -> None:
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    names = inspect.signature(item.obj).parameters
    with ExitStack() as stack:
        made = {name: stack.enter_context(makers[name]()) for name in names if name not in given}
        item.obj(**made, **given)
