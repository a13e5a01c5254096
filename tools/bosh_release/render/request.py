"""The request: all that is asked of `render`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bosh_release.render.manifest.instances import Settings
from bosh_release.render.ruby.erb import DIRECTOR


@dataclass(frozen=True)
class Request:
    """A manifest and a release to render; `variables` come from variables.collect."""

    manifest: Path
    release: Path
    deployment: str | None = None
    instance_group: str | None = None
    jobs: Sequence[str] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    ops_files: Sequence[Path] = ()
    context: str = DIRECTOR
    settings: Settings = field(default_factory=Settings)
    links: Mapping[str, Any] = field(default_factory=dict)
    allow_undeclared: bool = False
    runtime_configs: Sequence[Path] = ()
    stemcell_os: str | None = None  # what addons may ask for where the manifest does not tell it
