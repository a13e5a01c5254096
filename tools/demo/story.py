"""The demo's eight steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from demo import cloud, compilation, workshop
from demo.installation import BIN, install, logs
from demo.service import HEALTH_PATH
from demo.stage import Stage
from demo.vm import Vm
from mock_slb.data_plane.plane import DataPlane

STEPS = 8
# Generous: they bound a failure, not a success.
_PATIENCE_SECONDS = 20
_DRAIN_TIMEOUT_SECONDS = 15
_LINES_OF_A_LOG = 15


class DemoError(Exception):
    """A step did not do what it should."""


def play(stage: Stage) -> str:
    """Play all steps, and return what to say at the end. Raises what went wrong, with a message."""
    before = stage.other_servers()
    introduce(stage)
    build_render_compile(stage)
    with stage.booted() as vm:
        try:
            start(stage, vm)
            fail_and_recover(stage)
            errand(stage, vm)
            drain_and_stop(stage, vm)
        except Exception:
            _show_logs(stage)
            raise
    if stage.client is not None:
        stage.client.stop()
    if stage.other_servers() != before:
        raise DemoError(f"the other servers were {before} and are {stage.other_servers()}")
    return _summary(stage)


def introduce(stage: Stage) -> None:
    """Step 1: the mocked cloud, which is there already."""
    with stage.step("start the mocked Alibaba Cloud"):
        if stage.in_place:
            stage.screen.say("in this machine's own /var/vcap, and always with its network")
        listeners = " and ".join(f"{name}:{port}" for port, name in cloud.LISTENERS.items())
        others = ", ".join(server.server_id for server in stage.other_servers())
        stage.screen.say(f"{stage.server.url} is {cloud.REGION} and the metadata service")
        stage.screen.say(f"{cloud.LOAD_BALANCER} listens on {listeners}; in it are {others}")
        begin_to_ask(stage)


def begin_to_ask(stage: Stage) -> None:
    """Let the client ask, once there is somebody to answer."""
    client, plane = stage.client, stage.server.data_plane
    if client is None or plane is None:
        stage.screen.say(f"nobody asks through the load balancer: {stage.without_client}")
        return
    stage.watch.wait(lambda: all_serve(plane), "others serve", _PATIENCE_SECONDS)
    stage.screen.say("a client asks through it from now on, by new connections and by a kept one")
    client.start()


def all_serve(plane: DataPlane) -> bool:
    """Whether every listener sends to every server that is there."""
    listeners = plane.traffic().values()
    return all(server.share for listener in listeners for server in listener.servers)


def hear_from(stage: Stage, *servers: str) -> None:
    """Wait until each of them has answered the client again."""
    client = stage.client
    if client is not None:
        before = client.answers
        stage.watch.wait(
            lambda: all(client.answers[name] > before[name] for name in servers),
            f"answers from {', '.join(servers)}",
            _PATIENCE_SECONDS,
        )


def build_render_compile(stage: Stage) -> None:
    """Steps 2 to 4: from the sources to packages and a job in the private /var/vcap."""
    screen, sandbox = stage.screen, stage.sandbox
    tarball = stage.folder / "e2e-test.tgz"
    with stage.step("build the release: tools/release.py build"):
        workshop.build(tarball)
        screen.say(f"{tarball.name}, {tarball.stat().st_size / 1e6:.1f} MB")

    manifest, variables = stage.folder / "manifest.yml", stage.folder / "secrets.yml"
    with stage.step("render the job: tools/release.py render"):
        workshop.write_manifest(manifest, properties(stage))
        workshop.write_secrets(
            variables, {"access_key": stage.keys.access_key, "secret_key": stage.keys.secret_key}
        )
        rendered = workshop.render(manifest, variables, cloud.DEPLOYMENT, stage.folder / "rendered")
        files = sorted(
            str(file.relative_to(rendered)) for file in rendered.rglob("*") if file.is_file()
        )
        screen.say(", ".join(files))

    with stage.step("compile the packages from the tarball, without network"):
        release = compilation.unpack(tarball, stage.folder / "release")
        compilation.compile_all(sandbox, release, lambda name: screen.say(f"packages/{name}"))
        install(sandbox, rendered)


def properties(stage: Stage) -> Mapping[str, object]:
    """Return what the demo adds to the README's manifest: its service, its cloud, and haste."""
    return {
        "health_check": {
            "type": "http",
            "port": stage.service.port,
            "path": HEALTH_PATH,
            "interval": 0.5,
            "timeout": 0.4,
        },
        "endpoints": dict.fromkeys(("slb", "alb", "nlb", "metadata"), stage.server.url),
        "drain": {"min_wait": 1, "timeout": _DRAIN_TIMEOUT_SECONDS},
    }


