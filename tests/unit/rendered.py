"""The job's configuration, as BOSH renders it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def rendered(folder: Path, properties: Mapping[str, object]) -> Path:
    """Write agent.json with these properties; run_dir and data_dir are this folder."""
    spec = {"id": "x", "deployment": "cf", "instance_group": "router", "director": True}
    whole = {
        "properties": properties,
        "spec": {**spec, "index": 0, "az": "z1", "address": "10.0.0.1"},
        "run_dir": str(folder),
        "data_dir": str(folder),
    }
    file = folder / "agent.json"
    file.write_text(json.dumps(whole))
    return file
