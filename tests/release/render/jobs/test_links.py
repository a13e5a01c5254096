"""Links between the jobs of a manifest, or with values that are written down."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bosh_release.render.manifest.instances import Settings, instance_id
from bosh_release.render.options import links as links_of_options
from bosh_release.render.rendering import render
from bosh_release.render.request import Request
from bosh_release.support.errors import ReleaseError

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)

SHOW = """<% if_link('db') do |l| -%>
<%= {instances: l.instances.map { |i| [i.name, i.index, i.az, i.address, i.bootstrap, i.id] },
     port: l.p('port', nil), host: l.p('db.host', nil), all: l.properties,
     address: l.address}.to_json -%>
<% end.else do -%>
null
<% end -%>
"""
DB = {
    "name": "db",
    "templates": {},
    "provides": [{"name": "main", "type": "database", "properties": ["port", "db.host"]}],
    "properties": {"port": {"default": 5432}, "db.host": None, "secret": None},
}
APP = {
    "name": "app",
    "templates": {"show.erb": "show.json"},
    "consumes": [{"name": "db", "type": "database", "optional": True}],
    "properties": {},
}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for spec in (DB, APP):
        job = tmp_path / "rel" / "jobs" / str(spec["name"])
        (job / "templates").mkdir(parents=True)
        (job / "spec").write_text(yaml.safe_dump(spec))
        (job / "monit").write_text("")
    (tmp_path / "rel" / "jobs" / "app" / "templates" / "show.erb").write_text(SHOW)
    return tmp_path / "rel"


def change_spec(release: Path, job: str, **changes: Any) -> None:
    path = release / "jobs" / job / "spec"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


OF_THE_JOB = ("properties", "consumes", "provides", "custom_provider_definitions")


def group(name: str, job: str, **more: Any) -> dict[str, Any]:
    entry = {key: more.pop(key) for key in OF_THE_JOB if key in more}
    return {"name": name, "jobs": [{"name": job, "release": "rel", **entry}], **more}


@pytest.fixture
def link(tmp_path: Path, release: Path) -> Callable[..., Any]:
    """Render `app` and return what its template saw of the link, None where there is none."""

    def call(*groups: dict[str, Any], **more: Any) -> Any:
        path = tmp_path / "m.yml"
        path.write_text(yaml.safe_dump({"instance_groups": list(groups)}))
        request = Request(
            path, release, deployment="dep", instance_group="web", jobs=["app"], **more
        )
        [job] = render(request).jobs
        return json.loads(next(file.content for file in job.files if file.path == "show.json"))

    return call


def test_only_provider_of_the_type_is_taken(link: Callable[..., Any]) -> None:
    seen = link(
        group("web", "app"),
        group("data", "db", properties={"db": {"host": None}, "secret": "x"}, instances=2,
              azs=["z1", "z2"], networks=[{"name": "net", "static_ips": ["10.0.0.4 - 10.0.0.5"]}]),
    )  # fmt: skip
    ids = [instance_id("dep", "data", index) for index in (0, 1)]
    assert seen == {
        "instances": [
            ["data", 0, "z1", "10.0.0.4", True, ids[0]],
            ["data", 1, "z2", "10.0.0.5", False, ids[1]],
        ],
        "port": 5432,
        "host": None,
        "all": {"port": 5432, "db": {"host": None}},
        "address": "q-s0.data.net.dep.bosh",
    }


def test_instance_without_a_known_address_goes_by_its_dns_name(link: Callable[..., Any]) -> None:
    seen = link(group("web", "app"), group("my_data", "db"))
    identifier = instance_id("dep", "my_data", 0)
    assert seen["instances"][0][3] == f"{identifier}.my-data.default.dep.bosh"


def test_rendered_instance_is_seen_with_its_own_settings(link: Callable[..., Any]) -> None:
    together = group("web", "app")
    together["jobs"].append({"name": "db", "release": "rel"})
    settings = Settings(index=1, address="me.example", id="mine", az="z9")
    seen = link(together, settings=settings)
    assert [instance[:4] for instance in seen["instances"]][1] == ["web", 1, "z9", "me.example"]
    assert seen["instances"][1][5] == "mine"


def test_optional_link_without_provider_is_none(link: Callable[..., Any]) -> None:
    assert link(group("web", "app")) is None


@pytest.mark.parametrize("side", ["consumes", "provides"])
def test_nil_in_the_manifest_cuts_the_link(link: Callable[..., Any], side: str) -> None:
    consumer = group("web", "app", **({"consumes": {"db": "nil"}} if side == "consumes" else {}))
    provider = group("data", "db", **({"provides": {"main": "nil"}} if side == "provides" else {}))
    assert link(consumer, provider) is None


def test_explicit_name_chooses_among_several(link: Callable[..., Any]) -> None:
    seen = link(
        group("web", "app", consumes={"db": {"from": "two"}}),
        group("one", "db", properties={"port": 1}),
        group("other", "db", provides={"main": {"as": "two"}}, properties={"port": 2}),
    )
    assert (seen["port"], seen["instances"][0][0]) == (2, "other")


def test_custom_provider_of_the_manifest_is_found(link: Callable[..., Any]) -> None:
    custom = [{"name": "extra", "type": "database", "properties": ["secret"]}]
    seen = link(
        group("web", "app", consumes={"db": {"from": "extra"}}),
        group("d", "db", custom_provider_definitions=custom, properties={"secret": "s"}),
    )
    assert seen["all"] == {"secret": "s"}


def test_other_network_of_the_provider_can_be_asked_for(link: Callable[..., Any]) -> None:
    networks = [
        {"name": "a", "static_ips": ["10.0.0.1"], "default": ["gateway"]},
        {"name": "b", "static_ips": ["10.1.0.1"]},
    ]
    consumer = {"consumes": {"db": {"from": "main", "network": "b"}}}
    seen = link(group("web", "app", **consumer), group("d", "db", networks=networks))
    assert seen["instances"][0][3] == "10.1.0.1"
    assert seen["address"] == "q-s0.d.b.dep.bosh"


def test_values_written_in_the_manifest_win_over_providers(link: Callable[..., Any]) -> None:
    written = {"instances": [{"address": "a"}], "properties": {"port": 1}, "address": "x.example"}
    seen = link(group("web", "app", consumes={"db": written}), group("d", "db"))
    assert seen["instances"] == [[None, None, None, "a", None, None]]
    assert (seen["port"], seen["address"]) == (1, "x.example")


def test_values_of_the_command_line_win_over_the_manifest(
    tmp_path: Path, link: Callable[..., Any]
) -> None:
    (tmp_path / "db.yml").write_text("instances: [{address: from-file}]\n")
    inline = links_of_options(["db={instances: [{address: b}], properties: {db: {host: h}}}"])
    seen = link(group("web", "app", consumes={"db": "nil"}), group("d", "db"), links=inline)
    assert (seen["instances"][0][3], seen["host"]) == ("b", "h")
    from_file = links_of_options([f"db=@{tmp_path / 'db.yml'}"])
    assert link(group("web", "app"), links=from_file)["instances"][0][3] == "from-file"


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("db", "--link expects NAME=VALUE"),
        ("db=text", "--link db: expects a map, this is a string"),
        ("db={adress: x}", "--link db: unknown key 'adress'; known are instances, properties, "),
        ("db={a: b", "--link db:1: not valid YAML"),
        ("db=@gone.yml", "gone.yml: No such file"),
    ],
)
def test_bad_link_option_is_refused(option: str, problem: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        links_of_options([option])
    assert problem in str(caught.value)


def test_link_that_no_job_takes_is_refused(link: Callable[..., Any]) -> None:
    with pytest.raises(ReleaseError, match=r"--link dv: no job .* of this name; they take db"):
        link(group("web", "app"), links={"dv": {}})


def test_missing_link_is_told_in_the_directors_words(
    release: Path, link: Callable[..., Any]
) -> None:
    change_spec(release, "app", consumes=[{"name": "db", "type": "queue"}])
    with pytest.raises(ReleaseError) as caught:
        link(group("web", "app"), group("d", "db"))
    assert str(caught.value) == (
        "Failed to resolve links from deployment 'dep'. See errors below:\n"
        "  - Failed to resolve link 'db' with type 'queue' from job 'app' in instance group 'web'. "
        "Details below:\n"
        "    - No link providers found among the jobs of this release; "
        "give the values with --link db=…"
    )


def test_ambiguous_link_names_all_providers(link: Callable[..., Any]) -> None:
    with pytest.raises(ReleaseError) as caught:
        link(
            group("web", "app"),
            group("one", "db", provides={"main": {"as": "primary"}}),
            group("two", "db"),
        )
    assert str(caught.value).splitlines()[1:] == [
        "  - Failed to resolve link 'db' with type 'database' from job 'app' in instance group "
        "'web'. Multiple link providers found:",
        "    - Link provider 'main' with alias 'primary' from job 'db' in instance group 'one' "
        "in deployment 'dep'",
        "    - Link provider 'main' from job 'db' in instance group 'two' in deployment 'dep'",
        "    Write consumes: {db: {from: NAME}} to take one of them (provides: {…: {as: NAME}} "
        "gives it a name of its own), or consumes: {db: nil} for none",
    ]


@pytest.mark.parametrize(
    ("consumes", "problem"),
    [
        ({"db": {"from": "gone"}}, "with alias 'gone' and type 'database'"),
        ({"db": {"deployment": "other"}}, "consumes from deployment 'other', which is not in"),
        ({"db": {"from": "x", "instances": []}}, "Cannot specify both 'instances' and 'from' keys"),
        ({"db": {"properties": {}}}, "Cannot specify 'properties' without 'instances'"),
        ({"db": None}, "should only be a hash or string 'nil', this is nothing"),
        ({"db": {"network": "gone", "from": "main"}}, "does not have network: 'gone'"),
        ({"dbs": {}}, "does not define link consumer 'dbs' in the release spec; did you mean db?"),
        ([], "consumes of job 'app' must be a map, this is an array"),
    ],
)
def test_link_that_cannot_be_is_refused(
    link: Callable[..., Any], consumes: Any, problem: str
) -> None:
    with pytest.raises(ReleaseError) as caught:
        link(group("web", "app", consumes=consumes), group("d", "db"))
    assert problem in str(caught.value)


def test_provider_must_declare_what_it_shows(release: Path, link: Callable[..., Any]) -> None:
    change_spec(release, "db", properties={"port": None})
    with pytest.raises(ReleaseError, match=r"Link property db\.host in template db is not defined"):
        link(group("web", "app"), group("d", "db"))


def test_providers_variables_are_needed_only_where_they_are_shown(
    link: Callable[..., Any],
) -> None:
    hidden = group("d", "db", properties={"port": 1, "secret": "((hidden))"})
    assert link(group("web", "app"), hidden)["port"] == 1
    shown = group("d", "db", properties={"port": "((shown))", "secret": "((hidden))"})
    with pytest.raises(ReleaseError) as caught:
        link(group("web", "app", properties={"x": "((own))"}), shown)
    assert "  - shown (" in str(caught.value)
    assert "  - own (" in str(caught.value)
    assert "hidden" not in str(caught.value)


CUSTOM = [{"name": "extra", "type": "database", "properties": ["port", "db.host"]}]


def of_another_release(name: str, **more: Any) -> dict[str, Any]:
    entry = group(name, "router", custom_provider_definitions=CUSTOM, **more)
    entry["jobs"][0]["release"] = "another"
    return entry


def test_what_the_manifest_lets_a_job_of_another_release_provide_is_a_provider(
    link: Callable[..., Any],
) -> None:
    seen = link(group("web", "app"), of_another_release("d", properties={"port": 8}))
    assert (seen["port"], seen["host"], seen["instances"][0][0]) == (8, None, "d")


def test_defaults_of_another_release_are_not_known_which_is_said(
    tmp_path: Path, release: Path
) -> None:
    manifest = tmp_path / "m.yml"
    groups = [group("web", "app"), of_another_release("d", properties={"port": 8})]
    manifest.write_text(yaml.safe_dump({"instance_groups": groups}))
    request = Request(manifest, release, deployment="dep", instance_group="web", jobs=["app"])
    (warning,) = render(request).warnings
    assert "db.host of job 'router' may have a default" in warning
    assert "--link db=" in warning


@pytest.mark.parametrize("same_group", [True, False])
def test_providers_of_two_releases_are_two(link: Callable[..., Any], same_group: bool) -> None:
    """As a director counts them: all of the deployment, this instance group's own as any other."""
    other = of_another_release("other", properties={"port": 8})
    web = group("web", "app")
    web["jobs"].append({"name": "db", "release": "rel"})
    groups = [web, other]
    if same_group:
        web["jobs"] += other["jobs"]
        groups = [web]
    with pytest.raises(ReleaseError, match="Multiple link providers found") as caught:
        link(*groups)
    assert "consumes: {db: nil}" in str(caught.value)


