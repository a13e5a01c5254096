"""What a fleet does without pacing: a read and a write at once, and both again every 5 seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tests.bench.fleet_cloud import Cloud
from tests.bench.fleet_simulation import START_SECONDS

from slb_registration.model.errors import ApiError
from slb_registration.model.operations import Op

RETRY_SECONDS = 5.0


@dataclass(eq=False)
class NaiveVm:
    """One VM, and what it cost."""

    began: float
    calls: int = 0
    refused: int = 0
    serving_at: float | None = None

    def attempt(self, cloud: Cloud) -> bool:
        """Whether it is registered now."""
        try:
            for op in (Op.FIND, Op.ADD):
                self.calls += 1
                cloud.admit(op)
        except ApiError:
            self.refused += 1
            return False
        self.serving_at = cloud.now()
        return True


class NaiveFleet:
    """A fleet of `size` VMs that start evenly spread over the first second."""

    def __init__(self, size: int, *, product: str) -> None:
        self.now = 0.0
        self.cloud = Cloud(product, lambda: self.now)
        self.vms = [NaiveVm(START_SECONDS * number / size) for number in range(size)]

    def run(self) -> None:
        """Until all are registered."""
        # All wait equally long, so those who wait stay in the order in which they come again.
        waiting = deque((vm.began, vm) for vm in self.vms)
        while waiting:
            self.now, vm = waiting.popleft()
            if not vm.attempt(self.cloud):
                waiting.append((self.now + RETRY_SECONDS, vm))
