"""What the demo's steps share: the cloud, the services, and the folders of one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from demo import cloud, interpreter
from demo.client import Client
from demo.in_place import InPlace, booted_in_place, vcap_in_place
from demo.sandbox import Sandbox, private_vcap
from demo.screen import Screen
from demo.service import Service, serving
from demo.vm import Vm, booted
from demo.watch import Watch
from mock_slb.account.addresses import Address
from mock_slb.clb.resources import Backend
from mock_slb.data_plane.haproxy import DataPlaneError, find
from mock_slb.data_plane.plane import DataPlane
from mock_slb.data_plane.settings import Settings
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
    client: Client | None
    without_client: str
    """Why there is none."""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce the next step, and tell at its end who has answered the client meanwhile."""
        with self.screen.step(title):
            yield
            if self.client is not None:
                self.screen.say(self.client.news())

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
    screen: Screen,
    python: interpreter.Interpreter | None = None,
    *,
    in_place: bool = False,
    forwarding: bool = False,
) -> Iterator[Stage]:
    """Start everything, and end it and remove what it left. Raises SandboxError.

    `python`: the interpreter of the VM, None to look for it. `in_place`: use the machine's own
    /var/vcap. `forwarding`: let the load balancer forward, where HAProxy is there, and have a
    client, which does not ask yet.
    """
    with_vcap = vcap_in_place if in_place else private_vcap
    keys = cloud.Keys()
    settings, without_client = _data_plane() if forwarding else (None, "not wanted")
    with (
        TemporaryDirectory(prefix="slb-registration-") as folder,
        with_vcap(python or interpreter.find()) as sandbox,
        ExitStack() as stack,
    ):
        names = (cloud.OUR_SERVER, *cloud.OTHER_SERVERS)
        services = {name: stack.enter_context(serving(name)) for name in names}
        account = cloud.account(keys, {name: one.port for name, one in services.items()})
        server = stack.enter_context(serve(account, data_plane=settings))
        client = None
        if server.data_plane is not None:
            client = Client(*(_address(server.data_plane, port) for port in (443, 80)))
            stack.callback(client.stop)
        yield Stage(
            screen,
            keys,
            server,
            services[cloud.OUR_SERVER],
            sandbox,
            Path(folder),
            Watch(account, screen.say),
            client,
            without_client,
        )


def _data_plane() -> tuple[Settings | None, str]:
    try:
        find()
    except DataPlaneError as error:
        return None, str(error)
    return Settings(), ""


def _address(plane: DataPlane, port: int) -> Address:
    return plane.address(f"{cloud.LOAD_BALANCER}/{cloud.LISTENERS[port]}:{port}")
