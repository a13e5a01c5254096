"""Files of co-located jobs: whatever is in one, it is reported, and the others count."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

from tests.fuzz.config import PROPERTIES
from tests.fuzz.strategies import as_json, broken, mutated
from tests.fuzz.target import Target

from slb_registration.config.health_check import health_check
from slb_registration.config.reader import Problems, Section
from slb_registration.discovery.job_file_groups import JobFileGroups
from slb_registration.server_groups.open import open_group
from slb_registration.support.logs.event_log import EventLog

CHECK = health_check(Section({}, Problems()), Section({}, Problems()))
NAMES = ("load_balancer_id", "server_groups", "health_check", "port")
DOCUMENTS = (
    {"port": 80, **{name: PROPERTIES[1][name] for name in NAMES if name in PROPERTIES[1]}},
    {"load_balancer_id": "lb-1", "health_check": PROPERTIES[2]["health_check"]},
)
SEEDS = tuple(json.dumps(one).encode() for one in DOCUMENTS)
GOOD = b'{"server_groups": [{"vserver_group_id": "rsp-good", "port": 80}]}'


def holds(data: bytes) -> None:
    """See the module."""
    lines, joined, left = io.StringIO(), [], []
    with tempfile.TemporaryDirectory() as name:
        hostile, good = (Path(name) / one / "slb_registration.json" for one in ("a", "b"))
        for path, content in ((hostile, data), (good, GOOD)):
            path.parent.mkdir()
            path.write_bytes(content)
        groups = JobFileGroups(
            [f"{name}/*/slb_registration.json"],
            8080,
            CHECK,
            EventLog(lines, format="text", now=lambda: 0.0),
            name_of=lambda spec: open_group(None, spec).name,  # type: ignore[arg-type]
            join=lambda spec, path: joined.append(open_group(None, spec).name),  # type: ignore[arg-type]
            leave=lambda spec: left.append(open_group(None, spec).name),  # type: ignore[arg-type]
            clock=lambda: 0.0,
        )
        groups.look()
        said = lines.getvalue()
        groups.look()
        assert lines.getvalue() == said, "it is said once"
        assert "clb/rsp-good:80" in joined
        assert left == []
        assert len(joined) == len(set(joined)) <= 201
        problems = [state.problem for state, _ in groups.files if state.problem is not None]
        assert all(len(problem) < 100_000 for problem in problems)
        assert said.replace("\n", "").isprintable()
        assert said.count("\n") <= 3
        hostile.write_bytes(GOOD.replace(b"good", b"mended"))
        groups.look()
        assert "clb/rsp-mended:80" in joined


TARGETS = (
    Target(
        "dynamic_config",
        as_json(broken(DOCUMENTS)) | mutated(SEEDS),
        holds,
        examples=120,
        raw=True,
        seeds=SEEDS,
    ),
)
