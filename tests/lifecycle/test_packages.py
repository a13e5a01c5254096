"""The packages, compiled from the built tarball without network, on each Python that is here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.lifecycle.machine import put_packages

from demo.compilation import compile_all, packages, unpack
from demo.interpreter import Interpreter
from demo.sandbox import Sandbox, SandboxError, private_vcap
from demo.vm import booted
from slb_registration import __version__

SUPPORTED = ["3.10", "3.11", "3.12", "3.13"]
TOO_OLD = ["3.7", "3.8", "3.9"]
LAUNCHER = "/var/vcap/packages/aliyun_py/bin/slb-registration"
Done = subprocess.CompletedProcess[str]


def find_python(version: str) -> Interpreter | None:
    """Return an installation of that version: from PATH, or one of pyenv's."""
    candidates = [found] if (found := shutil.which(f"python{version}")) else []
    pyenv = Path.home() / ".pyenv/versions"
    candidates += [str(path) for path in pyenv.glob(f"{version}.*/bin/python3")]
    for candidate in candidates:
        done = subprocess.run(
            [
                candidate,
                "-c",
                "import sys; print(sys.version_info[:2], sys.base_prefix, sep='\\n')",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        wanted = str(tuple(int(part) for part in version.split(".")))
        if done.stdout.startswith(wanted):
            prefix = Path(done.stdout.splitlines()[1])
            if (prefix / "bin/python3").exists() and prefix != Path("/usr"):
                return Interpreter.at(prefix)
    return None


def tried(interpreter: Interpreter, release: Path) -> Done | SandboxError:
    """Compile, and run the agent's check; what came of it."""
    with private_vcap(interpreter) as sandbox:
        try:
            compile_all(sandbox, release, print)
        except SandboxError as error:
            return error
        with booted(sandbox) as vm:
            return vm.run(LAUNCHER, "validate")


@pytest.fixture(scope="module")
def outcome(release: Path) -> Callable[[str], Done | SandboxError]:
    """What came of a version. All that are here are tried side by side, before the first test."""
    found = {version: find_python(version) for version in [*SUPPORTED, *TOO_OLD]}
    outcomes: dict[str, Future[Done | SandboxError]] = {}

    def told(version: str) -> Done | SandboxError:
        if version not in outcomes:
            pytest.skip(f"there is no Python {version} here")
        return outcomes[version].result()

    with ThreadPoolExecutor(2) as pool:
        for version, interpreter in found.items():
            if interpreter is not None:
                outcomes[version] = pool.submit(tried, interpreter, release)
    return told


def test_the_package_that_others_need_is_compiled_first(release: Path) -> None:
    assert [one.name for one in packages(release)] == ["aliyun_python_sdk_slb", "aliyun_py"]


@pytest.mark.thorough
@pytest.mark.parametrize("version", SUPPORTED)
def test_the_packages_run_on(version: str, outcome: Callable[[str], Done | SandboxError]) -> None:
    done = outcome(version)

    assert not isinstance(done, SandboxError), done
    # Everything was imported; what is missing here is only the job.
    assert done.returncode == 1
    assert "agent.json" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("version", TOO_OLD)
def test_an_older_python_is_refused_in_one_sentence(
    version: str, outcome: Callable[[str], Done | SandboxError]
) -> None:
    refusal = outcome(version)

    assert isinstance(refusal, SandboxError)
    said = [line for line in str(refusal).splitlines() if not line.startswith("+")]
    assert len(said) == 2  # the first is ours: which package failed
    assert said[1].startswith("slb-registration needs python3 3.10 or later")
    assert said[1].endswith(f"is Python {version}.")


def test_no_python_is_refused_in_one_sentence(release: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    unpack(release / "packages/aliyun_python_sdk_slb.tgz", tmp_path / "source")
    for program in ("bash", "dirname", "mkdir", "ln"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))

    done = subprocess.run(
        [shutil.which("bash") or "", "packaging"],
        cwd=tmp_path / "source",
        env={"PATH": str(tmp_path / "bin"), "BOSH_INSTALL_TARGET": str(tmp_path / "target")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "but there is none on the PATH" in done.stderr


def test_a_python_without_its_standard_library_is_refused(release: Path, tmp_path: Path) -> None:
    check = unpack(release / "packages/aliyun_python_sdk_slb.tgz", tmp_path / "source") / "python"
    (check / "json.py").write_text("raise ImportError(\"No module named 'json'\")\n")

    done = subprocess.run(
        ["python3", "-S", check / "check_python.py"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "is not complete (No module named 'json')" in done.stderr


@pytest.fixture(scope="module")
def listing(compiled: Sandbox) -> str:
    with booted(compiled) as vm:
        return vm.run("find", "-L", "/var/vcap/packages", "-type", "f").stdout


def test_everything_is_byte_compiled(listing: str) -> None:
    files = listing.splitlines()
    sources = [file for file in files if file.endswith(".py")]
    compiled = [file for file in files if file.endswith(".pyc")]

    assert len(sources) > 100
    assert len(compiled) == len(sources)


def test_the_licences_of_what_is_packed_are_there(listing: str) -> None:
    for name in ("jmespath", "tenacity"):
        assert f"/lib/{name}-" in listing
        assert any(f"/lib/{name}-" in file and "LICENSE" in file for file in listing.splitlines())


def test_the_agent_knows_which_build_it_is(compiled: Sandbox, release: Path) -> None:
    (package,) = [one for one in packages(release) if one.name == "aliyun_py"]
    with booted(compiled) as vm:
        done = vm.run(LAUNCHER, "--version")

    assert done.stdout == f"{__version__} (aliyun_py/{package.fingerprint})\n"


def test_the_environment_and_the_stemcells_packages_have_no_say(
    compiled: Sandbox, sandbox: Sandbox
) -> None:
    put_packages(compiled, sandbox)
    planted = sandbox.vcap / "planted/tenacity"
    planted.mkdir(parents=True)
    (planted / "__init__.py").write_text("raise SystemExit('planted')\n")
    (sandbox.vcap / "planted/usercustomize.py").write_text("raise SystemExit('planted')\n")
    with booted(sandbox) as vm:
        done = vm.run(
            *(LAUNCHER, "validate"),
            environment={"PYTHONPATH": "/var/vcap/planted", "PYTHONHOME": "/nowhere"},
        )

    assert "planted" not in done.stderr
    assert "agent.json" in done.stderr
