"""The link slb-backend: whose port and path are taken, and what is said of that."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bosh_release.render.manifest.instances import Settings
from bosh_release.render.rendering import render as render_release
from bosh_release.render.request import Request
from bosh_release.support.errors import ReleaseError
from demo.workshop import ROOT
from slb_registration.config import loading
from slb_registration.config.link import IGNORED
from slb_registration.model.configuration import Backend, Config

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby is missing")

JOB = "slb-registration-test"
KEYS = {"access_key": "access-key-of-the-test", "secret_key": "secret-key-of-the-test"}
PROVIDES = [{"name": "web", "type": "slb-backend", "properties": ["port", "health_check.path"]}]
SERVICE = {
    "name": "web",
    "release": "web",
    "custom_provider_definitions": PROVIDES,
    "properties": {"port": 8081, "health_check": {"path": "/up"}},
}
OF_THIS_VM = "link slb-backend, of a job on this VM"
BY_HAND = "link slb-backend, as the manifest gives it"


def ours(consumes: Any = None, **properties: Any) -> dict[str, Any]:
    entry = {"name": JOB, "release": "e2e-test", "properties": {**KEYS, **properties}}
    return entry if consumes is None else {**entry, "consumes": {"slb-backend": consumes}}


def group(name: str, *jobs: dict[str, Any], instances: int = 1) -> dict[str, Any]:
    return {"name": name, "instances": instances, "jobs": list(jobs)}


Render = Callable[..., str]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """The agent.json of an instance of the group srt."""

    def render(*groups: dict[str, Any], **more: Any) -> str:
        manifest = tmp_path / "manifest.yml"
        manifest.write_text(yaml.safe_dump({"name": "demo", "instance_groups": list(groups)}))
        request = Request(manifest, ROOT / "release", instance_group="srt", **more)
        (job,) = render_release(request).jobs
        content = next(one.content for one in job.files if one.path == "config/agent.json")
        return content.decode()

    return render


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Config]:
    def load(text: str) -> Config:
        file = tmp_path / "agent.json"
        file.write_text(text)
        return loading.load(file)

    return load


def test_a_job_on_this_vm_tells_port_and_path(render: Render, load):
    loaded = load(render(group("srt", ours(), SERVICE, instances=3), settings=Settings(index=2)))
    assert (loaded.port, loaded.health_check.type, loaded.health_check.path) == (
        8081,
        "http",
        "/up",
    )
    assert loaded.backend == Backend(OF_THIS_VM, OF_THIS_VM, None)


@pytest.mark.parametrize("consumes", [None, {"from": "web"}])
@pytest.mark.parametrize("instances", [0, 1, 3])
def test_what_is_said_of_other_vms_does_not_hold_for_this_one(
    render: Render, load, consumes: Any, instances: int
):
    loaded = load(render(group("srt", ours(consumes)), group("web", SERVICE, instances=instances)))
    assert (loaded.port, loaded.health_check.type, loaded.health_check.path) == (None, "tcp", "/")
    assert loaded.backend == Backend("default", None, IGNORED)


@pytest.mark.parametrize(
    "instances", [[], [{"address": "10.0.0.9"}], [{"address": "a", "id": None}, {"id": ""}]]
)
def test_what_the_manifest_gives_by_hand_is_taken(render: Render, load, instances: Any):
    written = {"instances": instances, "properties": {"port": 8082}, "address": "web.example"}
    loaded = load(render(group("srt", ours(written)), group("web", SERVICE)))
    assert loaded.port == 8082
    assert loaded.backend == Backend(BY_HAND, None, None)


def test_without_a_link_there_is_nothing_to_say(render: Render, load):
    for jobs in ([ours()], [ours("nil"), SERVICE]):
        assert load(render(group("srt", *jobs))).backend == Backend("default", None, None)


def test_properties_go_before_the_link(render: Render, load):
    properties = {"port": 9000, "health_check": {"type": "http", "path": "/own"}}
    loaded = load(render(group("srt", ours(**properties), SERVICE)))
    assert (loaded.port, loaded.health_check.path) == (9000, "/own")
    assert loaded.backend == Backend("property port", "property health_check.path", None)
    loaded = load(render(group("srt", ours(health_check={"type": "tcp"}), SERVICE)))
    assert loaded.backend == Backend(OF_THIS_VM, None, None)


@pytest.mark.parametrize("of", ["srt", "web"])
def test_other_instances_that_come_and_go_change_nothing_here(render: Render, of: str):
    """Or every VM would be stopped and started for each scale-out."""

    def file(instances: int) -> str:
        if of == "srt":
            return render(group("srt", ours(), SERVICE, instances=instances))
        return render(group("srt", ours()), group("web", SERVICE, instances=instances))

    numbers = [1, 2, 5] if of == "srt" else [0, 1, 2, 5]
    assert len({file(number) for number in numbers}) == 1


def test_with_two_providers_the_error_says_what_to_write(render: Render):
    with pytest.raises(ReleaseError) as caught:
        render(group("srt", ours(), SERVICE), group("web", SERVICE))
    text = str(caught.value)
    assert "Multiple link providers found" in text
    assert "consumes: {slb-backend: {from: NAME}}" in text
    assert "consumes: {slb-backend: nil}" in text


def test_create_env_has_no_links(render: Render, load):
    loaded = load(render(group("srt", ours(), SERVICE), context="create-env"))
    assert loaded.backend == Backend("default", None, None)


def pre_start(folder: Path, text: str) -> list[dict[str, Any]]:
    """What pre-start says, as an operator finds it."""
    document = json.loads(text)
    document["run_dir"] = document["data_dir"] = str(folder)
    file = folder / "agent.json"
    file.write_text(json.dumps(document))
    done = subprocess.run(
        ["python3", "-m", "slb_registration", "validate", "--pre-start", "--config", file],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_pre_start_says_where_port_and_path_come_from(render: Render, tmp_path: Path):
    said = pre_start(tmp_path, render(group("srt", ours(), SERVICE)))
    (event,) = [event for event in said if event["message"] == "backend"]
    assert (event["port"], event["port_from"]) == (8081, OF_THIS_VM)
    assert (event["path"], event["path_from"]) == ("/up", OF_THIS_VM)


def test_pre_start_warns_of_a_link_that_is_of_other_vms(render: Render, tmp_path: Path):
    said = pre_start(tmp_path, render(group("srt", ours()), group("web", SERVICE)))
    assert [event["message"] for event in said if event["level"] == "warning"] == [IGNORED]
    (event,) = [event for event in said if event["message"] == "backend"]
    assert (event["port"], event["port_from"]) == (None, "default")
