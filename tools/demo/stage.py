"""What the demo's steps share: the cloud, the services, and the folders of one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from demo import cloud, interpreter
from demo.in_place import InPlace, booted_in_place, vcap_in_place
from demo.sandbox import Sandbox, private_vcap
from demo.screen import Screen
from demo.service import Service, serving
from demo.vm import Vm, booted
from demo.watch import Watch
from mock_slb.model import Backend
from mock_slb.server import MockServer, serve


@dataclass(frozen=True)
class Stage:
    """All that a run of the demo needs, until the end of `set_up`."""

    screen: Screen
    keys: cloud.Keys
    server: MockServer
    service: Service
    sandbox: Sandbox
    folder: Path
    watch: Watch

    @property
    def in_place(self) -> bool:
        """Whether there is no private root folder."""
        return isinstance(self.sandbox, InPlace)

    def booted(self) -> AbstractContextManager[Vm]:
        """Start the VM, and end it and all that runs on it."""
        if isinstance(self.sandbox, InPlace):
            return booted_in_place(self.sandbox)
        return booted(self.sandbox)

    def other_servers(self) -> list[Backend]:
        """Return the servers of the load balancer that are not ours."""
        group = self.server.account.load_balancer(cloud.LOAD_BALANCER).default_group
        return [one for one in group.servers() if one.server_id != cloud.OUR_SERVER]


@contextmanager
def set_up(
    screen: Screen, python: interpreter.Interpreter | None = None, *, in_place: bool = False
) -> Iterator[Stage]:
    """Start everything, and end it and remove what it left. Raises SandboxError.

    `python`: the interpreter of the VM, None to look for it. `in_place`: use the machine's own
    /var/vcap.
    """
    with_vcap = vcap_in_place if in_place else private_vcap
    keys = cloud.Keys()
    with (
        TemporaryDirectory(prefix="slb-registration-") as folder,
        with_vcap(python or interpreter.find()) as sandbox,
        serving() as service,
        serving() as others,
        serve(cloud.account(keys, our_port=service.port, others_port=others.port)) as server,
    ):
        watch = Watch(server.account, screen.say)
        yield Stage(screen, keys, server, service, sandbox, Path(folder), watch)
