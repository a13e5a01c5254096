"""The templates of our own job, rendered by the tool and read by the agent."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from tests import thorough
from tests.release.in_process import release

from demo import workshop
from demo.workshop import ROOT
from slb_registration.config import loading
from slb_registration.model.configuration import StaticKeys

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby is missing")

JOB = ROOT / "release/jobs/slb-registration-test"
SPEC = yaml.safe_load((JOB / "spec").read_text())
PROPERTIES: Mapping[str, Mapping[str, object]] = SPEC["properties"]
AGENT_JSON = "config/agent.json"
PEM = {"metrics.tls.certificate": "CRT", "metrics.tls.private_key": "KEY", "metrics.tls.ca": "CA"}
SECRETS = {"access_key": "access-key-of-the-test", "secret_key": "secret-key-of-the-test"}

Render = Callable[..., Path]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """Render the README's manifest with more properties; options go to the tool."""

    def render(
        *options: str,
        secrets: Mapping[str, str] = SECRETS,
        properties: Mapping[str, object] | None = None,
    ) -> Path:
        manifest, variables = tmp_path / "manifest.yml", tmp_path / "secrets.yml"
        variables.unlink(missing_ok=True)
        workshop.write_manifest(manifest, properties or {})
        workshop.write_secrets(variables, secrets)
        release(
            *("render", "--manifest", str(manifest), "--deployment", "demo", "-l", str(variables)),
            *("--output", str(tmp_path / "rendered"), *options),
        )
        return tmp_path / "rendered" / SPEC["name"]

    return render


def agent_json(job: Path) -> dict[str, dict[str, object]]:
    document = json.loads((job / "config/agent.json").read_text())
    assert isinstance(document, dict)
    return document


def flat(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if name in PROPERTIES:
            yield name, value
        else:
            assert isinstance(value, dict), f"{name} is no property of the spec"
            yield from flat(value, f"{name}.")


def nested(values: Mapping[str, object]) -> dict[str, object]:
    tree: dict[str, object] = {}
    for name, value in values.items():
        *parents, key = name.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})  # type: ignore[assignment]
        branch[key] = value
    return tree


@pytest.mark.parametrize("name", PROPERTIES)
def test_every_property_is_documented(name: str) -> None:
    definition = PROPERTIES[name]

    assert set(definition) - {"default"} == {"type", "description", "example"}
    assert str(definition["description"]).strip()


def test_the_manifest_of_the_readme_is_the_one_that_is_promised() -> None:
    assert (
        workshop.MANIFEST.read_text()
        == """\
instance_groups:
  - name: srt
    jobs:
      - name: slb-registration-test
        release: e2e-test
        properties:
          access_key: ((access_key))
          secret_key: ((secret_key))
"""
    )


def test_the_agent_reads_what_the_manifest_of_the_readme_gives(render: Render) -> None:
    loaded = loading.load(render() / "config/agent.json")

    assert loaded.keys == StaticKeys(SECRETS["access_key"], SECRETS["secret_key"], None)
    assert loaded.discovery.enabled
    assert dict(loaded.discovery.tags) == {
        "bosh-deployment": "demo",
        "bosh-instance-group": "srt",
    }
    assert loaded.spec.director


def test_every_property_of_the_spec_reaches_the_agent(render: Render) -> None:
    examples = {name: definition["example"] for name, definition in PROPERTIES.items()}
    examples.update(SECRETS, security_token="token", **PEM)

    job = render(properties=nested(examples))

    told = dict(flat(agent_json(job)["properties"]))
    for name, file in agent_json(job)["metrics_tls"].items():
        path = Path(str(file)).relative_to("/var/vcap/jobs/slb-registration-test")
        told[f"metrics.tls.{name}"] = (job / path).read_text().strip()
    assert told == examples


def test_the_examples_are_values_that_the_agent_takes(render: Render) -> None:
    examples = {name: definition["example"] for name, definition in PROPERTIES.items()}
    examples.update(SECRETS, security_token="token-of-the-test", **PEM)
    # in server_groups as well; of another type of check; other sources of keys
    for name in ("load_balancer_id", "health_check.script", "credentials_file", "ram_role_name"):
        del examples[name]

    loaded = loading.load(render(properties=nested(examples)) / "config/agent.json")

    assert [group.product for group in loaded.groups] == ["clb", "clb", "alb", "nlb"]
    assert loaded.credentials.source == "assume_role"
    assert loaded.network == "vpc"


def test_the_defaults_of_the_spec_are_the_agents_own(render: Render, tmp_path: Path) -> None:
    rendered = render() / "config/agent.json"
    document = json.loads(rendered.read_text())
    without_defaults = tmp_path / "agent.json"
    document["properties"] = SECRETS
    without_defaults.write_text(json.dumps(document))

    assert loading.load(rendered) == loading.load(without_defaults)


