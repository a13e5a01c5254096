"""One HAProxy process, and the connection by which it is told what to do.

It ends with the process that started it, whatever becomes of that, and leaves no file: its
configuration and its errors are in memory, and the socket for commands is a pair that was connected
and removed from its private folder before HAProxy is started.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence

OLDEST = (2, 6)
_ANSWER_SECONDS = 20.0
_PROMPT = b"\n> "
_MISSING = "{0} is missing; on Debian or Ubuntu: apt-get install --no-install-recommends {1}"


class DataPlaneError(Exception):
    """HAProxy is missing, or does not do what it should; the message says why."""


def find() -> str:
    """HAProxy's path. Raises DataPlaneError where there is none, or one that is too old."""
    path = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise DataPlaneError(_MISSING.format("haproxy", "haproxy"))
    if shutil.which("setpriv") is None:
        raise DataPlaneError(_MISSING.format("setpriv", "util-linux"))
    found = version(path)
    if tuple(int(number) for number in found.split(".")[:2]) < OLDEST:
        raise DataPlaneError(f"{path} is HAProxy {found}; 2.6 or later is needed")
    return path


def version(path: str) -> str:
    """HAProxy's version, e.g. 2.6.12. Raises DataPlaneError for a program that tells none."""
    said = subprocess.run([path, "-v"], check=False, capture_output=True, text=True).stdout
    match = re.match(r"HAProxy version ([0-9]+\.[0-9.]*[0-9])", said)
    if match is None:
        raise DataPlaneError(f"{path} -v says {said[:80]!r}, and not which HAProxy it is")
    return match[1]


class HAProxy:
    """A running process. Commands raise DataPlaneError once it has ended."""

    def __init__(
        self,
        argv: Sequence[str],
        listening: socket.socket,
        configuration: Callable[[int, int, str], str],
        certificate: str = "",
    ) -> None:
        """Start it. `argv`: what runs HAProxy. `certificate`: a key with its certificate, as PEM.

        `configuration` takes the numbers of two sockets, the one to listen on and the one for
        commands, and the name of the certificate's file. Raises DataPlaneError.
        """
        with contextlib.ExitStack() as held:
            self._errors = held.enter_context(tempfile.TemporaryFile())
            theirs, self._commands = _connected()
            held.enter_context(self._commands)
            sockets = listening.fileno(), theirs.fileno()
            with (
                theirs,
                _in_memory(certificate) as secret,
                _in_memory(configuration(*sockets, _path(secret))) as file,
            ):
                self._process = self._begun(argv, file, (secret, file, *sockets))
            held.callback(self._end)
            self.ask("prompt")  # answered as soon as it is up
            self._held = held.pop_all()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def ask(self, command: str) -> str:
        """The answer to one command, without its last line break."""
        answer = b""
        try:
            self._commands.sendall(command.encode() + b"\n")
            while not answer.endswith(_PROMPT):
                piece = self._commands.recv(65536)
                if not piece:
                    raise DataPlaneError(self._why())
                answer += piece
        except OSError as error:
            raise DataPlaneError(f"{self._why()} ({error})") from None
        return answer[: -len(_PROMPT)].decode().strip("\n")

    def has_ended(self) -> bool:
        """Tell whether the process is gone."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End it with all its connections. Harmless when repeated."""
        self._held.close()

    def _begun(
        self, argv: Sequence[str], file: int, inherited: Sequence[int]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *argv, "-db", "-f", _path(file)],
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
            pass_fds=inherited,
            start_new_session=True,  # Ctrl-C is for its parent
        )

    def _end(self) -> int:
        self._process.kill()
        return self._process.wait()

    def _why(self) -> str:
        """The reason for no answer. It is ended: a late answer would be taken for another's."""
        code = self._end()
        self._errors.seek(0)
        said = " ".join(self._errors.read().decode(errors="replace").split())
        return f"HAProxy ended with {code}{f': {said[-500:]}' if said else ''}"


def _connected() -> tuple[socket.socket, socket.socket]:
    """A socket that listens with one connection to it waiting, and that connection."""
    listening, ours = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    with tempfile.TemporaryDirectory(prefix="mock_slb-") as folder:
        opened = os.open(folder, os.O_DIRECTORY)
        try:
            path = f"/dev/fd/{opened}/commands"  # the folder's own may be too long for a socket
            listening.bind(path)
            listening.listen(1)
            ours.settimeout(_ANSWER_SECONDS)
            ours.connect(path)
        finally:
            os.close(opened)
    return listening, ours


@contextlib.contextmanager
def _in_memory(text: str) -> Iterator[int]:
    """The number of an open file that is nowhere."""
    number = os.memfd_create("mock_slb")
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        yield number


def _path(number: int) -> str:
    return f"/dev/fd/{number}"
