"""What a compilation VM does with the packages of a release, as root and without network."""

from __future__ import annotations

import graphlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import yaml

from bosh_release.support.digests import pieces_of
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.archive_content import read_content
from bosh_release.tarball.inflating import Budget, unpacked
from bosh_release.tarball.tar_reader import Member, read_tar
from demo.sandbox import Sandbox, SandboxError

_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Package:
    """A package as the tarball's release.MF names it."""

    name: str
    fingerprint: str
    dependencies: tuple[str, ...]


def unpack(archive: Path, into: Path) -> Path:
    """Unpack a .tgz into a new folder and return that.

    Only files, folders and links are made, and they belong to whoever runs this. Raises
    SandboxError for an archive that cannot be read or holds anything else.
    """
    try:
        problems = read_content(pieces_of(archive), Budget()).problems
        if not problems:
            into.mkdir(parents=True)
            budget = Budget()
            for member in read_tar(unpacked(pieces_of(archive), budget), budget):
                _make(member, into)
    except (ReleaseError, OSError) as error:
        problems = [str(error)]
    if problems:
        raise SandboxError(f"{archive} is not unpacked: {'; '.join(problems)}")
    return into


def _make(member: Member, into: Path) -> None:
    """Make what a member of a checked archive says; nothing that is there is written to."""
    path = into / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.kind == "folder":
        path.mkdir(exist_ok=True)
    elif member.kind == "link":
        path.symlink_to(member.target)
    elif member.kind == "hard link":
        path.hardlink_to(into / member.target)
    elif member.kind == "file":
        with path.open("xb") as file:
            file.writelines(member.content)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)


def packages(release: Path) -> list[Package]:
    """Return the packages of an unpacked release, each after those it depends on."""
    entries = yaml.safe_load((release / "release.MF").read_text())["packages"]
    by_name = {
        entry["name"]: Package(entry["name"], entry["fingerprint"], tuple(entry["dependencies"]))
        for entry in entries
    }
    order = graphlib.TopologicalSorter({one.name: one.dependencies for one in by_name.values()})
    return [by_name[name] for name in order.static_order()]


def compile_all(sandbox: Sandbox, release: Path, announce: Callable[[str], None]) -> None:
    """Compile and install every package of an unpacked release into the sandbox's /var/vcap.

    Each package's name is announced first. Raises SandboxError with the end of the script's output
    if a packaging script fails.
    """
    for package in packages(release):
        announce(package.name)
        _compile(sandbox, release / "packages" / f"{package.name}.tgz", package)


def _compile(sandbox: Sandbox, archive: Path, package: Package) -> None:
    source = unpack(archive, sandbox.vcap / "data/compile" / package.name)
    installed = f"data/packages/{package.name}/{package.fingerprint}"
    (sandbox.vcap / installed).mkdir(parents=True)
    link = sandbox.vcap / "packages" / package.name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(f"/var/vcap/{installed}")

    command = ["env", "-i", *_environment(sandbox, package), "bash", "-x", "packaging"]
    folder = f"/var/vcap/data/compile/{package.name}"
    done = subprocess.run(
        sandbox.compiling(command, folder),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_SECONDS,
    )
    if done.returncode != 0:
        end = "\n".join(done.stdout.splitlines()[-20:])
        raise SandboxError(f"packaging of {package.name} failed ({done.returncode}):\n{end}")
    rmtree(source)


def _environment(sandbox: Sandbox, package: Package) -> Iterator[str]:
    """What the BOSH agent sets for a packaging script."""
    yield f"PATH={sandbox.path}"
    yield f"BOSH_COMPILE_TARGET=/var/vcap/data/compile/{package.name}"
    yield f"BOSH_INSTALL_TARGET=/var/vcap/packages/{package.name}"
    yield f"BOSH_PACKAGE_NAME={package.name}"
    yield f"BOSH_PACKAGE_VERSION={package.fingerprint}.1"  # compiled for the first time
