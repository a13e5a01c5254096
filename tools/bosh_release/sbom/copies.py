"""Finds the works of others that a wheel carries copies of, with the versions that they say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from bosh_release.sbom.licences import licence_in

# Folders in which packages keep copies of others' work; `packages` is that of requests and urllib3.
_FOLDERS = frozenset({"vendored", "_vendored", "vendor", "_vendor", "packages", "extern"})
_VERSION = re.compile(rb"^__version__ *= *['\"]([\w.!+-]+)['\"]", re.MULTILINE)
_VERSION_FILES = ("__init__.py", "__version__.py", "version.py", "_version.py")


@dataclass(frozen=True)
class _Known:
    """Facts that a copy does not say of itself."""

    name: str  # as PyPI calls it
    licence: str | None = None  # where the copy has no word of it
    is_on_pypi: bool = True


_KNOWN = {
    # declared in its own distribution's metadata
    "certifi": _Known("certifi", "MPL-2.0"),
    "socks": _Known("PySocks"),
    "ssl_match_hostname": _Known("backports.ssl_match_hostname"),
    # socket.SocketIO.makefile of CPython 3.5, as its docstring says
    "backports": _Known("backports.makefile", "PSF-2.0", is_on_pypi=False),
    # https://code.activestate.com/recipes/576693/
    "ordered_dict": _Known("ordered_dict", is_on_pypi=False),
}


@dataclass(frozen=True)
class Copy:
    """A work of others inside a wheel; without a version where the copy does not say it."""

    place: str  # in the wheel
    name: str
    version: str | None
    licence: str | None
    is_on_pypi: bool


def find_copies(files: Mapping[str, bytes]) -> list[Copy]:
    """Return all copies in a wheel's files, those inside copies included, by place."""
    by_place: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        place = _place(path)
        if place is not None:
            by_place.setdefault(place, {})[path] = content
    return [_copy(place, own) for place, own in sorted(by_place.items())]


def _place(path: str) -> str | None:
    """Return the innermost copy that a file belongs to: a folder, or a module by itself."""
    parts = PurePosixPath(path).parts
    for depth in range(len(parts) - 2, -1, -1):
        below = parts[depth + 1]
        if parts[depth] in _FOLDERS and not below.startswith("__init__."):
            return "/".join(parts[: depth + 2])
    return None


def _copy(place: str, files: Mapping[str, bytes]) -> Copy:
    module = PurePosixPath(place).stem
    known = _KNOWN.get(module, _Known(module))
    nearest = sorted(files, key=lambda path: _rank(place, path))
    return Copy(
        place,
        known.name,
        _version(files[path] for path in nearest),
        licence_in(files[path] for path in nearest) or known.licence,
        known.is_on_pypi,
    )


def _rank(place: str, path: str) -> tuple[int, int, str]:
    """Put the files first that are to say the version of the whole."""
    inside = path.removeprefix(place).strip("/")
    rank = _VERSION_FILES.index(inside) if inside in _VERSION_FILES else len(_VERSION_FILES)
    return rank, inside.count("/"), inside


def _version(contents: Iterable[bytes]) -> str | None:
    for content in contents:
        match = _VERSION.search(content)
        if match is not None:
            return match[1].decode()
    return None
