"""A job `web` whose template shows what it sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

SPEC = {
    "name": "web",
    "templates": {
        "run.erb": "bin/run",
        "healthy.erb": "bin/dns/healthy",
        "web.json.erb": "config/deep/web.json",
    },
    "properties": {
        "port": {"default": 8080},
        "password": {"description": "no default"},
        "tls.enabled": {"default": True},
        "tls.options": {"default": {"b": 1, "a": 2}},
        "list": {"default": [{"z": 1, "a": 2}]},
        "bare": None,
    },
}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


SHOW_ALL = "<%= {properties: raw_properties, name: name, index: index, id: spec.id}.to_json %>\n"


def write_job(release: Path, spec: dict[str, Any], templates: dict[str, str]) -> None:
    job = release / "jobs" / str(spec["name"])
    (job / "templates").mkdir(parents=True, exist_ok=True)
    (job / "spec").write_text(yaml.safe_dump(spec, sort_keys=False))
    (job / "monit").write_text("check process <%= name %>\n")
    for name, text in templates.items():
        (job / "templates" / name).write_text(text)


def show(release: Path, expression: str) -> None:
    template = release / "jobs" / "web" / "templates" / "web.json.erb"
    template.write_text(f"<%= ({expression}).to_json %>")
