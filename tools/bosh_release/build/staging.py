"""Turns the files of a job, package or license into the entries of its archive.

The BOSH CLI copies them into a folder and packs that. Here the folder is only imagined, except for
packages with the deprecated pre_packaging script, which runs in it.
"""

from __future__ import annotations

import os
import posixpath
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bosh_release.build.tar_format import (
    FILE,
    FOLDER,
    HARD_LINK,
    LINK,
    PIPE,
    Entry,
    file_pieces,
    size_of,
)
from bosh_release.source.release_source import Part
from bosh_release.source.source_files import (
    ReadFile,
    executable_by_anyone,
    executable_by_owner,
    fingerprint,
    link_target,
)
from bosh_release.support import children
from bosh_release.support.atomic import write_new
from bosh_release.support.digests import Digest
from bosh_release.support.errors import ReleaseError, doing
from bosh_release.support.scratch import scratch_folder

_FOLDER_MODE = 0o755  # what git gives under umask 022: the mode in this checkout must not matter
_MOST_LINKS_IN_A_PATH = 40  # as in Linux
_LINKED_FOLDER_MODE = 0o777  # the mode of the link through which the files were found
_UNTOUCHED_ROOT_MODE = 0o700  # the CLI's temporary folder, when no file lies directly in it


def entries_of(part: Part, release_dir: Path) -> Iterator[Entry]:
    """Yield the entries of the part's archive in order, `./` first.

    Raises ReleaseError for modes that the CLI refuses and for a pre_packaging script that fails.
    """
    _check_modes(part)
    tree = _imagined_tree(part.files)
    if not part.pre_packaging:
        yield from tree
        return
    with scratch_folder("release-stage-") as folder:
        _write_tree(tree, folder)
        with doing("Running prep scripts"):
            for script in part.pre_packaging:
                _run(script.path, folder, release_dir)
                (folder / script.relative).unlink(missing_ok=True)
        yield from _real_tree(folder)


def _check_modes(part: Part) -> None:
    """Refuse files that are executable, but not by their owner: the CLI loses that bit."""
    odd = [str(file.path) for file in part.files if _is_odd(file)]
    if odd:
        staged = fingerprint(part.files, part.needs, executable_by_owner)
        raise ReleaseError(
            f"Expected source ('{part.fingerprint}') and staging ('{staged}') fingerprints to match"
            f"\n  executable, but not by its owner (chmod u+x or a-x): {', '.join(odd)}"
        )


def _is_odd(read: ReadFile) -> bool:
    counts = read.file.mode_counts
    return counts and executable_by_anyone(read.mode) != executable_by_owner(read.mode)


def _imagined_tree(files: Iterable[ReadFile]) -> list[Entry]:
    by_name = {os.fsencode(file.relative): file for file in files}
    entries = _without_seen_through_links({n: _entry(f, n) for n, f in by_name.items()})
    folders = {folder for name in entries for folder in _folders_above(name)}
    for name in sorted(folders & entries.keys()):
        with doing("Copying into staging directory"):
            raise ReleaseError(f"'{os.fsdecode(name)}' is a file or link, but also a folder")
    root_mode = _FOLDER_MODE if any(b"/" not in name for name in entries) else _UNTOUCHED_ROOT_MODE
    linked = {
        name.rpartition(b"/")[0]
        for name, file in by_name.items()
        if not file.file.follow_links and file.path.parent.is_symlink()
    }
    for name in folders:
        mode = _LINKED_FOLDER_MODE if name in linked else _FOLDER_MODE
        entries[name] = Entry(b"./" + name + b"/", FOLDER, mode)
    below = [entries[name] for name in sorted(entries, key=lambda name: name.split(b"/"))]
    return [Entry(b"./", FOLDER, root_mode), *below]


def _without_seen_through_links(entries: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """Leave out links below a linked folder that is packed itself, if they are where it points.

    A pattern also finds those, and in the fingerprint they count.
    """
    links = {name: entry.target for name, entry in entries.items() if entry.kind == LINK}
    return {
        name: entry
        for name, entry in entries.items()
        if name not in links or (real := _real_name(name, links)) == name or real not in links
    }


def _real_name(name: bytes, links: Mapping[bytes, bytes]) -> bytes:
    """Return where a name leads if the folders above it are links of the archive."""
    for _ in range(_MOST_LINKS_IN_A_PATH):
        linked = [folder for folder in _folders_above(name) if folder in links]
        if not linked:
            break
        above = linked[-1]  # from the top, as the system does it: `..` after a link leads elsewhere
        aim = posixpath.join(posixpath.dirname(above), links[above], name[len(above) + 1 :])
        name = posixpath.normpath(aim)
    return name


def _folders_above(name: bytes) -> Iterator[bytes]:
    while (slash := name.rfind(b"/")) > 0:
        name = name[:slash]
        yield name


def _entry(read: ReadFile, name: bytes) -> Entry:
    if read.is_link:
        return Entry(b"./" + name, LINK, 0o777, target=read.target)
    packed_mode = 0o755 if executable_by_owner(read.mode) else 0o644
    digest = Digest("sha256", read.sha256)
    return Entry(b"./" + name, FILE, packed_mode, read.path, digest=digest)


def _write_tree(tree: Iterable[Entry], folder: Path) -> None:
    for entry in tree:
        path = folder / os.fsdecode(entry.name)
        if entry.kind == LINK:
            path.symlink_to(os.fsdecode(entry.target))
            continue
        if entry.kind == FOLDER:
            path.mkdir(exist_ok=True)
        elif isinstance(entry.content, Path):
            pieces = file_pieces(entry.content, size_of(entry.content), entry.digest)
            write_new(path, pieces)
        path.chmod(entry.mode)


def _run(script: Path, folder: Path, release_dir: Path) -> None:
    """Run a pre_packaging script like the CLI, under umask 022 so that modes do not vary."""
    done = children.run(
        ["bash", "-x", script],
        cwd=folder,
        env={**os.environ, "BUILD_DIR": str(folder), "RELEASE_DIR": str(release_dir)},
        umask=0o022,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
        raise ReleaseError(
            f"'bash -x {script}' ended with exit code {done.returncode}; its last words:\n  "
            + "\n  ".join(said[-20:])
        )


def _real_tree(folder: Path) -> Iterator[Entry]:
    """Yield what is in a folder as GNU tar would pack it."""
    seen: dict[tuple[int, int], bytes] = {}
    for path, name in _walk(folder, b"./"):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            yield Entry(name, FOLDER, mode)
            continue
        first = seen.setdefault((status.st_dev, status.st_ino), name)
        if first != name:
            yield Entry(name, HARD_LINK, mode, target=first)
        elif stat.S_ISLNK(status.st_mode):
            yield Entry(name, LINK, mode, target=link_target(path))
        elif stat.S_ISREG(status.st_mode):
            yield Entry(name, FILE, mode, path)
        elif stat.S_ISFIFO(status.st_mode):
            yield Entry(name, PIPE, mode)
        elif not stat.S_ISSOCK(status.st_mode):  # tar leaves out sockets
            raise ReleaseError(f"pre_packaging made {os.fsdecode(name)}, which is a device")


def _walk(path: Path, name: bytes) -> Iterator[tuple[Path, bytes]]:
    """Yield paths with their names in the archive, each folder before what is in it."""
    yield path, name
    for child in sorted(path.iterdir(), key=os.fsencode):
        below = name + os.fsencode(child.name)
        if child.is_dir() and not child.is_symlink():
            yield from _walk(child, below + b"/")
        else:
            yield child, below
