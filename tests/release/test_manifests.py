"""The manifests that operators copy, each rendered and read by the agent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from demo import workshop
from demo.workshop import ROOT
from slb_registration import config

from .in_process import RefusedError, release

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby is missing")

MANIFESTS = ROOT / "release/manifests"
OPERATIONS = sorted(path.stem for path in (MANIFESTS / "operations").glob("*.yml"))
VARIABLES: dict[str, object] = {
    "access_key": "access-key-of-the-test",
    "secret_key": "secret-key-of-the-test",
    "security_token": "token-of-the-test",
    "deployment_name": "shop",
    "e2e_test_version": "1",
    "load_balancer_id": "lb-bp1234567890",
    "second_load_balancer_id": "lb-bp0987654321",
    "vserver_group_id": "rsp-bp1234567890",
    "server_group_id": "sgp-bp1234567890",
    "backend_port": 8080,
    "role_arn": "acs:ram::123456789012345678:role/slb-registration",
    "credentials_file": "/var/vcap/data/keys/slb.json",
}


def render(tmp_path: Path, manifest: str, *options: str) -> config.Config:
    variables = tmp_path / "variables.yml"
    variables.write_text(yaml.safe_dump(VARIABLES))
    release(
        *("render", "--manifest", str(MANIFESTS / manifest), "-l", str(variables)),
        *("--output", str(tmp_path / "rendered"), *options),
    )
    return config.load(tmp_path / "rendered/slb-registration-test/config/agent.json")


def render_with(tmp_path: Path, operation: str) -> config.Config:
    file = MANIFESTS / f"operations/{operation}.yml"
    return render(tmp_path, "slb-registration.yml", "--deployment", "shop", "--ops-file", str(file))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> config.Config:
    """Return what the manifest gives without any operation."""
    return render(tmp_path_factory.mktemp("plain"), "slb-registration.yml", "--deployment", "shop")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_gives_a_configuration_that_the_agent_takes(
    tmp_path: Path, plain: config.Config, operation: str
) -> None:
    assert render_with(tmp_path, operation) != plain


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


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="access_key"):
        release(
            *("render", "--manifest", str(workshop.MANIFEST), "--deployment", "shop"),
            *("--output", str(tmp_path / "rendered")),
        )