def test_each_choice_that_the_error_names_is_one(link: Callable[..., Any]) -> None:
    one, two = group("one", "db"), group("two", "db", provides={"main": {"as": "mine"}})
    assert link(group("web", "app", consumes={"db": "nil"}), one, two) is None
    seen = link(group("web", "app", consumes={"db": {"from": "mine"}}), one, two)
    assert seen["instances"][0][0] == "two"


def test_one_name_for_two_providers_is_no_choice(link: Callable[..., Any]) -> None:
    with pytest.raises(ReleaseError, match="Multiple link providers found"):
        link(group("web", "app", consumes={"db": {"from": "main"}}), group("a", "db"),
             group("b", "db"))  # fmt: skip


def test_a_link_that_must_be_there_cannot_be_none(release: Path, link: Callable[..., Any]) -> None:
    change_spec(release, "app", consumes=[{"name": "db", "type": "database"}])
    with pytest.raises(ReleaseError) as caught:
        link(group("web", "app"), group("a", "db"), group("b", "db"))
    assert "from: NAME" in str(caught.value)
    assert "nil" not in str(caught.value)


OTHER = {"name": "d", "jobs": [{"name": "db", "release": "another"}]}
MISSING = (
    "Job 'app' gets no optional link 'db': no job of release 'rel' here provides the type "
    "'database'. If one of another release does, give its values with --link db=…"
)


