"""A release with the job `web`, manifests for it, and rendering that is looked at or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.release.render.sample_job import SHOW_ALL, SPEC, names_in, write_job

from bosh_release.cli import main


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "rel"
    write_job(
        folder,
        SPEC,
        {"run.erb": "#!/bin/sh\n", "healthy.erb": "exit 0\n", "web.json.erb": SHOW_ALL},
    )
    (folder / "config").mkdir()
    (folder / "config" / "final.yml").write_text("name: rel\n")
    return folder


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    def write(own: Any = None, **group: Any) -> Path:
        job = {"name": "web", "release": "rel"}
        if own is not None:
            job["properties"] = own
        document = {"instance_groups": [{"name": "grp", "jobs": [job], **group}]}
        path = tmp_path / "manifest.yml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    return write


@pytest.fixture
def run(
    tmp_path: Path, release: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run the command; returns its exit code and all of stderr."""

    def call(manifest: Path, *options: object) -> tuple[int, str]:
        arguments = ["render", "--manifest", manifest, "--release-dir", release]
        arguments += ["--output", tmp_path / "out", *options]
        if "-d" not in options and "--no-name" not in options:
            arguments += ["-d", "dep"]
        code = main([str(each) for each in arguments if each != "--no-name"])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        assert code in (0, 1)
        if code:
            assert captured.out == ""
        return code, captured.err

    return call


@pytest.fixture
def shown(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> Callable[..., dict[str, Any]]:
    """Render the job `web` and return what its template saw."""

    def call(manifest: Path, *options: object, warning: str = "") -> dict[str, Any]:
        code, errors = run(manifest, *options)
        assert code == 0
        assert errors.count("\n") == bool(warning)
        assert warning in errors
        text = (tmp_path / "out" / "web" / "config" / "deep" / "web.json").read_text()
        seen: dict[str, Any] = json.loads(text)
        return seen

    return call


@pytest.fixture
def refused(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> Callable[..., str]:
    """Run the command, which must fail and write nothing; returns the message."""

    def call(manifest: Path, *options: object) -> str:
        before = names_in(tmp_path)
        code, errors = run(manifest, *options)
        assert code == 1
        assert names_in(tmp_path) == before
        return errors

    return call
