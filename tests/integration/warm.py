"""A process that has imported the agent, and forks: to start costs 20 ms instead of 200.

What is forked is a process like any other, with a session, an environment, outputs and an exit
code of its own, and runs `python -m slb_registration` from the first line of its `__main__` on.
Only /proc shows the arguments and the environment of the process that it was forked from.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

MODULE = "slb_registration"
IMPORTED = (
    f"{MODULE}.commands",
    f"{MODULE}.server_groups.clb",
    f"{MODULE}.server_groups.alb",
    f"{MODULE}.server_groups.alb_nlb",
    f"{MODULE}.server_groups.nlb",
)
MESSAGE_BYTES = 65536


class Warm:
    """The one who asks for processes; any thread may."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment`: what the agent is imported with."""
        self._asks, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, __file__, str(theirs.fileno())), pass_fds=(theirs.fileno(),),
                env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                cwd="/", start_new_session=True,
            )  # fmt: skip

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> Forked:
        """A process that runs the agent's command line with these arguments."""
        request = json.dumps({"arguments": arguments, "environment": dict(environment)})
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            fds = [theirs.fileno(), stdout.fileno(), stderr.fileno()]
            socket.send_fds(self._asks, [request.encode()], fds)
        return Forked(ours)

    def close(self) -> None:
        self._asks.close()
        self._process.wait()


class Forked:
    """A process that was forked, as subprocess.Popen has it."""

    def __init__(self, told: socket.socket) -> None:
        """`told`: where its id comes from, and in the end its exit code."""
        self._told = told
        self._lock = threading.Lock()
        self.pid = int(told.recv(MESSAGE_BYTES))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            # Once it has been told, the socket is at its end, which can be read as well.
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(MODULE, timeout or 0)
            with self._lock:
                if self.returncode is None:
                    self.returncode = int(self._told.recv(MESSAGE_BYTES))
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def close(self) -> None:
        self._told.close()


# The process that forks


def serve(asked: socket.socket) -> Sequence[str]:
    """Fork when asked to, and tell the end of each; returns, with the arguments, in the forked."""
    children: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd != asked.fileno():
                    selector.unregister(key.fd)
                    _tell_end(key.fd, *children.pop(key.fd))
                    continue
                message, fds, _, _ = socket.recv_fds(asked, MESSAGE_BYTES, 3)
                if not message:
                    sys.exit()
                ended, alive = os.pipe()  # at its end when the process is
                pid = os.fork()
                if pid == 0:
                    for fd, (_, told) in children.items():
                        os.close(fd)
                        told.close()
                    os.close(ended)
                    asked.close()
                    return _become(json.loads(message), *fds)
                os.close(alive)
                for fd in fds[1:]:
                    os.close(fd)
                children[ended] = (pid, socket.socket(fileno=fds[0]))
                children[ended][1].send(str(pid).encode())
                selector.register(ended, selectors.EVENT_READ)


def _tell_end(ended: int, pid: int, told: socket.socket) -> None:
    os.close(ended)
    _, status = os.waitpid(pid, 0)
    with told, contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
        told.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: Mapping[str, object], told: int, stdout: int, stderr: int) -> Sequence[str]:
    """Make this the process that was asked for; returns its arguments."""
    os.setsid()
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for fd in (told, stdout, stderr):
        os.close(fd)
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


if __name__ == "__main__":
    sys.path[0] = "/"  # the working folder, as with -m
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what every one of them shares is not looked at in each
    sys.argv[1:] = serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
