"""Addons of manifests and runtime configs: which instance groups get their jobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.paths import ROOT

from bosh_release.render.interpolate.interpolation import Interpolated
from bosh_release.render.jobs.jobs_in_groups import GroupMember, given_properties
from bosh_release.render.jobs.selection import check_unique
from bosh_release.render.manifest.addons import with_addons
from bosh_release.render.manifest.group_facts import Known
from bosh_release.render.manifest.manifest import Manifest, read_manifest
from bosh_release.render.plan import Plan, make_plan
from bosh_release.render.request import Request
from bosh_release.source.job_specs import JobSpec
from bosh_release.support.errors import ReleaseError

VECTORS = json.loads((ROOT / "tests/release/golden/addons.json").read_text())

SPEC = JobSpec("any", Path("any"), (), {})


def manifest_of(document: Any) -> Manifest:
    return with_addons(
        read_manifest(Interpolated(document, ()), Path("m.yml"), None, None), Known()
    )


@pytest.mark.parametrize("vector", [each for each in VECTORS if "jobs" in each])
def test_groups_get_the_jobs_that_a_director_gives_them(vector: Any) -> None:
    manifest = manifest_of(vector["manifest"])

    got = {
        group.name: [
            [job.name, job.release, given_properties(manifest, GroupMember(group, job, SPEC))]
            for job in group.jobs
        ]
        for group in manifest.groups
    }
    assert got == vector["jobs"]
    assert not any(group.undecided for group in manifest.groups)


@pytest.mark.parametrize("vector", [each for each in VECTORS if "refused" in each])
def test_what_a_director_refuses_is_refused(vector: Any) -> None:
    with pytest.raises(ReleaseError):
        check_unique(manifest_of(vector["manifest"]))


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    """Plan the rendering of a manifest with a release that has the jobs `web` and `db`."""
    release = tmp_path / "rel"
    for job in ("web", "db"):
        folder = release / "jobs" / job
        folder.mkdir(parents=True)
        properties: dict[str, Any] = {"port": {"default": 80}, "host": {}}
        spec = {"name": job, "templates": {}, "properties": properties}
        (folder / "spec").write_text(yaml.safe_dump(spec))
        (folder / "monit").write_text("")

    def call(text: str, *jobs: str, **more: Any) -> Plan:
        path = tmp_path / "m.yml"
        path.write_text(text)
        request = {"deployment": "dep", "jobs": jobs, **more}
        return make_plan(Request(path, release, **request))

    return call


def given(planned: Plan) -> dict[str, Any]:
    """Return the properties of each job that is rendered."""
    return {
        member.job.name: given_properties(planned.manifest, member) for member in planned.members
    }


def refusal(planning: Callable[..., Plan], *arguments: Any, **more: Any) -> str:
    with pytest.raises(ReleaseError) as caught:
        planning(*arguments, **more)
    return str(caught.value)


BESIDE = """\
instance_groups: [{name: one, jobs: []}, {name: two, jobs: []}]
addons:
- name: more
  include: {instance_groups: [two]}
  jobs: [{name: web, release: rel, properties: {port: 5}}]