def test_where_the_api_of_clb_is_elsewhere_the_other_products_public_ones_are_not_asked(
    render: Render,
) -> None:
    job = render(properties={"endpoints": {"slb": "https://slb.example.com"}})
    assert loading.load(job / AGENT_JSON).discovery.products == ("clb",)


def test_create_env_gives_the_same_files_save_what_it_does_not_know(render: Render) -> None:
    director = files(render())
    create_env = files(render("--context", "create-env"))

    documents = [json.loads(job.pop("config/agent.json")) for job in (director, create_env)]
    specs = [document.pop("spec") for document in documents]
    assert director == create_env
    assert documents[0] == documents[1]
    assert [spec["director"] for spec in specs] == [True, False]
    # Its renderer does not tell the name of the instance group.
    unlike = {name for name in specs[0] if specs[0][name] != specs[1][name]}
    assert unlike <= {"director", "id", "address", "instance_group"}


def test_the_agent_reads_what_create_env_renders(render: Render) -> None:
    """Its one instance group has no name there, so the deployment's alone is what is looked for."""
    loaded = loading.load(render("--context", "create-env") / "config/agent.json")

    assert not loaded.spec.director
    assert loaded.spec.instance_group == ""
    assert dict(loaded.discovery.tags) == {"bosh-deployment": "demo"}


BACKEND = {"instances": [], "properties": {"port": 8081, "health_check": {"path": "/up"}}}


def test_the_link_of_a_backend_tells_port_and_path(render: Render) -> None:
    linked = loading.load(render("--link", f"slb-backend={json.dumps(BACKEND)}") / AGENT_JSON)

    assert linked.port == 8081
    assert (linked.health_check.type, linked.health_check.path) == ("http", "/up")


def test_properties_go_before_the_link_of_a_backend(render: Render) -> None:
    properties = {"port": 9000, "health_check": {"type": "http", "path": "/own"}}

    job = render("--link", f"slb-backend={json.dumps(BACKEND)}", properties=properties)

    loaded = loading.load(job / AGENT_JSON)
    assert (loaded.port, loaded.health_check.path) == (9000, "/own")


def test_a_backend_that_tells_nothing_changes_nothing(render: Render) -> None:
    link = {"instances": [], "properties": {}}

    linked = loading.load(render("--link", f"slb-backend={json.dumps(link)}") / AGENT_JSON)

    assert linked == loading.load(render() / AGENT_JSON)


def test_the_job_tells_other_jobs_where_it_registers() -> None:
    (link,) = SPEC["provides"]

    assert (link["name"], link["type"]) == ("slb-registration", "slb-registration")
    assert set(link["properties"]) == {"region", "load_balancer_id", "server_groups"}
    assert set(link["properties"]) <= set(PROPERTIES)


def test_a_deployment_without_a_backend_to_link_is_as_good() -> None:
    (link,) = SPEC["consumes"]

    assert (link["name"], link["type"], link["optional"]) == ("slb-backend", "slb-backend", True)


def files(job: Path) -> dict[str, str]:
    return {
        str(path.relative_to(job)): path.read_text() for path in job.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(
    "secret", ['quote " and \\ backslash', "#{1 + 1} <%= 2 + 2 %>", "'; rm -rf $HOME; '", "日本 é"]
)
@pytest.mark.parametrize("context", ["director", "create-env"])
def test_a_secret_arrives_as_it_is_whatever_is_in_it(
    render: Render, secret: str, context: str
) -> None:
    job = render("--context", context, secrets={**SECRETS, "secret_key": secret})

    assert agent_json(job)["properties"]["secret_key"] == secret


def test_the_key_of_the_metrics_stands_in_one_file_only(render: Render) -> None:
    tls = {"certificate": "CRT\n", "private_key": "KEY #{1}\n<%= 2 %>\n", "ca": "CA\n"}

    job = render(properties={"metrics": {"port": 9115, "tls": tls}})

    holding = [name for name, text in files(job).items() if tls["private_key"] in text]
    assert holding == ["config/metrics_private_key.pem"]
    assert not any("KEY #" in text for name, text in files(job).items() if name not in holding)


def test_secrets_stand_in_one_file_only(render: Render) -> None:
    holding = [
        name
        for name, text in files(render()).items()
        if any(secret in text for secret in SECRETS.values())
    ]

    assert holding == ["config/agent.json"]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(120, "125"), (86400, "86405"), (0.5, "1"), (90.25, "95.25"), ("60", "65"),
     (86399.5, "86404.5"), ("fast", "125"), ("2m", "125"), (0, "125"), (-1, "125"),
     (1e9, "125"), (True, "125"), ([], "125"), ("'; reboot; '", "125")],
)  # fmt: skip
@pytest.mark.parametrize("context", ["director", "create-env"])
def test_a_drain_runs_within_a_time_that_is_one_whatever_is_given(
    render: Render, context: str, given: object, seconds: str
) -> None:
    """The agent says then what is wrong, and stops a VM that never got in.

    It is a little more than the agent is told, so that the agent has the last word.
    """
    job = render("--context", context, properties={"drain": {"timeout": given}})

    assert f"readonly LIMIT_SECONDS='{seconds}'\n" in (job / "bin/drain").read_text()


