"""The order in which BOSH stops the jobs of a VM: every pre-stop, every drain, monit, post-stop."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterable

from tests.lifecycle.machine import Machine, eventually, write_program
from tests.ports import free_port

from demo.installation import JOB

PYTHON = "/var/vcap/packages/aliyun_python_sdk_slb/bin/python3"

# Keeps its connections open, as a web server does between requests, until its own drain.
WEB = """\
import signal, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
kept = []
def close(*_):
    for one in kept:
        one.close()
signal.signal(signal.SIGUSR1, close)
while True:
    kept.append(server.accept()[0])
"""
START = f"""\
#!/bin/sh
{PYTHON} -I /var/vcap/jobs/web/bin/web.py PORT >/dev/null 2>&1 &
echo $! >/var/vcap/sys/run/web.pid
"""
STOP = "#!/bin/sh\nkill $(cat /var/vcap/sys/run/web.pid)\n"
MONIT = """\
check process web with pidfile /var/vcap/sys/run/web.pid
  start program "/var/vcap/jobs/web/bin/start"
  stop program "/var/vcap/jobs/web/bin/stop"
  group vcap
"""
# It has to be seen that the connection is waited for before it is closed.
WEB_DRAIN = """\
#!/bin/sh
until [ -e /var/vcap/sys/run/close ]; do sleep 0.05; done
kill -USR1 $(cat /var/vcap/sys/run/web.pid)
echo 0
"""
SLOW_PRE_STOP = "#!/bin/sh\nuntil [ -e /var/vcap/sys/run/go-on ]; do sleep 0.05; done\n"


def put_job(machine: Machine, name: str, scripts: dict[str, str], monit: str = "") -> None:
    folder = machine.vcap / "jobs" / name
    (folder / "bin").mkdir(parents=True)
    for script, text in scripts.items():
        write_program(folder / "bin" / script, text)
        (folder / "bin" / script).chmod(0o755)
    (folder / "monit").write_text(monit)


def begun(machine: Machine, script: str, jobs: Iterable[str]) -> dict[str, subprocess.Popen[str]]:
    """The script of each job that has it, side by side."""
    return {job: machine.vm.popen(f"/var/vcap/jobs/{job}/bin/{script}") for job in jobs}


def ended(processes: dict[str, subprocess.Popen[str]]) -> dict[str, str]:
    said = {job: process.communicate()[0] for job, process in processes.items()}
    assert {process.returncode for process in processes.values()} == {0}
    return said


def test_a_connection_ends_with_the_services_own_drain_and_not_with_ours(machine: Machine) -> None:
    """A lasting connection cost the whole of drain.timeout in pre-stop, and was then cut."""
    port = free_port()
    put_job(
        machine,
        "web",
        {
            "web.py": WEB,
            "start": START.replace("PORT", str(port)),
            "stop": STOP,
            "drain": WEB_DRAIN,
        },
        MONIT,
    )
    put_job(machine, "slow", {"pre-stop": SLOW_PRE_STOP})
    machine.start(drain={"connections_port": port, "ignore_cidrs": ["192.0.2.0/24"]})
    eventually(lambda: socket.create_connection(("127.0.0.1", port)).close() is None)

    with socket.create_connection(("127.0.0.1", port)) as client:
        pre_stops = begun(machine, "pre-stop", [JOB, "slow"])
        assert pre_stops[JOB].communicate()[0] == "0\n"
        assert machine.weight() == 0
        (machine.vcap / "sys/run/go-on").touch()
        ended(pre_stops)

        for job in (JOB, "web"):
            machine.monit("unmonitor", job)
        drains = begun(machine, "drain", [JOB, "web"])
        eventually(lambda: status(machine)["drain"]["connections"] == 1)
        assert drains[JOB].poll() is None
        assert machine.weight() == 0
        (machine.vcap / "sys/run/close").touch()
        assert client.recv(1) == b""
        assert ended(drains) == {JOB: "0\n", "web": "0\n"}

    assert machine.weight() is None
    # BOSH's monit stops what it does not monitor, Debian's does nothing: as monit would.
    machine.script("run", "stop")
    machine.script("post-stop")
    events = [json.loads(line) for line in machine.log("agent.stdout").splitlines()]
    stages = [event["stage"] for event in events if event["message"] == "drain"]
    assert stages == ["waiting", "awaiting drain", "waiting", "removing", "done"]
    assert not [event for event in events if "connections remain" in event["message"]]


def status(machine: Machine) -> dict:
    return json.loads(machine.run("slb-registration", "status", "--json").stdout)
