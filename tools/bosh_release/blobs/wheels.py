"""Gets a Python wheel by its file name, with pip and whatever package index pip is set up for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bosh_release.support import children
from bosh_release.support.errors import ReleaseError
from bosh_release.support.scratch import scratch_folder

# https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention
_FILE_NAME = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-[0-9][^-]*)?"
    r"-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)


@dataclass(frozen=True)
class Wheel:
    """A wheel's file name and what it says."""

    file_name: str
    name: str
    version: str


def parse_wheel(path: str) -> Wheel:
    """Read name and version from the file name of a wheel.

    Raises ReleaseError for other files, and for wheels that run only on some platforms.
    """
    file_name = path.rpartition("/")[2]
    match = _FILE_NAME.fullmatch(file_name)
    if match is None:
        raise ReleaseError(
            f"{path} is not a Python wheel (NAME-VERSION-PYTHON-ABI-PLATFORM.whl), so pip cannot"
            " get it: put the file there yourself, or use `bosh sync-blobs`"
        )
    if (match["abi"], match["platform"]) != ("none", "any"):
        raise ReleaseError(
            f"{path} is made for {match['abi']} on {match['platform']}: only wheels for every"
            " platform (…-none-any.whl) can be compiled into a package on any stemcell"
        )
    return Wheel(file_name, match["name"], match["version"])


@contextmanager
def downloaded(wheel: Wheel) -> Iterator[Path]:
    """Download a wheel; yield its path, which is gone afterwards.

    Raises ReleaseError with pip's own reason.
    """
    with scratch_folder("release-blobs-") as scratch:
        folder, own = scratch / "wheels", scratch / "pip"
        own.mkdir()
        done = children.run(
            [*_PIP, "--dest", folder, f"{wheel.name}=={wheel.version}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "TMPDIR": str(own)},  # so that what it leaves goes, too
        )
        if done.returncode:
            raise ReleaseError(
                f"pip could not download {wheel.name} {wheel.version}:\n  {_reason(done.stderr)}"
            )
        path = folder / wheel.file_name
        if not path.exists():
            got = ", ".join(sorted(file.name for file in folder.iterdir())) or "nothing"
            raise ReleaseError(
                f"pip chose {got} for {wheel.name} {wheel.version}, not {wheel.file_name}"
            )
        yield path


# a wheel for any platform, whatever interpreter this is; nothing is built or run
_PIP = (
    *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input"),
    *("--disable-pip-version-check", "--progress-bar", "off", "--no-deps"),
    *("--only-binary", ":all:", "--implementation", "py", "--abi", "none", "--platform", "any"),
)


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return "\n  ".join(errors or lines[-5:] or ["it gave no reason"])
