"""A private part of this machine, in which all of the bench runs, and network namespaces in it.

The part is a network, process and mount namespace of its own: no name, address or mount of it is
seen outside, and all of it ends with its first process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE, LAYER_7_SOURCE, METADATA = "10.99.0.1", "100.64.0.1", "169.254.99.1"
"""The mocked cloud's addresses: of its API and listeners, that from which layer 7 connects, and
that of the metadata services, which the agent asks without TLS at link-local addresses only.
"""
NETWORK = "10.99.0"
_BRIDGE, _BRIDGE_MAC = "bench", "02:00:00:00:00:01"
"""The address is its own, else it is the lowest of its ports': where that port goes, all VMs answer
to an address that is no more, until they notice. That took them half a minute.
"""
_FLAGS = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


class NamespaceError(Exception):
    """This machine has or allows no namespaces; the message says why."""


def check() -> None:
    """Raise NamespaceError where the bench cannot run."""
    if os.geteuid() != 0:
        raise NamespaceError("it makes network namespaces: run it as root")
    for program, package in (("ip", "iproute2"), ("unshare", "util-linux")):
        if shutil.which(program) is None:
            raise NamespaceError(f"{program} is missing: apt-get install {package}")
    tried = subprocess.run(
        ["unshare", *_FLAGS, "ip", "netns", "list"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        raise NamespaceError(f"this machine allows no namespaces: {tried.stderr.strip()}")


def run_privately(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program in a new private part of this machine; returns its exit code.

    It and all that it has started end when this process does, at once. Raises KeyboardInterrupt
    on Ctrl-C and SystemExit on SIGTERM, when that has happened.
    """
    leave_on_signals()
    errors = os.dup(2)
    process = subprocess.Popen(
        [
            *("setpriv", "--pdeathsig", "KILL", "unshare", *_FLAGS),
            # unshare complains where the program was killed
            *("sh", "-c", f'exec "$@" 2>&{errors}', "sh", *argv),
        ],
        env=dict(environment),
        stderr=subprocess.DEVNULL,
        pass_fds=(errors,),
        start_new_session=True,  # Ctrl-C is for this process
    )
    try:
        return process.wait()
    finally:
        _end(process)
        os.close(errors)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the first process of the private part. Once it is reaped, there is no other left."""
    if process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        if not children:
            process.kill()
    process.wait()


def leave_on_signals() -> None:
    """Let SIGTERM and SIGHUP raise SystemExit, so that what was begun is ended."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def set_up() -> None:
    """Make the network of the private part, in which this runs, and let files be temporary there.

    /run is private, too: ip netns keeps its names in it, and paths in it are short enough for a
    socket wherever TMPDIR is.
    """
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    tempfile.tempdir = "/run"
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", _BRIDGE, "address", _BRIDGE_MAC, "type", "bridge")
    _run("ip", "addr", "add", f"{HERE}/24", "dev", _BRIDGE)
    for address in (LAYER_7_SOURCE, METADATA):
        _run("ip", "addr", "add", f"{address}/32", "dev", _BRIDGE)
    _run("ip", "link", "set", _BRIDGE, "up")


class Namespace:
    """A VM's network: one interface with one address."""

    def __init__(self, number: int) -> None:
        self.address = f"{NETWORK}.{10 + number}"
        self._name, self._link = f"vm{number}", f"link{number}"
        _run("ip", "netns", "add", self._name)
        _run(
            *("ip", "link", "add", self._link, "type", "veth"),
            *("peer", "name", "eth0", "netns", self._name),
        )
        _run("ip", "link", "set", self._link, "master", _BRIDGE, "up")
        inside = ("ip", "-n", self._name)
        _run(*inside, "addr", "add", f"{self.address}/24", "dev", "eth0")
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "link", "set", "eth0", "up")
        _run(*inside, "route", "add", "default", "via", HERE)

    def argv(self, *command: str) -> list[str]:
        """What runs a command in it, as the same process."""
        return ["ip", "netns", "exec", self._name, *command]

    def close(self) -> None:
        """Remove it; what runs in it has ended."""
        _run("ip", "link", "del", self._link)
        _run("ip", "netns", "del", self._name)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NamespaceError(f"{' '.join(command)}: {done.stderr.strip()}")
