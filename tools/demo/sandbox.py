"""A private root folder by bubblewrap: the host's programs read-only, and a /var/vcap of its own.

Nothing is written to the host but one temporary folder. As root, vcap is a user of its own, as on
a VM. Otherwise everything runs in a user namespace, where only one user can exist: that is vcap.
"""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from demo.interpreter import Interpreter

# BOSH's vcap is 1000, which on a developer's machine is the developer.
_FIRST_FREE_UID = 64000
_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC_OF_THE_HOST = ("alternatives", "ld.so.cache", "ssl", "localtime")
_NOT_PERMITTED = """\
this machine does not permit the namespaces that a private /var/vcap needs:
  {reason}
Run it as root, or permit user namespaces (Debian: sysctl kernel.unprivileged_userns_clone=1, \
Ubuntu 24.04: sysctl kernel.apparmor_restrict_unprivileged_userns=0); \
a container needs --privileged.
A container without privileges that may be changed (nothing may be in /var/vcap): as root,
  make demo DEMO_IN_PLACE=1
makes /var/vcap and a user vcap there, and removes both at the end."""


class SandboxError(Exception):
    """The machine does not let us have a private root folder, or a command in it failed."""


@dataclass(frozen=True)
class Sandbox:
    """Where a private /var/vcap lives, and how commands get to see it."""

    folder: Path
    vcap_uid: int
    own_users: bool  # a user namespace, in which vcap is the only user
    interpreter: Interpreter

    @property
    def vcap(self) -> Path:
        """The folder that is /var/vcap inside."""
        return self.folder / "vcap"

    @property
    def path(self) -> str:
        """PATH inside, with the interpreter first."""
        return f"{self.interpreter.programs}:/usr/sbin:/usr/bin:/sbin:/bin"

    def command(self, argv: Sequence[str], *options: str) -> list[str]:
        """Return the command that runs argv in the private root folder; options are bwrap's."""
        users = ["--unshare-user", "--uid", "0", "--gid", "0"] if self.own_users else []
        return [
            *("bwrap", *users, "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
            *("--die-with-parent", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108
            *("--dir", "/etc", "--dir", "/var", "--dir", "/run"),
            *self._system(),
            *("--bind", str(self.vcap), "/var/vcap"),
            *options,
            *("--", *argv),
        ]

    def compiling(self, argv: Sequence[str], folder: str) -> list[str]:
        """Return the command that runs argv in a folder of the private root, without network."""
        return self.command(argv, "--unshare-net", "--chdir", folder)

    def _system(self) -> Iterator[str]:
        yield from ("--ro-bind", "/usr", "/usr")
        for folder in (Path("/") / name for name in _SYSTEM_FOLDERS):
            if folder.is_symlink():
                yield from ("--symlink", str(folder.readlink()), str(folder))
            elif folder.exists():
                yield from ("--ro-bind", str(folder), str(folder))
        for name in _ETC_OF_THE_HOST:
            yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
        for file in (self.folder / "etc").iterdir():
            yield from ("--ro-bind", str(file), f"/etc/{file.name}")
        prefix = self.interpreter.prefix
        if not prefix.is_relative_to("/usr"):
            # made one by one, or vcap could not go through them
            for parent in reversed(prefix.parents):
                yield from ("--dir", str(parent))
            yield from ("--ro-bind", str(prefix), str(prefix))


@contextmanager
def private_vcap(interpreter: Interpreter) -> Iterator[Sandbox]:
    """Make a private /var/vcap and remove it again. Raises SandboxError where it cannot work."""
    folder = Path(tempfile.mkdtemp(prefix="slb-registration-"))
    try:
        (folder / "vcap").mkdir()
        (folder / "vcap").chmod(0o755)
        yield _first_that_works(folder, interpreter)
    finally:
        rmtree(folder)


def _first_that_works(folder: Path, interpreter: Interpreter) -> Sandbox:
    reason = ""
    for own_users in [False, True] if os.geteuid() == 0 else [True]:
        uid = 0 if own_users else free_number()
        _write_etc(folder / "etc", uid)
        sandbox = Sandbox(folder, uid, own_users, interpreter)
        try:
            trial = subprocess.run(
                sandbox.command(["true"]),
                check=False,
                capture_output=True,
                text=True,
                timeout=20,
            )
        except FileNotFoundError:
            raise SandboxError("bwrap is missing: run `make setup`") from None
        if trial.returncode == 0:
            return sandbox
        reason = trial.stderr.strip()
    raise SandboxError(_NOT_PERMITTED.format(reason=reason))


def free_number() -> int:
    """Return a number that neither a user nor a group has."""
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    return next(uid for uid in range(_FIRST_FREE_UID, 65534) if uid not in taken)


def _write_etc(etc: Path, vcap: int) -> None:
    root_user, root_group = ("root:x:0:0::/root:/bin/sh\n", "root:x:0:\n") if vcap else ("", "")
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(f"{root_user}vcap:x:{vcap}:{vcap}::/var/vcap:/bin/bash\n")
    (etc / "group").write_text(f"{root_group}vcap:x:{vcap}:\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
