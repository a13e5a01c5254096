"""The manifest that the README shows first, as it stands."""

from __future__ import annotations

import json
import re
import shutil
import textwrap

import pytest
import yaml
from tests.integration.cloud import ACCESS_KEY, DEPLOYMENT, SECRET_KEY, Cloud
from tests.integration.vm import Vm
from tests.paths import ROOT

from bosh_release.render.rendering import render_to
from bosh_release.render.request import Request

JOB = "slb-registration-test"


def shown_first() -> str:
    block = re.search(r"^ *```yaml\n(.*?)^ *```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert block is not None
    return textwrap.dedent(block[1])


@pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby is not on PATH")
def test_the_readmes_first_manifest_serves_as_it_stands(vm: Vm, cloud: Cloud) -> None:
    manifest = vm.folder / "manifest.yml"
    manifest.write_text(shown_first())
    kept = (ROOT / "release/manifests/slb-registration.yml").read_text()
    assert yaml.safe_load(shown_first()) == yaml.safe_load(kept)
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    request = Request(
        manifest=manifest, release=ROOT / "release", deployment=DEPLOYMENT, variables=keys
    )
    render_to(vm.folder / "rendered", request)

    rendered = json.loads((vm.folder / f"rendered/{JOB}/config/agent.json").read_text())
    # Nothing but where the cloud and the folders are: there is neither here.
    rendered |= {"run_dir": str(vm.run_dir), "data_dir": str(vm.data_dir)}
    places = dict.fromkeys(("slb", "alb", "nlb", "metadata"), vm.url)
    rendered["properties"]["endpoints"] = places
    vm.config.write_text(json.dumps(rendered))
    vm.config.chmod(0o600)
    vm.start()

    vm.until("in service")
    assert cloud.weight == 100
    done = vm.command("check")
    assert (done.code, done.err) == (0, "")
    shutil.rmtree(vm.folder / "rendered")
