"""The file that BOSH renders for the agent, with any properties besides the keys."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.unit.driver import ACCESS_KEY, SECRET_KEY

SPEC: dict[str, Any] = {
    "id": "0c4a1f8e-2b8f-4d9c-9d7a-5b9d5f3c1e77",
    "deployment": "cf",
    "instance_group": "srt",
    "index": 0,
    "az": "z1",
    "address": "10.0.0.7",
    "director": True,
}
PEM = {"certificate": "/c/crt.pem", "private_key": "/c/key.pem", "ca": "/c/ca.pem"}
"""The files of metrics.tls, which are beside the properties."""


def write(file: Path, properties: Mapping[str, Any], **top: Any) -> None:
    """`top`: what is beside the properties."""
    document = {
        "properties": {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, **properties},
        "spec": copy.deepcopy(SPEC),
        "run_dir": "/var/vcap/sys/run/slb-registration-test",
        "data_dir": "/var/vcap/data/slb-registration-test",
        **top,
    }
    file.write_text(json.dumps(document))


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return the properties in which only this one is given: `path` is like drain.timeout."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value
