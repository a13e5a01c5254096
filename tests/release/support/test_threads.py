"""The same work on several things at once: in order, and with nothing lost."""

from __future__ import annotations

import os
import threading

import pytest

from bosh_release.support.threads import map_in_threads


def test_results_are_in_the_order_of_the_items():
    assert map_in_threads(lambda n: n * n, range(1000)) == [n * n for n in range(1000)]
    assert map_in_threads(str, []) == []


def test_a_failure_is_the_callers():
    def work(number: int) -> int:
        if number == 3:
            raise OSError(28, "No space left on device")
        return number

    with pytest.raises(OSError, match="No space left"):
        map_in_threads(work, range(10))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor")
def test_items_are_worked_on_at_once():
    together = threading.Barrier(2, timeout=10)
    map_in_threads(lambda _: together.wait(), range(2))
