"""What any service of the VM, being vcap, can put in the way of scripts that root starts.

None of it hangs a script, changes a file elsewhere, or keeps the VM in rotation.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import thorough
from tests.lifecycle.machine import DATA, LOGS, Machine, eventually
from tests.lifecycle.stand_in import put_agent

from demo.installation import BIN, JOB
from demo.sandbox import Sandbox
from demo.vm import Vm

RUN = f"/var/vcap/sys/run/{JOB}"
FOLDERS = (RUN, LOGS, DATA)
FILES = (
    *(f"{RUN}/agent.{end}" for end in ("pid", "pid.new", "lock", "sock")),
    *(f"{RUN}/{name}" for name in ("run.lock", "draining-marker", "hold-marker")),
    *(f"{LOGS}/{name}.log" for name in ("agent.stdout", "agent.stderr", "drain.stderr")),
    *(f"{DATA}/{name}" for name in ("draining", "hold", "journal.json", "journal.json.set-aside")),
)
STRANGER = 64999


class Victims:
    """Files and folders of others, to which links of vcap's point."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._folder = sandbox.vcap / "others"
        self._folder.mkdir(mode=0o755)
        for name, owner, mode in (("roots", 0, 0o600), ("services", sandbox.vcap_uid, 0o640)):
            folder = self._folder / name
            folder.mkdir(mode=0o755)
            (folder / "file").write_text(f"of {name}")
            (folder / "file").chmod(mode)
            os.chown(folder / "file", owner, owner)
        self._before = self._state()

    def _state(self) -> list[tuple[object, ...]]:
        paths = sorted((self._folder, *self._folder.rglob("*")))
        return [
            (path, status.st_mode, status.st_uid, status.st_mtime_ns, status.st_size)
            for path in paths
            for status in [path.lstat()]
        ]

    def assert_untouched(self) -> None:
        assert self._state() == self._before


def link(to: str) -> Callable[[Path, int], None]:
    return lambda path, vcap: path.symlink_to(f"/var/vcap/others/{to}")


def pipe(path: Path, vcap: int) -> None:
    os.mkfifo(path)
    os.chown(path, vcap, vcap)


def folder(path: Path, vcap: int) -> None:
    path.mkdir()
    (path / "file").write_text("in the way")
    os.chown(path, vcap, vcap)


def listening(path: Path, vcap: int) -> None:
    """A socket on which nobody listens any more."""
    here = f"/proc/self/fd/{os.open(path.parent, os.O_PATH)}"  # the whole path may be too long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{here}/{path.name}")
    os.close(int(here.rpartition("/")[2]))


def file_of(owner: int, mode: int) -> Callable[[Path, int], None]:
    def put(path: Path, vcap: int) -> None:
        path.write_text("in the way\n")
        path.chmod(mode)
        os.chown(path, owner, owner)

    return put


PLANTS: dict[str, Callable[[Path, int], None]] = {
    "links to a file of root's": link("roots/file"),
    "links to a file of another service's": link("services/file"),
    "links to a folder": link("roots"),
    "dangling links": link("roots/missing"),
    "links to themselves": lambda path, vcap: path.symlink_to(path.name),
    "links to a device that never ends": lambda path, vcap: path.symlink_to("/dev/zero"),
    "pipes": pipe,
    "folders": folder,
    "sockets": listening,
    "files of root's": file_of(0, 0o600),
    "files of a stranger's": file_of(STRANGER, 0o644),
    "files that nobody may read": lambda path, vcap: file_of(vcap, 0)(path, vcap),
}
planted = pytest.mark.parametrize("plant", thorough.but(["links to a file of root's"], PLANTS))


def needs_users(sandbox: Sandbox) -> None:
    if sandbox.own_users:
        pytest.skip("vcap is the only user here")


def plant_everywhere(machine: Machine, plant: Callable[[Path, int], None]) -> None:
    for name in FILES:
        path = machine.vcap / name.removeprefix("/var/vcap/")
        while True:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            try:
                plant(path, machine.stage.sandbox.vcap_uid)
                break
            except OSError as error:
                # The agent, which runs, has just written it anew.
                if error.errno not in (errno.EEXIST, errno.EADDRINUSE):
                    raise


def in_time(machine: Machine, *script: str) -> str:
    """Run a script that may fail and must not hang; its stdout."""
    done = machine.run(*script)  # which gives up after a minute
    print(done.stderr)
    return done.stdout


def serve(machine: Machine) -> Victims:
    """Deploy, and have what BOSH does not give to vcap lie outside."""
    needs_users(machine.stage.sandbox)
    machine.deploy(post_start={"timeout": 2}, dns={"enabled": True})
    machine.script("pre-start")
    machine.script("run", "start")
    machine.in_service()
    return Victims(machine.stage.sandbox)


@planted
def test_a_vm_drains_whatever_was_put_in_the_way_of_its_agent(machine: Machine, plant: str) -> None:
    victims = serve(machine)
    plant_everywhere(machine, PLANTS[plant])

    in_time(machine, "dns/healthy")
    in_time(machine, "slb-registration", "status")
    assert in_time(machine, "pre-stop") == "0\n"
    assert in_time(machine, "drain") == "0\n"
    assert machine.weight() is None
    in_time(machine, "run", "stop")
    in_time(machine, "post-stop")

    victims.assert_untouched()