"""


def test_the_group_that_an_addon_is_for_is_found(plan: Callable[..., Plan]) -> None:
    planned = plan(BESIDE)

    assert planned.group.name == "two"
    assert given(planned) == {"web": {"port": 5}}


def test_a_group_without_the_job_says_which_addon_is_not_for_it(plan: Callable[..., Plan]) -> None:
    message = refusal(plan, BESIDE, instance_group="one")

    assert "there are no jobs" in message
    assert "addon 'more' is not for instance group 'one' (include.instance_groups)" in message


def test_only_the_addon_gives_properties_to_its_jobs(plan: Callable[..., Plan]) -> None:
    shared = "properties: {host: all}\n" + BESIDE.replace(", properties: {port: 5}", "")

    assert given(plan(shared)) == {"web": {}}
    assert given(plan(shared + "  properties: {port: 6}\n")) == {"web": {"port": 6}}


@pytest.mark.parametrize("place", ["job", "addon"])
def test_a_variable_of_the_addon_is_needed(plan: Callable[..., Plan], place: str) -> None:
    text = BESIDE.replace("{port: 5}", "{port: ((port))}")
    if place == "addon":
        text = BESIDE.replace(", properties: {port: 5}", "") + "  properties: {port: ((port))}\n"

    message = refusal(plan, text)

    assert "Expected to find variables:\n  - port (" in message


def test_a_variable_in_a_filter_is_needed_where_it_decides(plan: Callable[..., Plan]) -> None:
    text = BESIDE.replace("[two]", "[((group))]")
    again = text + "- name: again\n  jobs: [{name: web, release: rel}]\n"

    assert given(plan(again, variables={"group": "other"}, instance_group="one")) == {"web": {}}
    assert given(plan(text, instance_group="one")) == {"web": {"port": 5}}
    twice = again.replace("again\n", "again\n  include: {azs: [((zone))]}\n")
    assert "  - group (" in refusal(plan, twice, instance_group="one")


def test_the_same_job_twice_is_an_error_where_both_addons_match(plan: Callable[..., Plan]) -> None:
    again = "- name: again\n  include: {{azs: [{zone}]}}\n  jobs: [{{name: web, release: rel}}]\n"
    zoned = BESIDE.replace("name: two,", "name: two, azs: [z1],")

    assert given(plan(zoned + again.format(zone="z2"))) == {"web": {"port": 5}}
    message = refusal(plan, zoned + again.format(zone="z1"))
    assert message == "Colocated job 'web' is already added to the instance group 'two'"


def test_links_come_from_the_jobs_of_addons_too(plan: Callable[..., Plan], tmp_path: Path) -> None:
    for job, key in (("web", "consumes"), ("db", "provides")):
        spec = tmp_path / "rel/jobs" / job / "spec"
        entry = {key: [{"name": "store", "type": "store"}]}
        spec.write_text(yaml.safe_dump({**yaml.safe_load(spec.read_text()), **entry}))
    text = BESIDE + "- name: stores\n  jobs: [{name: db, release: rel}]\n"
    only_one = text.replace("stores\n", "stores\n  include: {instance_groups: [one]}\n")

    [link] = plan(only_one, "web").links["web"]

    assert link.content["instance_group"] == "one"


def test_an_addons_job_offers_no_links_beyond_those_of_its_spec(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    spec = tmp_path / "rel/jobs/web/spec"
    consumes = {"consumes": [{"name": "store", "type": "store", "optional": True}]}
    spec.write_text(yaml.safe_dump({**yaml.safe_load(spec.read_text()), **consumes}))
    custom = "custom_provider_definitions: [{name: mine, type: store}]"
    text = BESIDE + f"- name: stores\n  jobs: [{{name: db, release: rel, {custom}}}]\n"

    assert plan(text, "web").links == {"web": []}


def test_create_env_passes_over_addons(plan: Callable[..., Plan]) -> None:
    assert "there are no jobs" in refusal(plan, BESIDE, context="create-env")
    alone = "addons" + BESIDE.partition("addons")[2]
    assert "takes no runtime config" in refusal(plan, alone, context="create-env")


RUNTIME = """\
releases: [{name: rel, version: 1}]
addons:
- name: old
  include: {stemcell: [{os: ubuntu-jammy}]}
  jobs: [{name: db, release: rel, properties: {port: 1}}]
- name: new
  include: {stemcell: [{os: ubuntu-noble}]}
  jobs: [{name: db, release: rel, properties: {port: 2}}]
- name: web
  include: {deployments: [dep], jobs: [{name: router, release: routing}]}
  exclude: {lifecycle: errand}
  jobs: [{name: web, release: rel}]
