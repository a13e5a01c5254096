"""A tarball in which nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.release.verify.repacking import FILES

from bosh_release.build.building import build_release

MakeRelease = Callable[[dict[str, Any]], Path]


@pytest.fixture
def good(make_release: MakeRelease, tmp_path: Path) -> Path:
    return build_release(make_release(FILES), version="1.2", output=tmp_path / "good.tgz").path