@pytest.mark.parametrize("on_error", ["continue", "fail"])
def test_the_scripts_are_shellcheck_clean(render: Render, on_error: str) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is missing")
    job = render(properties={"drain": {"on_error": on_error}})
    scripts = [path for path in (job / "bin").rglob("*") if path.is_file()]

    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)

    assert len(scripts) == sum(to.startswith("bin/") for to in SPEC["templates"].values())
    assert done.stdout == ""


def test_the_job_names_the_packages_that_it_runs_from() -> None:
    package = yaml.safe_load((ROOT / "release/packages/aliyun_py/spec").read_text())

    # A VM gets only the packages that its jobs name, not those these depend on.
    assert set(SPEC["packages"]) == {package["name"], *package["dependencies"]}


SCRAPED = {
    "port": 9115,
    "source_id": "slb-registration-test",
    "scheme": "http",
    "path": "/metrics",
    "labels": {"origin": "slb-registration-test"},
}
TLS = {"certificate": "CRT", "private_key": "KEY", "ca": "CA"}


def prom_scraper_config(job: Path) -> dict[str, object] | None:
    """As prom_scraper reads it: a file without a port is passed over, one that is no YAML ends it.

    It reads into fields, most of which are texts (config_provider.go of loggregator-agent-release).
    """
    document = yaml.safe_load((job / "config/prom_scraper_config.yml").read_text()) or {}
    assert isinstance(document, dict)
    for name, value in document.items():
        assert isinstance(value, dict if name == "labels" else (str, int)), name
    assert document.get("scheme") != "https" or document["server_name"]
    if document.get("port") is None:
        assert document == {}
        return None
    assert 0 < int(document["port"]) <= 65535
    assert document.pop("instance_id")
    return document


TOLD: list[tuple[Mapping[str, object], object]] = [
    ({"port": 9115}, SCRAPED),
    ({"port": 9115, "address": "127.0.0.1"}, SCRAPED),
    (
        {"port": 9115, "address": "0.0.0.0", "tls": {**TLS, "server_name": "slb: metrics"}},
        {**SCRAPED, "scheme": "https", "server_name": "slb: metrics"},
    ),
    (
        {"port": 9115, "address": "::", "tls": {**TLS, "server_name": "slb"}},
        {**SCRAPED, "scheme": "https", "server_name": "slb"},
    ),
    ({}, None),
    ({"port": 9115, "address": "0.0.0.0", "tls": TLS}, None),
    ({"port": 9115, "tls": {"ca": "CA"}}, None),
    ({"port": 9115, "tls": {**TLS, "server_name": ["slb"]}}, None),
    ({"port": 9115, "address": "10.0.0.5", "tls": {**TLS, "server_name": "slb"}}, None),
    ({"port": 9115, "address": "::1"}, None),
    *(({"port": port}, None) for port in (0, -1, 65536, 9115.5, "a: [b", ["9115"], True)),
]


@pytest.mark.parametrize("case", thorough.but(TOLD[:6], TOLD))
@pytest.mark.parametrize("context", thorough.but(["director"], ["director", "create-env"]))
def test_prom_scraper_is_told_of_what_it_can_ask_and_finds_a_harmless_file_else(
    render: Render, context: str, case: tuple[Mapping[str, object], object]
) -> None:
    metrics, told = case

    job = render("--context", context, properties={"metrics": metrics})

    assert prom_scraper_config(job) == told


@pytest.mark.skipif(shutil.which("bosh") is None, reason="the BOSH CLI is not on PATH")
@pytest.mark.parametrize(
    "metrics", [{}, {"port": 9115}, {"port": 9115, "tls": {**TLS, "server_name": 'a: "b" #\u2028'}}]
)
def test_go_reads_what_prom_scraper_is_told_as_it_is_meant(
    render: Render, metrics: Mapping[str, object]
) -> None:
    """prom_scraper is written in Go, as the CLI is."""
    file = render(properties={"metrics": metrics}) / "config/prom_scraper_config.yml"

    line = ["bosh", "interpolate", str(file)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)

    assert yaml.safe_load(done.stdout) == yaml.safe_load(file.read_text())


def test_the_licence_and_the_notice_are_files_in_the_release_too() -> None:
    for name in ("LICENSE", "NOTICE"):
        packed = ROOT / "release" / name
        assert not packed.is_symlink()
        assert packed.read_text() == (ROOT / name).read_text()
