"""The release's own tools, run as anyone runs them: tools/release.py build and render."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from demo.installation import JOB

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "release/manifests/slb-registration.yml"
_TIMEOUT_SECONDS = 120


class ToolError(Exception):
    """tools/release.py refused; the message is its own."""


def build(output: Path) -> None:
    """Build the tarball of release/ as it stands. Raises ToolError."""
    release("build", "--version", "0+demo", "--force", "--output", str(output))


def render(manifest: Path, variables: Path, deployment: str, output: Path) -> Path:
    """Render a manifest's one job and return the folder of its files. Raises ToolError."""
    release(
        *("render", "--manifest", str(manifest), "--deployment", deployment),
        *("-l", str(variables), "--output", str(output)),
    )
    return output / JOB


def release(*arguments: str) -> str:
    """Run tools/release.py and return what it printed. Raises ToolError."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools/release.py", *arguments],
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
    )
    if done.returncode != 0:
        raise ToolError(f"tools/release.py {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def write_manifest(path: Path, extra: Mapping[str, object]) -> None:
    """Write the README's manifest with more properties for its job."""
    manifest = yaml.safe_load(MANIFEST.read_text())
    manifest["instance_groups"][0]["jobs"][0]["properties"].update(extra)
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))


def write_secrets(path: Path, values: Mapping[str, str]) -> None:
    """Write a file of variables that nobody else can read."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(yaml.safe_dump(dict(values)))
