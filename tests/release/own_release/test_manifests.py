"""The manifests that operators copy, each rendered and read by the agent."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests import thorough
from tests.release.in_process import RefusedError, release

from bosh_release.render.interpolate.interpolation import interpolate
from bosh_release.render.interpolate.ops import apply_ops_files
from bosh_release.yaml.untyped import read_yaml
from demo import workshop
from demo.workshop import ROOT
from slb_registration.config import loading
from slb_registration.model.configuration import Config

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby is missing")

MANIFESTS = ROOT / "release/manifests"
WITH_ADDON = ("deployment.yml", "errand.yml", "runtime-config.yml")
SHOP = Path(__file__).parent / "shop.yml"  # someone's own deployment
PLACES = (*(MANIFESTS / name for name in WITH_ADDON), SHOP)
OPERATIONS = sorted(path.stem for path in (MANIFESTS / "operations").glob("*.yml"))
VARIABLES: dict[str, object] = {
    "access_key": "access-key-of-the-test",
    "secret_key": "secret-key-of-the-test",
    "security_token": "token-of-the-test",
    "deployment_name": "shop",
    "slb_instance_groups": ["web"],
    "e2e_test_version": "1",
    "load_balancer_id": "lb-bp1234567890",
    "second_load_balancer_id": "lb-bp0987654321",
    "vserver_group_id": "rsp-bp1234567890",
    "server_group_id": "sgp-bp1234567890",
    "backend_port": 8080,
    "readiness_port": 8079,
    "role_arn": "acs:ram::123456789012345678:role/slb-registration",
    "credentials_file": "/var/vcap/data/keys/slb.json",
    "router_backend_port": 443,
    "tcp_router_ports": "1024-1123",
    "slb_metrics_ca": {"certificate": "CA", "private_key": "KEY"},
    "slb_metrics_tls": {"certificate": "CRT", "private_key": "KEY", "ca": "CA"},
    "slb_metrics_scraper_tls": {"certificate": "CRT", "private_key": "KEY", "ca": "CA"},
}

in_each_place = pytest.mark.parametrize(
    "manifest", thorough.but([SHOP], PLACES), ids=lambda path: path.name
)


def place_of(manifest: Path) -> list[str]:
    """Return the options that say where a runtime config is applied."""
    is_runtime_config = manifest.name == "runtime-config.yml"
    return ["--deployment", "shop", "--instance-group", "web"] if is_runtime_config else []


def variables_in(folder: Path) -> Path:
    file = folder / "variables.yml"
    file.write_text(yaml.safe_dump(VARIABLES))
    return file


def render(tmp_path: Path, manifest: str | Path, *options: str) -> Config:
    release(
        *("render", "--manifest", str(MANIFESTS / manifest), "-l", str(variables_in(tmp_path))),
        *("--output", str(tmp_path / "rendered"), *options),
    )
    return loading.load(tmp_path / "rendered/slb-registration-test/config/agent.json")


def options_for(manifest: Path, *operations: str) -> list[str]:
    """Return the options that go with a manifest; for any but the two with the addon, it is added.

    The BOSH CLI takes the same.
    """
    files = [MANIFESTS / f"operations/{operation}.yml" for operation in operations]
    if manifest.name not in WITH_ADDON:
        files.insert(0, MANIFESTS / "co-locate.yml")
    return [option for file in files for option in ("--ops-file", str(file))]


CF = ("router", "tcp-router", "scheduler")
CF_OPERATIONS = {"router": "router", "tcp-router": "tcp-router", "scheduler": "ssh-proxy"}


def cf_deployment() -> list[Path]:
    """The stand-in for cf-deployment, and the checkout that CF_DEPLOYMENT names, if any."""
    checkout = os.environ.get("CF_DEPLOYMENT")
    stand_in = Path(__file__).parent / "cf.yml"
    return [stand_in, *([Path(checkout) / "cf-deployment.yml"] if checkout else [])]


def render_with(tmp_path: Path, operation: str) -> Config:
    return render(tmp_path, SHOP, *options_for(SHOP, operation))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Config]:
    """Return what each manifest gives without any operation."""
    return {
        manifest: render(
            tmp_path_factory.mktemp("plain"), manifest, *options_for(manifest), *place_of(manifest)
        )
        for manifest in PLACES
    }


@in_each_place
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_gives_a_configuration_that_the_agent_takes(
    tmp_path: Path, plain: dict[Path, Config], manifest: Path, operation: str
) -> None:
    options = [*options_for(manifest, operation), *place_of(manifest)]

    assert render(tmp_path, manifest, *options) != plain[manifest]


@pytest.mark.skipif(shutil.which("bosh") is None, reason="the BOSH CLI is not on PATH")
@in_each_place
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_bosh_cli_makes_the_same_of_every_operation(
    tmp_path: Path, manifest: Path, operation: str
) -> None:
    options = options_for(manifest, operation)
    command = ["bosh", "interpolate", str(manifest), *options, "-l", str(variables_in(tmp_path))]
    done = subprocess.run([*command, "--var-errs"], check=True, capture_output=True, text=True)

    files = [Path(option) for option in options if option != "--ops-file"]
    document = apply_ops_files(read_yaml(manifest), files)
    assert interpolate(document, VARIABLES).document == yaml.safe_load(done.stdout)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_says_first_how_it_is_used_and_what_it_needs(operation: str) -> None:
    text = (MANIFESTS / f"operations/{operation}.yml").read_text()
    first, second, *_ = text.splitlines()

    for named in (*WITH_ADDON, "co-locate.yml", "(-o)"):
        assert named in first
    variables = dict.fromkeys(re.findall(r"\(\((\w+)\)\)", text))
    assert (second == f"# Variables: {', '.join(variables)}.") == bool(variables)


def test_the_addon_is_only_on_the_instance_groups_that_are_named(tmp_path: Path) -> None:
    options = options_for(SHOP)
    assert render(tmp_path, SHOP, *options).spec.instance_group == "web"

    with pytest.raises(RefusedError, match=r"'db' \(include.instance_groups\)"):
        render(tmp_path, SHOP, *options, "--instance-group", "db")


def test_the_addon_and_the_job_in_the_group_are_told_as_twice(tmp_path: Path) -> None:
    both = MANIFESTS / "slb-registration.yml"
    options = [*options_for(both), "--deployment", "shop", "-v", "slb_instance_groups=[srt]"]

    with pytest.raises(RefusedError, match="already added to the instance group 'srt'"):
        render(tmp_path, both, *options)


def test_vserver_group(tmp_path: Path) -> None:
    (group,) = render_with(tmp_path, "vserver-group").groups

    assert (group.vserver_group_id, group.port) == ("rsp-bp1234567890", 8080)


def test_several_load_balancers(tmp_path: Path) -> None:
    loaded = render_with(tmp_path, "several-load-balancers")

    assert [(group.load_balancer_id, group.weight) for group in loaded.groups] == [
        ("lb-bp1234567890", 100),
        ("lb-bp0987654321", 50),
    ]
    assert not loaded.discovery.enabled


@pytest.mark.parametrize("product", ["alb", "nlb"])
def test_alb_and_nlb(tmp_path: Path, product: str) -> None:
    (group,) = render_with(tmp_path, product).groups

    assert (group.product, group.server_group_id) == (product, "sgp-bp1234567890")
    assert group.port == 8080


def test_sts(tmp_path: Path) -> None:
    keys = render_with(tmp_path, "sts").keys

    assert keys is not None
    assert keys.security_token == "token-of-the-test"


@pytest.mark.parametrize("operation", ["ecs-ram-role", "credentials-file"])
def test_without_keys_in_the_manifest_none_are_rendered(tmp_path: Path, operation: str) -> None:
    loaded = render_with(tmp_path, operation)

    assert loaded.keys is None
    rendered = tmp_path / "rendered/slb-registration-test/config/agent.json"
    assert str(VARIABLES["secret_key"]) not in rendered.read_text()


def test_assume_role(tmp_path: Path) -> None:
    loaded = render_with(tmp_path, "assume-role")

    assert loaded.credentials.source == "assume_role"
    assert loaded.credentials.role_arn == VARIABLES["role_arn"]
    assert loaded.keys is not None


def test_vpc_endpoints(tmp_path: Path) -> None:
    assert render_with(tmp_path, "vpc-endpoints").network == "vpc"


def test_health_checks(tmp_path: Path) -> None:
    assert render_with(tmp_path, "health-check-http").health_check.path == "/health"
    assert render_with(tmp_path, "health-check-script").health_check.type == "script"


def test_repair(tmp_path: Path) -> None:
    assert not render_with(tmp_path, "repair").post_start.required


def test_the_errand_does_not_register_its_own_vm(tmp_path: Path) -> None:
    manifest = yaml.safe_load((MANIFESTS / "errand.yml").read_text())
    loaded = render(tmp_path, "errand.yml")

    assert [group["lifecycle"] for group in manifest["instance_groups"]] == ["errand"]
    assert not loaded.register
    assert loaded.spec.deployment == "shop"


def test_the_addon_gives_each_vm_the_tags_of_its_own_instance_group(tmp_path: Path) -> None:
    options = ("--deployment", "shop", "--instance-group", "api")

    loaded = render(tmp_path, "runtime-config.yml", *options)

    assert dict(loaded.discovery.tags) == {
        "bosh-deployment": "shop",
        "bosh-instance-group": "api",
    }


def test_the_addon_is_not_given_to_who_has_the_job_already() -> None:
    (addon,) = yaml.safe_load((MANIFESTS / "runtime-config.yml").read_text())["addons"]

    assert addon["include"]
    assert addon["exclude"]["jobs"] == [{"name": "slb-registration-test", "release": "e2e-test"}]


def test_the_cloud_config_leaves_load_balancers_to_this_release() -> None:
    text = (MANIFESTS / "cloud-config.yml").read_text()
    content = "\n".join(line for line in text.splitlines() if not line.startswith("#"))

    assert {"azs", "vm_types", "networks", "compilation"} <= set(yaml.safe_load(content))
    for name in ("slbs", "slb_server_group", "nlb_server_groups"):
        assert name not in content


def test_the_whole_deployment_has_what_the_director_wants_and_the_cloud_config_gives() -> None:
    manifest, cloud = (
        yaml.safe_load(re.sub(r"\(\((\w+)\)\)", r"\1", (MANIFESTS / name).read_text()))
        for name in ("deployment.yml", "cloud-config.yml")
    )

    assert set(manifest) == {
        *("name", "releases", "stemcells", "update", "instance_groups", "addons")
    }
    releases = {release["name"] for release in manifest["releases"]}
    holders = [*manifest["instance_groups"], *manifest["addons"]]
    assert {job["release"] for holder in holders for job in holder["jobs"]} == releases
    named = {name: {one["name"] for one in cloud[name]} for name in ("azs", "vm_types", "networks")}
    (group,) = manifest["instance_groups"]
    assert set(group["azs"]) <= named["azs"]
    assert group["vm_type"] in named["vm_types"]
    assert {network["name"] for network in group["networks"]} <= named["networks"]
    assert [group["stemcell"]] == [stemcell["alias"] for stemcell in manifest["stemcells"]]
    assert manifest["addons"][0]["include"]["instance_groups"] == [group["name"]]


def test_the_agent_checks_the_example_service_where_that_answers(tmp_path: Path) -> None:
    loaded = render(tmp_path, "deployment.yml")

    assert loaded.port == 8080
    assert (loaded.health_check.type, loaded.health_check.path) == ("http", "/healthz")
    service = example_service()
    assert f"bind :{loaded.port}\n" in service
    assert f"monitor-uri {loaded.health_check.path}\n" in service
    assert dict(loaded.discovery.tags) == {"bosh-deployment": "web", "bosh-instance-group": "web"}


def example_service() -> str:
    (group,) = yaml.safe_load((MANIFESTS / "deployment.yml").read_text())["instance_groups"]
    (job,) = [job for job in group["jobs"] if job["name"] == "haproxy"]
    return str(job["properties"]["ha_proxy"]["raw_config"])


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is missing")
def test_the_example_service_is_one_for_haproxy(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(example_service())

    done = subprocess.run(
        ["haproxy", "-c", "-f", str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_metrics_for_another_machine_have_certificates_that_are_made(tmp_path: Path) -> None:
    metrics = render_with(tmp_path, "metrics-tls").metrics

    assert metrics is not None
    assert (metrics.address, metrics.port) == ("0.0.0.0", 9115)
    assert metrics.tls is not None
    operations = yaml.safe_load((MANIFESTS / "operations/metrics-tls.yml").read_text())
    made = {op["value"]["name"]: op["value"]["options"] for op in operations[1:]}
    assert made["slb_metrics_tls"]["extended_key_usage"] == ["server_auth"]
    assert made["slb_metrics_scraper_tls"]["extended_key_usage"] == ["client_auth"]
    told = yaml.safe_load(
        (tmp_path / "rendered/slb-registration-test/config/prom_scraper_config.yml").read_text()
    )
    assert told["server_name"] in made["slb_metrics_tls"]["alternative_names"]


@pytest.mark.parametrize("manifest", cf_deployment(), ids=lambda path: path.parent.name)
@pytest.mark.parametrize("group", CF)
def test_the_groups_of_cf_deployment_that_stand_behind_a_load_balancer(
    tmp_path: Path, manifest: Path, group: str
) -> None:
    loaded = render_cf(tmp_path, manifest, group)

    check, drain = loaded.health_check, loaded.drain
    checked = {
        "router": ("http", 8080, "/health"),
        "tcp-router": ("http", 80, "/health"),
        "scheduler": ("tcp", 2222, "/"),
    }
    assert (check.type, check.port, check.path) == checked[group]
    assert loaded.port == {"router": 443, "tcp-router": None, "scheduler": 2222}[group]
    assert dict(loaded.discovery.tags) == {"bosh-deployment": "cf", "bosh-instance-group": group}
    assert loaded.keys is not None
    assert loaded.metrics is not None
    if group == "tcp-router":
        assert drain.connections_port is not None
        assert drain.connections_port.ranges == (range(1024, 1124),)
    if group == "router":  # what gorouter may take: drain_wait and drain_timeout
        assert drain.timeout_seconds >= 20 + 900


@pytest.mark.parametrize("manifest", cf_deployment(), ids=lambda path: path.parent.name)
@pytest.mark.parametrize("group", CF)
def test_the_groups_of_cf_deployment_do_without_keys(
    tmp_path: Path, manifest: Path, group: str
) -> None:
    loaded = render_cf(tmp_path, manifest, group, "ecs-ram-role")

    assert (loaded.keys, loaded.credentials.source) == (None, "ecs_ram_role")


def cf_options(group: str, *more: str) -> list[str]:
    files = [CF_OPERATIONS[group], *(f"{CF_OPERATIONS[group]}-{one}" for one in more)]
    paths = [str(MANIFESTS / f"operations/cf/{file}.yml") for file in files]
    return [option for path in paths for option in ("--ops-file", path)]


def render_cf(tmp_path: Path, manifest: Path, group: str, *more: str) -> Config:
    values = tmp_path / "cf.yml"
    given: dict[str, object] = {}
    for name, part in re.findall(r"\(\((\w[\w-]*)(?:\.(\w+))?\)\)", manifest.read_text()):
        parts = given.setdefault(name, {})
        if part and isinstance(parts, dict):
            parts[part] = "x"
    values.write_text(json.dumps({name: parts or "x" for name, parts in given.items()}))
    options = ["-l", str(values), *cf_options(group, *more), "--instance-group", group]
    return render(tmp_path, manifest, *options)


@pytest.mark.skipif(shutil.which("bosh") is None, reason="the BOSH CLI is not on PATH")
@pytest.mark.parametrize("manifest", cf_deployment(), ids=lambda path: path.parent.name)
def test_the_bosh_cli_puts_the_job_into_the_groups_of_cf_deployment_and_into_no_other(
    tmp_path: Path, manifest: Path
) -> None:
    options = [option for group in CF for option in cf_options(group, "ecs-ram-role")]
    command = ["bosh", "interpolate", str(manifest), *options, "-l", str(variables_in(tmp_path))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    groups = yaml.safe_load(done.stdout)["instance_groups"]
    holding = [
        group["name"] for group in groups if "e2e-test" in [j["release"] for j in group["jobs"]]
    ]
    assert sorted(holding) == sorted(CF)


@pytest.mark.skipif(shutil.which("bosh") is None, reason="the BOSH CLI is not on PATH")
@pytest.mark.parametrize("group", CF)
def test_a_deployment_without_the_group_is_refused(tmp_path: Path, group: str) -> None:
    command = ["bosh", "interpolate", str(SHOP), *cf_options(group)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode != 0
    assert f"name={group}" in done.stderr


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="access_key"):
        release(
            *("render", "--manifest", str(workshop.MANIFEST), "--deployment", "shop"),
            *("--output", str(tmp_path / "rendered")),
        )