"""


def test_what_cannot_be_decided_does_not_matter_to_other_jobs(plan: Callable[..., Plan]) -> None:
    assert given(plan(RUNTIME, "web", instance_group="grp")) == {"web": {}}


@pytest.mark.parametrize("jobs", [(), ("db",)])
def test_the_options_decide_which_addon_applies(
    plan: Callable[..., Plan], jobs: tuple[str, ...]
) -> None:
    message = refusal(plan, RUNTIME, *jobs, instance_group="grp")

    assert "m.yml:5: job 'db' is in the addons 'old' and 'new', and which of them" in message
    assert "(include.stemcell); say it with --stemcell-os" in message
    decided = plan(RUNTIME, "db", instance_group="grp", stemcell_os="ubuntu-noble")
    assert given(decided) == {"db": {"port": 2}}
    neither = refusal(plan, RUNTIME, "db", instance_group="grp", stemcell_os="windows")
    assert "addon 'old' is not for instance group 'grp' (include.stemcell)" in neither


@pytest.mark.parametrize(
    ("kind", "names", "option"),
    [
        ("instance_groups", ("[a]", "[b]"), "--instance-group"),
        ("networks", ("[a]", "[b]"), "--network"),
        ("azs", ("[a]", "[b]"), "--az"),
        ("lifecycle", ("service", "errand"), "remove one with an ops file"),
        ("teams", ("[a]", "[b]"), "remove one with an ops file"),
    ],
)
def test_a_runtime_config_tells_what_is_missing_to_decide(
    plan: Callable[..., Plan], kind: str, names: tuple[str, str], option: str
) -> None:
    addons = "".join(
        f"- name: a{number}\n  include: {{{kind}: {name}}}\n  jobs: [{{name: web}}]\n"
        for number, name in enumerate(names)
    )
    message = refusal(plan, f"addons:\n{addons}")

    assert f"(include.{kind})" in message
    assert message.endswith(option)


def test_an_addon_of_another_deployment_is_not_rendered(plan: Callable[..., Plan]) -> None:
    message = refusal(plan, RUNTIME, "web", deployment="other", instance_group="grp")

    assert "addon 'web' is not for instance group 'grp' (include.deployments)" in message


def test_ops_files_change_runtime_configs(plan: Callable[..., Plan], tmp_path: Path) -> None:
    ops = tmp_path / "ops.yml"
    ops.write_text("[{type: remove, path: /addons/name=old}]")

    decided = plan(RUNTIME, "db", instance_group="grp", ops_files=[ops])

    assert given(decided) == {"db": {"port": 2}}


DEPLOYED = """\
releases: [{name: rel, version: 1}]
stemcells: [{alias: default, os: ubuntu-noble, version: latest}]
instance_groups: [{name: grp, stemcell: default, jobs: [{name: router, release: routing}]}]
"""


def test_the_manifest_decides_which_addons_of_runtime_configs_apply(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.yml" for number in (1, 2)]
    files[0].write_text(RUNTIME)
    files[1].write_text(
        "releases: [{name: rel, version: 1}]\naddons:\n- name: more\n"
        "  include: {jobs: [{name: web, release: rel}]}\n  jobs: [{name: extra, release: rel}]\n"
    )

    planned = plan(DEPLOYED, "db", "web", runtime_configs=files)

    assert given(planned) == {"db": {"port": 2}, "web": {}}
    assert [job.name for job in planned.group.jobs] == ["router", "db", "web", "extra"]


def test_one_release_in_two_versions_is_refused_where_the_addon_applies(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    file = tmp_path / "rc.yml"
    other = "releases: [{name: rel, version: 2}]\naddons:\n- name: a\n  include: {azs: [z1]}\n"
    file.write_text(other + "  jobs: [{name: web, release: rel}]\n")
    own = DEPLOYED.replace("[{name: router, release: routing}]", "[{name: db, release: rel}]")
    latest = own.replace("{name: rel, version: 1}", "{name: rel, version: latest}")

    assert given(plan(own, runtime_configs=[file])) == {"db": {}}
    zoned = "name: grp, azs: [z1],"
    message = refusal(plan, own.replace("name: grp,", zoned), runtime_configs=[file])
    assert "rc.yml:5: Runtime manifest specifies release 'rel' with version as '2'." in message
    assert "conflicts with version '1' specified in the deployment manifest" in message
    planned = plan(latest.replace("name: grp,", zoned), runtime_configs=[file])
    assert given(planned) == {"db": {}, "web": {}}


def test_a_runtime_config_is_told_by_its_own_name(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    file = tmp_path / "rc.yml"
    file.write_text("addons: [{name: a, jobs: [{name: web, properties: {port: ((port))}}]}]")
    message = refusal(plan, DEPLOYED, runtime_configs=[file])
    assert "  - port (" in message
    assert "rc.yml:1, runtime_configs/0/addons/0/jobs/0/properties/port)" in message

    for text in ("addons: ((port))", "addons: [{name: a, include: ((port))}]"):
        file.write_text(text)
        message = refusal(plan, DEPLOYED, runtime_configs=[file])
        assert "  - port (" in message
        assert "rc.yml:1, addons" in message

    file.write_text("addons: [{name: a, include: {azs: 1}}]")
    assert "rc.yml:1: include.azs must be" in refusal(plan, DEPLOYED, runtime_configs=[file])
    file.write_text("releases: [{name: rel, version: 1.latest}]\naddons: []")
    assert "rc.yml:1: Runtime manifest" in refusal(plan, DEPLOYED, runtime_configs=[file])
    file.write_text("- a")
    assert "rc.yml: a runtime config is a map" in refusal(plan, DEPLOYED, runtime_configs=[file])


@pytest.mark.parametrize(
    ("addon", "problem"),
    [
        ("{jobs: []}", "an addon has no name"),
        ("{name: a, include: ~}", "m.yml:3: include of addon 'a' must be a map, this is nothing"),
        ("{name: a, exclude: {azs: z1}}", "exclude.azs must be a list, this is a string"),
        ("{name: a, include: {lifecycle: yes}}", "must be a string, this is a boolean; quote"),
        ("{name: a, include: {stemcell: [{}]}}", "include.stemcell: each entry must have os"),
        ("{name: a, include: {jobs: [{name: x}]}}", "each entry must have name and release"),
        ("{name: a, include: {deployments: [d]}}", "is not allowed for deployment level addons"),
        ("{name: a, jobs: [{name: web, release: other}]}", "not listed in the deployment releases"),
        ("{name: a, jobs: [{name: web, properties: ~}]}", "must be a map, this is nothing"),
        ("{name: a, properties: 1}", "properties of addon 'a' must be a map, this is an integer"),
    ],
)
def test_an_addon_that_a_director_refuses_is_told_with_its_place(
    plan: Callable[..., Plan], addon: str, problem: str
) -> None:
    text = f"releases: [{{name: rel}}]\ninstance_groups: []\naddons: [{addon}]\n"

    message = refusal(plan, text)

    assert "m.yml" in message
    assert problem in message
