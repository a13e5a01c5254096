"""What surrounds one run: a process without threads, a stage, and a VM with a disk in memory."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
from aliyunsdkcore.client import AcsClient
from tests.faults.stage import Stage
from tests.faults.vm import Vm, read_config
from tests.faults.wire import wired
from tests.unit.every_kind import Kind

from mock_slb.signing import signature
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Credentials
from slb_registration.membership import groups
from slb_registration.membership.worker import Worker
from slb_registration.model.configuration import Config
from slb_registration.support.files import small_files
from slb_registration.support.logs.event_log import quiet_sdk

MEMORY = Path("/dev/shm")


@contextmanager
def single_threaded() -> Iterator[None]:
    """Workers of this process take turns when they are told to, and nothing waits for a disk."""
    quiet_sdk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "start", lambda self, supervisor: None)
        patch.setattr(Worker, "join", lambda self, timeout: True)
        patch.setattr(small_files.os, "fsync", lambda descriptor: None)
        # Both sides encode the same words for every signature; a client's making takes 1 ms.
        for module in (urllib.parse, signature):
            patch.setattr(module, "quote", lru_cache(1 << 16)(quote))
        patch.setattr(Cloud, "_connect", _one_client_for_the_same_keys(Cloud._connect))
        yield


def _one_client_for_the_same_keys(connect: Callable[..., AcsClient]) -> Callable[..., AcsClient]:
    clients: dict[tuple[Credentials, str], AcsClient] = {}

    def cached(self: Cloud, action: str, keys: Credentials) -> AcsClient:
        place = keys, self.region
        if place not in clients:
            clients[place] = connect(self, action, keys)
        return clients[place]

    return cached


@lru_cache(1)
def config() -> Config:
    """A configuration to make others of, read once."""
    with TemporaryDirectory() as folder:
        return read_config(Path(folder), load_balancer_id="lb-1")


@contextmanager
def room(
    kind: Kind, *, role: bool = False, alone: bool = False, seed: int = 0
) -> Iterator[tuple[Stage, Vm]]:
    """A stage, and this VM on it. `seed` is that of all that is random."""
    with staged(kind, role=role, alone=alone, seed=seed) as stage, disk() as folder:
        yield stage, Vm(stage, config(), folder)


@contextmanager
def staged(
    kind: Kind, *, role: bool = False, alone: bool = False, seed: int = 0
) -> Iterator[Stage]:
    """A stage whose wire is this process's."""
    stage = Stage(kind, role=role, alone=alone)
    random = Random(seed)
    stage.gateway.faults._chance = Random(seed)
    with wired(stage.wire), pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "open_group", stage.opened)
        patch.setattr(groups, "Random", lambda: Random(random.random()))
        yield stage


@contextmanager
def disk() -> Iterator[Path]:
    """A folder in memory, where there is a place for that."""
    with TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)
