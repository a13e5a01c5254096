"""Addresses from a manifest to the agent: the real CLI, Ruby's YAML, the template, the agent."""

from __future__ import annotations

import ipaddress
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from demo.workshop import ROOT
from slb_registration.config import job_files, loading
from slb_registration.config.health_check import health_check
from slb_registration.config.reader import Problems, Section

CHECK = health_check(Section({}, Problems()), Section({}, Problems()))
pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None or shutil.which("bosh") is None,
    reason="ruby or the BOSH CLI (bosh) is missing",
)

# As cloudfoundry/bosh reads a manifest (manifest/manifest.rb), and what it hands to a template.
RENDER_AS_THE_DIRECTOR = r"""
require 'yaml'
require 'json'
require ARGV[0]
manifest = YAML.safe_load(File.read(ARGV[2]), permitted_classes: [Symbol], aliases: true)
group = manifest['instance_groups'][0]
spec = { 'name' => group['name'], 'id' => 'an-id', 'index' => 0, 'deployment' => manifest['name'],
         'properties' => group['jobs'][0]['properties'] }
puts DirectorRenderer.render('agent.json.erb', ARGV[1], File.read(ARGV[1]), spec)
"""


def rendered(folder: Path, properties: object) -> str:
    """The agent.json of a VM whose manifest has these properties."""
    job = {"name": "slb-registration-test", "release": "e2e-test", "properties": properties}
    document = {"name": "demo", "instance_groups": [{"name": "srt", "jobs": [job]}]}
    manifest, sent = folder / "manifest.yml", folder / "sent.yml"
    manifest.write_text(json.dumps(document))  # which is YAML, with every text in quotes
    with sent.open("w") as output:
        subprocess.run(["bosh", "interpolate", manifest], stdout=output, check=True)
    tools = ROOT / "tools/bosh_release/render/ruby/director_context.rb"
    template = ROOT / "release/jobs/slb-registration-test/templates/agent.json.erb"
    done = subprocess.run(
        ["ruby", "-e", RENDER_AS_THE_DIRECTOR, "--", tools, template, sent],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


KEYS = {"access_key": "access-key-of-the-test", "secret_key": "secret-key-of-the-test"}
SERVER = {"product": "nlb", "server_group_id": "sgp-1", "port": 80, "server_type": "ip"}
ADDRESSES = ["::1", "::", "::2:3", "::ffff:10.0.0.1", "fe80::1", "2001:db8::1", "1::", "10.0.0.5"]


@pytest.mark.parametrize("address", [*ADDRESSES, "[::1]"])
def test_an_address_of_the_manifest_is_the_agents(tmp_path: Path, address: str) -> None:
    bare = address.strip("[]")
    properties = {
        **KEYS,
        "health_check": {"host": address},
        "drain": {"ignore_cidrs": [bare, "::/0"]},
        "endpoints": {"slb": bare},
        "server_groups": [{**SERVER, "server_ip": bare}],
    }
    file = tmp_path / "agent.json"
    file.write_text(rendered(tmp_path, properties))

    loaded = loading.load(file)

    expected = ipaddress.ip_address(bare)
    assert ipaddress.ip_address(loaded.health_check.host) == expected
    assert ipaddress.ip_address(loaded.groups[0].server_ip or "") == expected
    assert loaded.endpoints.slb == f"https://{f'[{bare}]' if expected.version == 6 else bare}"
    mapped = getattr(expected, "ipv4_mapped", None)
    assert loaded.drain.ignore_cidrs == (
        ipaddress.ip_network(mapped or expected),
        ipaddress.ip_network("::/0"),
    )


def test_the_file_of_a_co_located_job_is_made_from_a_manifest_too(tmp_path: Path) -> None:
    """What its template puts there has lost the same colon."""
    asked = {"server_groups": [{**SERVER, "server_ip": "::2"}], "health_check": {"host": "::1"}}
    properties = json.loads(rendered(tmp_path, {**KEYS, **asked}))["properties"]
    file = tmp_path / "slb_registration.json"
    file.write_text(json.dumps({name: properties[name] for name in asked}))

    found = job_files.read(file, None, CHECK)

    assert found.groups[0].server_ip == "::2"
    assert found.health_check is not None
    assert found.health_check.host == "::1"
    assert '":1"' in file.read_text()