@planted
def test_a_vm_drains_whatever_was_put_in_the_way_of_a_start(machine: Machine, plant: str) -> None:
    victims = serve(machine)
    machine.script("run", "stop")
    plant_everywhere(machine, PLANTS[plant])

    in_time(machine, "pre-start")
    in_time(machine, "run", "start")
    in_time(machine, "post-start")
    in_time(machine, "run", "check")
    in_time(machine, "slb-registration", "hold")
    in_time(machine, "slb-registration", "resume")
    assert in_time(machine, "drain") == "0\n"
    assert machine.weight() is None
    in_time(machine, "run", "stop")
    in_time(machine, "post-stop")

    victims.assert_untouched()


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(RUN)])
def test_start_and_stop_end_in_time_whatever_one_file_is(job: Vm, name: str) -> None:
    needs_users(job.sandbox)
    victims = Victims(job.sandbox)
    path = job.vcap / name.removeprefix("/var/vcap/")
    for plant in PLANTS.values():
        assert job.run(f"{BIN}/as-vcap", "true").returncode == 0  # the folders
        plant(path, job.sandbox.vcap_uid)

        for arguments in (("start",), ("start",), ("stop",)):
            job.run(f"{BIN}/run", *arguments)  # which gives up after a minute

        eventually(lambda: job.processes() == {})
        victims.assert_untouched()
        shutil.rmtree(path.parent)


@pytest.mark.parametrize("mode", [0o755, 0o1777], ids=["vcap's", "sticky"])
@pytest.mark.parametrize("name", FOLDERS)
def test_nothing_is_given_to_vcap_where_vcap_can_plant_a_link(
    job: Vm, name: str, mode: int
) -> None:
    needs_users(job.sandbox)
    victims = Victims(job.sandbox)
    path = job.vcap / name.removeprefix("/var/vcap/")
    path.parent.chmod(mode)
    if mode == 0o755:
        os.chown(path.parent, job.sandbox.vcap_uid, -1)
    path.symlink_to("/var/vcap/others/roots")
    os.chown(path, job.sandbox.vcap_uid, -1, follow_symlinks=False)

    assert job.run(f"{BIN}/as-vcap", "true").returncode == 0

    victims.assert_untouched()
    assert not path.is_symlink()
    assert path.stat().st_uid == job.sandbox.vcap_uid


def kind(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    return status.st_ino, status.st_mode, status.st_uid, status.st_gid


@pytest.mark.parametrize("name", FOLDERS)
def test_what_lies_in_place_of_a_folder_stays_as_it_is(job: Vm, name: str) -> None:
    needs_users(job.sandbox)
    path = job.vcap / name.removeprefix("/var/vcap/")
    for plant in PLANTS.values():
        plant(path, job.sandbox.vcap_uid)
        before = kind(path)

        done = job.run(f"{BIN}/drain")

        assert (done.stdout, done.returncode) == ("0\n", 0)
        assert kind(path) == before
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def test_a_folder_as_bosh_makes_it_becomes_vcaps(job: Vm) -> None:
    needs_users(job.sandbox)
    for name in FOLDERS:
        path = job.vcap / name.removeprefix("/var/vcap/")
        path.mkdir(mode=0o770)
        os.chown(path, 0, job.sandbox.vcap_uid)

    assert job.run(f"{BIN}/as-vcap", "true").returncode == 0

    listed = job.run("stat", "-c", "%U %G %a", *FOLDERS)
    assert listed.stdout.splitlines() == ["vcap vcap 750", "vcap vcap 750", "vcap vcap 700"]


def test_a_run_folder_as_a_stemcell_has_it_will_do(job: Vm) -> None:
    """A tmpfs where everybody may write, and in it a folder of root's for the group vcap."""
    needs_users(job.sandbox)
    run = job.vcap / "sys/run" / JOB
    run.parent.chmod(0o1777)
    run.mkdir()
    run.chmod(0o770)
    os.chown(run, 0, job.sandbox.vcap_uid)

    assert job.run(f"{BIN}/run", "start").returncode == 0
    assert (run / "agent.pid").stat().st_uid == job.sandbox.vcap_uid
    assert job.run(f"{BIN}/run", "stop").returncode == 0

    assert list(run.iterdir()) == []
    assert kind(run)[1:] == (stat.S_IFDIR | 0o770, 0, job.sandbox.vcap_uid)


NO_PRIVILEGES = {
    "NoNewPrivs": "1",
    **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16),
}


def privileges(status: str) -> dict[str, str]:
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {name: fields[name].strip() for name in NO_PRIVILEGES}


def test_the_agent_has_no_way_back_to_root(machine: Machine) -> None:
    needs_users(machine.stage.sandbox)
    machine.deploy()
    machine.script("run", "start")
    machine.in_service()

    status = Path(f"/proc/{machine.agent()}/status").read_text()

    assert privileges(status) == NO_PRIVILEGES
    uid = machine.stage.sandbox.vcap_uid
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in status
    assert status.partition("Groups:")[2].splitlines()[0].split() == [str(uid)]


def test_a_script_that_vcap_starts_has_no_new_privileges_either(job: Vm) -> None:
    put_agent(job)
    asked = (f"{BIN}/as-vcap", "cat", "/proc/self/status")
    become = (
        ()
        if job.sandbox.own_users
        else ("setpriv", "--reuid=vcap", "--regid=vcap", "--clear-groups")
    )

    done = job.run(*become, *asked)

    assert "NoNewPrivs:\t1\n" in done.stdout