@pytest.fixture
def notes(tmp_path: Path, release: Path) -> Callable[..., tuple[str, ...]]:
    """Render `app` and return what is told about it."""

    def call(*groups: dict[str, Any], key: str = "instance_groups", **more: Any) -> tuple[str, ...]:
        path = tmp_path / "m.yml"
        path.write_text(yaml.safe_dump({key: list(groups)}))
        request = Request(
            path, release, deployment="dep", instance_group="web", jobs=["app"], **more
        )
        return render(request).notes

    return call


def test_optional_link_that_another_release_may_provide_is_told_where_it_is_left_out(
    link: Callable[..., Any], notes: Callable[..., tuple[str, ...]]
) -> None:
    assert link(group("web", "app"), OTHER) is None
    assert notes(group("web", "app"), OTHER) == (MISSING,)
    assert notes({**group("web", "app"), "name": "addon"}, key="addons") == (MISSING,)


@pytest.mark.parametrize(
    ("groups", "more"),
    [
        ([group("web", "app")], {}),  # no job that could provide it
        ([group("web", "app"), group("data", "db"), OTHER], {}),
        ([group("web", "app", consumes={"db": "nil"}), OTHER], {}),
        ([group("web", "app"), OTHER], {"links": {"db": {"address": "db.example"}}}),
        ([group("web", "app"), OTHER], {"context": "create-env"}),
    ],
)
def test_nothing_is_told_of_a_link_that_is_there_or_not_wanted(
    release: Path, notes: Callable[..., tuple[str, ...]], groups: list[Any], more: dict[str, Any]
) -> None:
    (release / "jobs/app/templates/show.erb").write_text("")

    assert notes(*groups, **more) == ()


def test_a_template_that_fails_without_the_link_says_so(
    release: Path, notes: Callable[..., tuple[str, ...]]
) -> None:
    (release / "jobs/app/templates/show.erb").write_text("<%= nil.map %>")

    with pytest.raises(ReleaseError) as caught:
        notes(group("web", "app"), OTHER)

    assert "undefined method" in str(caught.value)
    assert str(caught.value).endswith("\n" + MISSING)
