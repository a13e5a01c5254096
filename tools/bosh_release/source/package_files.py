"""Finds the files of src/ and blobs/ that go into a package, by the patterns of its spec."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from bosh_release.source.globbing import glob
from bosh_release.source.source_files import SourceFile, source_file
from bosh_release.source.specs import PackageSpec
from bosh_release.support.errors import ContextError, ReleaseError, doing, os_failure


class PackageFolders:
    """The places that packages take files from; `blob_paths` are those of config/blobs.yml."""

    def __init__(self, release_dir: Path, blob_paths: Iterable[str]) -> None:
        self._src = release_dir / "src"
        self._blobs = release_dir / "blobs"
        # others in blobs/ do not count: the CLI would delete them
        self._known_blobs = {os.path.normpath(self._blobs / path) for path in blob_paths}
        self._real_folders: dict[Path, bool] = {}  # answers so far

    def files_of(
        self, package_dir: Path, spec: PackageSpec
    ) -> tuple[tuple[SourceFile, ...], tuple[SourceFile, ...]]:
        """Return all files of a package, and again those to run before packing: pre_packaging.

        Raises ReleaseError.
        """
        packaging = self._script(package_dir / "packaging")
        if packaging is None:
            raise ReleaseError(
                f"Expected to find '{package_dir}/packaging' for package '{spec.name}'"
            )
        pre_packaging = self._script(package_dir / "pre_packaging") or ()
        by_name = self._matching(spec)
        for special in ("packaging", "pre_packaging"):
            if special in by_name:
                raise ReleaseError(
                    f"Expected special '{special}' file to not be included via 'files' key"
                    f" for package '{spec.name}'"
                )
        return (*packaging, *pre_packaging, *by_name.values()), pre_packaging

    def _script(self, path: Path) -> tuple[SourceFile, ...] | None:
        if not exists(path):
            return None
        try:
            packable = self._is_packable(path)
        except OSError as error:
            failure = os_failure("lstat", error.filename or path, error)
            raise ReleaseError(f"Unexpected error occurred: {failure}") from error
        return (source_file(path, path.parent, mode_counts=False),) if packable else ()

    def _matching(self, spec: PackageSpec) -> dict[str, SourceFile]:
        by_name: dict[str, SourceFile] = {}
        for pattern in spec.files:
            found = list(self._packable_matches(pattern))
            if not found:
                raise ReleaseError(f"Missing files for pattern '{pattern}'")
            for file in found:  # src comes first and shadows blobs
                by_name.setdefault(file.relative, file)
        for pattern in spec.excluded_files:
            for root in (self._src, self._blobs):
                for path in self._glob(root, pattern, "excluded files"):
                    by_name.pop(source_file(path, root).relative, None)
        return by_name

    def _packable_matches(self, pattern: str) -> Iterator[SourceFile]:
        for root in (self._src, self._blobs):
            for path in self._glob(root, pattern, "files"):
                try:
                    packable = self._is_packable(path)
                except OSError as error:
                    failure = os_failure("lstat", error.filename or path, error)
                    raise ContextError("Checking file packageability", failure) from error
                if packable:
                    yield source_file(path, root)

    def _glob(self, root: Path, pattern: str, what: str) -> list[Path]:
        with doing(f"Listing package {what} in {root.name}"):
            return glob(root, pattern, self._is_stray_blob)

    def _is_stray_blob(self, path: str) -> bool:
        return path.startswith(f"{self._blobs}/") and path not in self._known_blobs

    def _is_packable(self, path: Path) -> bool:
        """Tell whether `path` is a link, or a file that is not reached through a linked folder.

        The CLI asks whether the way from src/ to it is also the way from the real src/ to the real
        file: so src/, packages/ and blobs/ must have the same real parent.
        """
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            return False
        real_src = os.path.realpath(self._src, strict=True)
        return stat.S_ISLNK(mode) or self._is_real_folder(path.parent, real_src)

    def _is_real_folder(self, folder: Path, real_src: str) -> bool:
        if folder not in self._real_folders:
            real = os.path.realpath(folder, strict=True)
            here, there = os.path.relpath(folder, self._src), os.path.relpath(real, real_src)
            self._real_folders[folder] = here == there
        return self._real_folders[folder]


def exists(path: Path) -> bool:
    """Tell whether there is something at `path`, links followed; also if it cannot be looked at."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
