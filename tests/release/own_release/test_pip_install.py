"""`pip install .` gives the agent, for whoever wants it without BOSH: by hand, or in an image."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml
from tests.paths import ROOT

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml by itself")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED_BY_OTHERS = {"jmespath"}
"""Blobs that only the SDK imports: pip brings them because of it."""
OFFLINE = ("--no-deps", "--no-index", "--disable-pip-version-check")


def run(*arguments: object, **environment: str) -> str:
    """Run a Python of these arguments and return its stdout."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_it_depends_on_the_versions_that_the_release_carries() -> None:
    blobs = yaml.safe_load((ROOT / "release/config/blobs.yml").read_text())
    carried = dict(path.rpartition("/")[2].split("-")[:2] for path in blobs)

    wanted = dict(one.replace("-", "_").split("==") for one in PROJECT["dependencies"])

    assert {**wanted, **{name: carried[name] for name in WANTED_BY_OTHERS}} == carried


def test_the_program_is_there_under_its_name() -> None:
    ((name, value),) = PROJECT["scripts"].items()

    program = EntryPoint(name, value, "console_scripts").load()

    assert name == "slb-registration"
    with pytest.raises(SystemExit) as ended:
        program(["--version"])
    assert ended.value.code in (0, None)


@pytest.mark.thorough
def test_the_wheel_has_the_agent_whole_and_starts(tmp_path: Path) -> None:
    run("-m", "pip", "wheel", "--no-build-isolation", *OFFLINE, "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        message = email.message_from_bytes(archive.read(metadata))
    sources = {
        str(path.relative_to(ROOT / "release/src"))
        for path in (ROOT / "release/src/slb_registration").rglob("*.py")
    }
    assert {name for name in names if ".dist-info/" not in name} == sources
    assert sorted(message.get_all("Requires-Dist", [])) == sorted(PROJECT["dependencies"])
    assert {name.rpartition("/")[2] for name in names} >= {"LICENSE", "NOTICE"}

    target = tmp_path / "installed"
    run("-m", "pip", "install", *OFFLINE, "--target", target, wheel)
    told = run(target / "bin/slb-registration", "--version", PYTHONPATH=str(target))
    assert told == f"{PROJECT['version']} (not from a package)\n"
