"""The workflow and the Concourse pipeline call what there is; `make lint` has their syntax read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from tests.paths import ROOT

WORKFLOW = ROOT / ".github/workflows/ci.yml"
PIPELINE = ROOT / "ci/pipeline.yml"


def steps(node: Any) -> Iterator[dict[str, Any]]:
    """Every get, task and put of a plan, in order."""
    if isinstance(node, list):
        for one in node:
            yield from steps(one)
    elif "in_parallel" in node:
        inner = node["in_parallel"]
        yield from steps(inner if isinstance(inner, list) else inner["steps"])
    else:
        yield node


def test_every_make_target_and_script_that_they_run_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    run = [
        step["run"]
        for job in yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    for path in (ROOT / "ci/tasks").iterdir():
        task = yaml.safe_load(path.read_text())["run"]
        run.append(" ".join((task["path"], *task.get("args", ()))))

    made = {name for text in run for name in re.findall(r"\bmake ([a-z-]+)", text)}
    assert made == {"dist", "audit"}
    assert made <= targets
    assert sum(".ci/run" in text for text in run) == 2
    assert (ROOT / ".ci/run").stat().st_mode & 0o100


def test_each_task_of_the_pipeline_gets_its_inputs_from_the_steps_before_it() -> None:
    pipeline = yaml.safe_load(PIPELINE.read_text())
    tasks = set()
    for job in pipeline["jobs"]:
        there: set[str] = set()
        for step in steps(job["plan"]):
            if "get" in step:
                there.add(step["get"])
            elif "task" in step:
                folder, _, path = step["file"].partition("/")
                tasks.add(path)
                task = yaml.safe_load((ROOT / path).read_text())
                assert {folder, *(one["name"] for one in task["inputs"])} <= there, job["name"]
                there |= {one["name"] for one in task.get("outputs", ())}
            else:
                assert set(step["inputs"]) <= there, job["name"]
    assert tasks == {f"ci/tasks/{path.name}" for path in (ROOT / "ci/tasks").iterdir()}


def test_the_hooks_run_what_make_lint_runs() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlint: ")[2].partition("\n\n")[0]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = re.findall(r"-m (ruff \w+|\w+)|(zizmor) |MAKE\) ([\w-]+)", recipe)

    for programs in lint:
        assert any("".join(programs) in hook["entry"] for hook in hooks), programs
    assert len(lint) == len(hooks) == 6
