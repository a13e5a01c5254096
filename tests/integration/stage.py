"""The stage of every test here, and what must hold in each of them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.cloud import ACCESS_KEY, SECRET_KEY, Cloud, cloud_for
from tests.integration.service import Service, serving
from tests.integration.vm import ROOT, Vm, processes_with
from tests.integration.warm import Warm
from tests.waiting import eventually


@dataclass(frozen=True)
class Stage:
    """A service on a VM of a mocked cloud."""

    service: Service
    cloud: Cloud
    vm: Vm


@contextlib.contextmanager
def staged(warm: Warm | None = None) -> Iterator[Stage]:
    """Its processes are forked from `warm`, where it is given.

    Ends every process that was started, and then judges what all of them have left."""
    # Not pytest's own folder: the path of a Unix socket has room for 107 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="slb-") as folder,
        serving() as service,
        cloud_for(service.port) as cloud,
    ):
        vm = Vm(Path(folder), cloud.url, service.port, warm)
        try:
            yield Stage(service, cloud, vm)
        finally:
            vm.close()
        judge(vm, cloud)


def judge(vm: Vm, cloud: Cloud) -> None:
    """What holds whatever happens."""
    eventually(lambda: processes_with(vm.folder) == [])
    said = vm.output()
    assert "Traceback" not in said, said
    assert "internal error" not in said, said
    for secret in (ACCESS_KEY, SECRET_KEY, "Signature="):
        assert secret not in said
        assert not [path for path in vm.readable_by_all() if secret in path.read_text()]
    cloud.assert_only_me_was_written()
    policy = json.loads((ROOT / "release/manifests/ram-policy.json").read_text())
    allowed = {action for one in policy["Statement"] for action in one["Action"]}
    assert {f"{call.product}:{call.action}" for call in cloud.calls if call.product} <= allowed
