"""Runs the tests of this folder side by side: they mostly wait for processes.

Each test has a stage of its own, made in the thread in which the test runs.
"""

from __future__ import annotations

import inspect
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.integration.stage import staged
from tests.integration.vm import ENVIRONMENT
from tests.integration.warm import Warm

AT_ONCE = 8
HERE = Path(__file__).parent
LONGEST = (
    "test_no_threads.py", "test_secrets.py", "test_more_faults.py", "test_faults.py",
    "test_kills.py", "test_drain_trouble.py",
)  # fmt: skip
"""They wait for backoffs and timeouts: begun first, they are not what the rest waits for."""
AS_INSTALLED = ("test_process.py", "test_secrets.py", "test_readme.py")
"""Their processes are started as on a VM, and not forked from one that has imported the agent."""

ENDS = pytest.StashKey[dict[str, "Future[None]"]]()
POOL = pytest.StashKey[ThreadPoolExecutor]()
WARM = pytest.StashKey[Warm]()


@pytest.fixture
def stage() -> None:
    """Tests are given theirs by `_tell`; these fixtures make the names known to pytest."""


cloud = service = vm = stage


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Wait for the end of a test; with the first one all of them begin."""
    session = pyfuncitem.session
    if ENDS not in session.stash:
        pool = session.stash[POOL] = ThreadPoolExecutor(AT_ONCE)
        ours = [
            item
            for item in session.items
            if isinstance(item, pytest.Function) and item.path.is_relative_to(HERE)
        ]
        warm = session.stash[WARM] = Warm(ENVIRONMENT)
        ours.sort(key=lambda item: _rank(item.path.name))
        session.stash[ENDS] = {item.nodeid: pool.submit(_tell, item, warm) for item in ours}
    session.stash[ENDS][pyfuncitem.nodeid].result()
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if POOL in session.stash:
        session.stash[POOL].shutdown(cancel_futures=True)
        session.stash[WARM].close()


def _rank(name: str) -> int:
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def _tell(item: pytest.Function, warm: Warm) -> None:
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    with staged(None if item.path.name in AS_INSTALLED else warm) as stage:
        given |= {"stage": stage, "cloud": stage.cloud, "service": stage.service, "vm": stage.vm}
        names = inspect.signature(item.obj).parameters
        item.obj(**{name: given[name] for name in names})
