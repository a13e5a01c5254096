"""The folder that is written: replaced as a whole, or left as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.release.render.sample_job import names_in

from bosh_release.render.output.rendered_folder import MARKER
from bosh_release.render.rendering import render_to
from bosh_release.render.request import Request

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)


def test_earlier_rendering_is_replaced_as_a_whole(
    tmp_path: Path, manifest: Callable[..., Path], run: Callable[..., tuple[int, str]]
) -> None:
    assert run(manifest({"port": 1}))[0] == 0
    (tmp_path / "out" / "web" / "stale").write_text("x")
    (tmp_path / "out" / "old-job").mkdir()
    assert run(manifest({"port": 2}))[0] == 0
    assert names_in(tmp_path / "out") == [MARKER, "web"]
    assert not (tmp_path / "out" / "web" / "stale").exists()
    assert names_in(tmp_path) == ["manifest.yml", "out", "rel"]


def test_failure_leaves_an_earlier_rendering_as_it_was(
    tmp_path: Path,
    release: Path,
    manifest: Callable[..., Path],
    run: Callable[..., tuple[int, str]],
    refused: Callable[..., str],
) -> None:
    assert run(manifest({"port": 1}))[0] == 0
    rendered = tmp_path / "out" / "web" / "config" / "deep" / "web.json"
    before = rendered.read_bytes()
    (release / "jobs" / "web" / "templates" / "run.erb").write_text("<% raise 'x' %>")
    refused(manifest({"port": 2}))
    assert rendered.read_bytes() == before


def test_empty_folder_and_missing_parents_are_fine(
    tmp_path: Path, release: Path, manifest: Callable[..., Path]
) -> None:
    (tmp_path / "empty").mkdir()
    request = Request(manifest(), release, deployment="dep")
    render_to(tmp_path / "empty", request)
    render_to(tmp_path / "a" / "b", request)
    assert (tmp_path / "a" / "b" / "web" / "monit").is_file()
    assert (tmp_path / "empty" / "web" / "monit").is_file()


def test_folder_with_other_things_is_never_replaced(
    tmp_path: Path, manifest: Callable[..., Path], refused: Callable[..., str]
) -> None:
    other = tmp_path / "other" / "web"
    other.mkdir(parents=True)
    (other / "monit").write_text("precious")
    message = refused(manifest(), "--output", tmp_path / "other")
    assert "not empty and not an earlier rendering; nothing was changed" in message
    assert (other / "monit").read_text() == "precious"
    assert "is not a folder" in refused(manifest(), "--output", tmp_path / "manifest.yml")


def test_link_to_a_folder_is_followed(
    tmp_path: Path, release: Path, manifest: Callable[..., Path]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    request = Request(manifest(), release, deployment="dep")
    for _ in range(2):
        render_to(tmp_path / "link", request)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "web" / "monit").is_file()
