"""The machine's own /var/vcap, where no private one can be had: a container without privileges.

Only where it is asked for, and only where there is neither a /var/vcap nor a user vcap: both are
made, and both are removed again with all that runs as vcap.
"""

from __future__ import annotations

import grp
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from demo.interpreter import Interpreter
from demo.sandbox import Sandbox, SandboxError, free_number
from demo.vm import Vm

VARIABLE = "DEMO_IN_PLACE"
_VCAP = Path("/var/vcap")
_USER = "vcap"


@dataclass(frozen=True)
class InPlace(Sandbox):
    """No sandbox at all: commands run on the machine as they are."""

    @property
    def vcap(self) -> Path:
        """The real folder."""
        return _VCAP

    def command(self, argv: Sequence[str], *options: str) -> list[str]:
        """Return argv; there is nothing that bwrap's options could be for."""
        del options
        return list(argv)

    def compiling(self, argv: Sequence[str], folder: str) -> list[str]:
        """Return the command that runs argv in a folder; the network cannot be taken away."""
        return ["env", "-C", folder, *argv]


@dataclass(frozen=True)
class _Machine(Vm):
    """This machine, of which what runs as vcap is the VM."""

    def command(self, *argv: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """Return the command that runs argv as root, with BOSH's minimal environment."""
        variables = {"PATH": self.sandbox.path, **(environment or {})}
        settings = (f"{name}={value}" for name, value in variables.items())
        return ["env", "-C", "/", "-i", *settings, *argv]

    def processes(self) -> dict[int, str]:
        """Return what runs as vcap: numbers and command lines."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                line = (folder / "cmdline").read_bytes()  # a zombie has none
                if line and folder.stat().st_uid == self.sandbox.vcap_uid:
                    found[int(folder.name)] = line.replace(b"\0", b" ").decode(errors="replace")
        return found


@contextmanager
def vcap_in_place(interpreter: Interpreter) -> Iterator[InPlace]:
    """Make /var/vcap and the user vcap, and remove them again. Raises SandboxError."""
    _check()
    with tempfile.TemporaryDirectory(prefix="slb-registration-") as folder:
        _VCAP.mkdir(mode=0o755)
        try:
            number = free_number()
            _account("groupadd", "--gid", str(number), _USER)
            try:
                ids = ("--uid", str(number), "--gid", str(number))
                _account("useradd", *ids, "--home-dir", str(_VCAP), _USER)
                yield InPlace(Path(folder), number, False, interpreter)
            finally:
                _forget_account()
        finally:
            rmtree(_VCAP)


@contextmanager
def booted_in_place(place: InPlace) -> Iterator[Vm]:
    """End what runs as vcap at the end."""
    machine = _Machine(place, init=1)
    try:
        yield machine
    finally:
        while running := machine.processes():
            for number in running:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)


def _check() -> None:
    """Refuse where something is in the way: it may be a VM of BOSH's, with something to lose."""
    if os.geteuid() != 0:
        raise SandboxError(f"{VARIABLE} needs root: it makes {_VCAP} and a user {_USER}")
    there = [str(_VCAP)] if os.path.lexists(_VCAP) else []
    there += ["user vcap"] if _is_known(pwd.getpwnam) else []
    there += ["group vcap"] if _is_known(grp.getgrnam) else []
    if there:
        raise SandboxError(
            f"{VARIABLE} makes {_VCAP} and a user {_USER} and removes both at the end, so neither"
            f" may be there; here is {' and '.join(there)}. If an earlier demo was killed: "
            f"userdel {_USER}; groupdel {_USER}; rm -r {_VCAP}"
        )


def _is_known(look_up: Callable[[str], object]) -> bool:
    try:
        look_up(_USER)
    except KeyError:
        return False
    return True


def _forget_account() -> None:
    if _is_known(pwd.getpwnam):
        _account("userdel", _USER)
    if _is_known(grp.getgrnam):  # Debian's userdel has removed it
        _account("groupdel", _USER)


def _account(*command: str) -> None:
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SandboxError(f"{' '.join(command)}: {done.stderr.strip()}")
