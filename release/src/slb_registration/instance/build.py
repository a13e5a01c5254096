"""The build of the agent that runs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import slb_registration

_PACKAGE = "aliyun_py"
_FROM_SOURCE = "not from a package"
_WRITTEN_DOWN = Path(slb_registration.__file__).with_name("fingerprint")


class Build(NamedTuple):
    """The version, and what tells builds of one version apart."""

    version: str
    package: str  # name/fingerprint, as `bosh inspect-release` lists it

    def __str__(self) -> str:
        return f"{self.version} ({self.package})"


def this_build(fingerprint: Path = _WRITTEN_DOWN) -> Build:
    """Return what the package's packaging script has written down; a checkout has nothing there.

    To be asked once, at the start: a deploy may replace the files of an agent that is running.
    """
    try:
        digest = fingerprint.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        digest = ""
    return Build(slb_registration.__version__, f"{_PACKAGE}/{digest}" if digest else _FROM_SOURCE)
