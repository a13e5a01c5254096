"""A release folder that changes while it is built: what is packed is what has the fingerprint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.paths import ROOT

from bosh_release.build import building, packing
from bosh_release.build.building import build_release
from bosh_release.source import release_source
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.part_checks import Exceptions
from bosh_release.tarball.release_checks import verify_tarball

MakeRelease = Callable[[dict[str, Any]], Path]
RELEASE_PY = ROOT / "tools" / "release.py"
FILES = {
    "packages/p/spec": "name: p\nfiles: ['app/**/*']\n",
    "packages/p/packaging": "true\n",
    "src/app/data": "one",
    "src/app/run": ("#!/bin/sh\n", 0o755),
    "jobs/j/spec": "name: j\npackages: [p]\ntemplates: {t.erb: bin/t}\n",
    "jobs/j/templates/t.erb": "one",
    "jobs/j/monit": "one",
    "LICENSE": "one",
    "NOTICE": "one",
}


@pytest.fixture
def before_packing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something once all fingerprints are made."""

    def arrange(change: Callable[[], object]) -> None:
        def pack_all(*arguments: Any) -> Any:
            change()
            return packing.pack_all(*arguments)

        monkeypatch.setattr(building, "pack_all", pack_all)

    return arrange


@pytest.mark.parametrize("now", ["two", "longer", "", None])
@pytest.mark.parametrize(
    "name",
    [
        *("packages/p/packaging", "src/app/data", "jobs/j/spec", "jobs/j/templates/t.erb"),
        *("jobs/j/monit", "LICENSE", "NOTICE"),
    ],
)
def test_a_file_that_changes_after_its_fingerprint_was_made_is_refused(
    name: str,
    now: str | None,
    make_release: MakeRelease,
    tmp_path: Path,
    before_packing: Callable[[Callable[[], object]], None],
) -> None:
    folder = make_release(FILES)
    path = folder / name
    length = path.stat().st_size

    def change() -> None:
        if now is None:
            path.unlink()
        else:
            path.write_text(now.ljust(length))

    before_packing(change)
    output = tmp_path / "new" / "o.tgz"
    with pytest.raises(ReleaseError) as caught:
        build_release(folder, version="1", output=output)
    said = str(caught.value)
    assert f"{path} changed while it was being packed: build again" in said or (
        now is None and f"stat {path}: no such file or directory" in said
    )
    assert not output.parent.exists()


def test_a_source_of_pre_packaging_that_changes_is_refused(
    make_release: MakeRelease,
    tmp_path: Path,
    before_packing: Callable[[Callable[[], object]], None],
) -> None:
    folder = make_release({**FILES, "packages/p/pre_packaging": "rm app/data\n"})
    before_packing(lambda: (folder / "src/app/data").write_text("two"))
    with pytest.raises(ReleaseError, match=r"data changed while it was being packed"):
        build_release(folder, version="1", output=tmp_path / "o.tgz")


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
    make_release: MakeRelease,
    tmp_path: Path,
    before_packing: Callable[[Callable[[], object]], None],
) -> None:
    folder = make_release(FILES)

    def change() -> None:
        (folder / "src/app/data").unlink()
        os.mkfifo(folder / "src/app/data")

    before_packing(change)
    with pytest.raises(ReleaseError, match=r"data changed while it was being packed"):
        build_release(folder, version="1", output=tmp_path / "o.tgz")


def test_links_and_modes_are_packed_as_they_were_in_the_fingerprint(
    make_release: MakeRelease,
    tmp_path: Path,
    link: Callable[[str], Any],
    before_packing: Callable[[Callable[[], object]], None],
) -> None:
    folder = make_release({**FILES, "src/app/link": link("data")})

    def change() -> None:
        (folder / "src/app/run").chmod(0o644)
        (folder / "src/app/link").unlink()
        (folder / "src/app/link").symlink_to("run")

    before_packing(change)
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert verify_tarball(built.path, Exceptions()).notes == ()


def test_a_job_s_spec_that_changes_after_it_was_understood_is_refused(
    make_release: MakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_release(FILES)
    read_job_contents = release_source.read_job_contents

    def read_and_change(path: Path) -> Any:
        spec = read_job_contents(path)
        path.write_text(path.read_text().replace("[p]", "[q]"))
        return spec

    monkeypatch.setattr(release_source, "read_job_contents", read_and_change)
    with pytest.raises(ReleaseError, match=r"j/spec changed while it was being packed"):
        build_release(folder, version="1", output=tmp_path / "o.tgz")


def test_builds_at_once_count_without_sharing_a_number(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release(FILES)
    builds = [
        subprocess.Popen(
            [sys.executable, str(RELEASE_PY), "build", "--release-dir", str(folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    said = [process.communicate(timeout=60)[0].splitlines()[0] for process in builds]
    assert sorted(said) == [f"Built t 0+dev.{number} from commit non-git" for number in range(1, 7)]
    made = sorted(path.name for path in (folder / "dev_releases/t").glob("*.tgz"))
    assert made == [f"t-0+dev.{number}.tgz" for number in range(1, 7)]
