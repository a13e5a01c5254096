"""Runs the tests of this folder side by side: they mostly wait for processes.

Each test has a stage of its own, made in the thread in which the test runs.
"""

from __future__ import annotations

import inspect
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from .stage import staged

AT_ONCE = 8
HERE = Path(__file__).parent
LONGEST = ("test_secrets.py", "test_faults.py", "test_drain_trouble.py", "test_kills.py")
"""They wait for backoffs and timeouts: begun first, they are not what the rest waits for."""

ENDS = pytest.StashKey[dict[str, "Future[None]"]]()
POOL = pytest.StashKey[ThreadPoolExecutor]()


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
        ours.sort(key=lambda item: item.path.name not in LONGEST)
        session.stash[ENDS] = {item.nodeid: pool.submit(_tell, item) for item in ours}
    session.stash[ENDS][pyfuncitem.nodeid].result()
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if POOL in session.stash:
        session.stash[POOL].shutdown(cancel_futures=True)


def _tell(item: pytest.Function) -> None:
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    with staged() as stage:
        given |= {"stage": stage, "cloud": stage.cloud, "service": stage.service, "vm": stage.vm}
        names = inspect.signature(item.obj).parameters
        item.obj(**{name: given[name] for name in names})
