"""A stand-in for a BOSH VM: a private root folder whose processes end with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from demo.sandbox import Sandbox, SandboxError

# The daemons of a VM become children of its first process, which is bwrap's and reaps them.
_SECOND_PROCESS = ("sh", "-c", "echo up; exec sleep infinity")


@dataclass(frozen=True)
class Vm:
    """A running sandbox. Commands enter its namespaces, so each is an ordinary child of ours."""

    sandbox: Sandbox
    init: int  # the host's number of the VM's first process

    @property
    def vcap(self) -> Path:
        """The folder that is /var/vcap in the VM."""
        return self.sandbox.vcap

    def command(self, *argv: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """Return the command that runs argv as the VM's root, with BOSH's minimal environment."""
        user = ("--user", "--preserve-credentials") if self.sandbox.own_users else ()
        namespaces = ("--mount", "--pid", "--ipc", "--uts", "--root", *user)
        variables = {"PATH": self.sandbox.path, **(environment or {})}
        settings = (f"{name}={value}" for name, value in variables.items())
        return [
            *("nsenter", "--target", str(self.init), *namespaces, "--"),
            *("env", "-C", "/", "-i", *settings, *argv),
        ]

    def run(
        self,
        *argv: str,
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run argv and return how it ended, whatever its exit code."""
        return subprocess.run(
            self.command(*argv, environment=environment),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
        )

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Start argv in the VM, with its stdout and stderr in pipes."""
        return subprocess.Popen(
            self.command(*argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> dict[int, str]:
        """Return the VM's processes, save its first two: the host's number and command line."""
        namespace = _namespace(str(self.init))
        found = {}
        with os.scandir("/proc") as entries:
            numbers = [entry.name for entry in entries if entry.name.isdigit()]
        for number in numbers:
            with suppress(OSError):
                if _namespace(number) == namespace:
                    line = Path(f"/proc/{number}/cmdline").read_bytes()
                    found[int(number)] = line.replace(b"\0", b" ").decode(errors="replace")
        return {
            pid: line
            for pid, line in found.items()
            if pid != self.init and line.strip() and not line.startswith("sleep infinity")
        }


def _namespace(number: str) -> int:
    """The pid namespace of a process. Raises OSError."""
    return os.stat(f"/proc/{number}/ns/pid").st_ino  # noqa: PTH116 - asked for very many


@contextmanager
def booted(sandbox: Sandbox) -> Iterator[Vm]:
    """Start a VM on the host's network, and kill all that is in it at the end."""
    info_read, info_write = os.pipe()
    with subprocess.Popen(
        # its own session: Ctrl-C is ours, and we end the VM in order
        sandbox.command(_SECOND_PROCESS, "--info-fd", str(info_write)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[info_write],
        start_new_session=True,
    ) as bwrap:
        os.close(info_write)
        try:
            init = _init(info_read, bwrap)
        except BaseException:
            bwrap.kill()
            raise
        try:
            yield Vm(sandbox, init)
        finally:
            # With its first process all others of the VM end, and bwrap after them.
            os.kill(init, signal.SIGKILL)


def _init(info_read: int, bwrap: subprocess.Popen[str]) -> int:
    with os.fdopen(info_read) as info:
        answer = info.read()
    if bwrap.stdout is None or bwrap.stdout.readline() != "up\n":
        reason = bwrap.stderr.read() if bwrap.stderr else ""
        raise SandboxError(f"the private root folder could not be made: {reason}")
    return int(json.loads(answer)["child-pid"])