def start(stage: Stage, vm: Vm) -> None:
    """Step 5: from the first registration to normal."""
    with stage.step("start the job: bin/pre-start, bin/run start"):
        _script(vm, "pre-start")
        _script(vm, "run", "start")
        stage.watch.until(
            lambda seen: seen.weight == 100 and seen.in_service, "in service", _PATIENCE_SECONDS
        )
        hear_from(stage, cloud.OUR_SERVER)


def fail_and_recover(stage: Stage) -> None:
    """Step 6: the service's health decides the weight."""
    with stage.step("the service fails its health check, and recovers"):
        stage.service.healthy = False
        stage.watch.until(lambda seen: seen.weight == 0, "weight 0", _PATIENCE_SECONDS)
        stage.service.healthy = True
        stage.watch.until(
            lambda seen: seen.weight == 100 and seen.in_service, "weight 100", _PATIENCE_SECONDS
        )
        hear_from(stage, cloud.OUR_SERVER)


def errand(stage: Stage, vm: Vm) -> None:
    """Step 7: the table."""
    with stage.step("the errand: bin/run"):
        stage.screen.quote(_script(vm, "run"))


def drain_and_stop(stage: Stage, vm: Vm) -> None:
    """Step 8: out of rotation, then the end of the service and of the job."""
    with stage.step("drain and stop: bin/drain, the service, bin/run stop"):
        with vm.popen(f"{BIN}/drain", "job_shutdown", "hash_unchanged") as drain:
            stage.watch.until(
                lambda seen: seen.weight is None, "removed", _DRAIN_TIMEOUT_SECONDS + 5
            )
            printed, said = drain.communicate(timeout=_PATIENCE_SECONDS)
        if (printed, drain.returncode) != ("0\n", 0):
            raise DemoError(f"drain printed {printed!r} and ended with {drain.returncode}:\n{said}")
        stage.screen.say(f"drain printed {printed.strip()}")
        stage.service.stop()
        hear_from(stage, *cloud.OTHER_SERVERS)
        _script(vm, "run", "stop")
        if left := vm.processes():
            raise DemoError(f"still running after run stop: {', '.join(left.values())}")


def _script(vm: Vm, name: str, *arguments: str) -> str:
    """Run one of the job's scripts and return its stdout. Raises DemoError if it fails."""
    done = vm.run(f"{BIN}/{name}", *arguments, timeout_seconds=_PATIENCE_SECONDS)
    if done.returncode != 0:
        raise DemoError(
            f"bin/{' '.join((name, *arguments))} ended with {done.returncode}:\n"
            f"{done.stdout}{done.stderr}"
        )
    return done.stdout


def _show_logs(stage: Stage) -> None:
    for log in sorted(logs(stage.sandbox).glob("*.log")):
        stage.screen.say(f"the end of {log.name}:")
        stage.screen.say("\n".join(log.read_text().splitlines()[-_LINES_OF_A_LOG:]))


def _summary(stage: Stage) -> str:
    calls = Counter(
        call.action for call in stage.server.calls.all() if not call.action.startswith("metadata:")
    )
    writes = sum(n for action, n in calls.items() if not action.startswith("Describe"))
    return (
        f"{cloud.OUR_SERVER} was registered, taken out while unhealthy, put back, drained and "
        f"removed: {sum(calls.values())} API calls, {writes} of them changes. "
        "The two other backend servers were never touched."
    )
