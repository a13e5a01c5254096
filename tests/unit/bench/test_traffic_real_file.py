"""The file of `make bench-traffic ARGS="--cloud FILE"`: read whole, and every mistake told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.bench.traffic.real_file import RealCloudError, load

KEY, SECRET = "LTAI5tExampleExample", "secretsecretsecretsecretsecret"
GOOD = {
    "region": "cn-hangzhou",
    "access_key": KEY,
    "secret_key": SECRET,
    "listeners": {"web": "lb.example.com:80", "six": "[2001:db8::1]:8443"},
    "plays": {"restart": "bosh -n -d web restart web", "b": "true"},
}


def written(tmp_path: Path, content: object, mode: int = 0o600) -> Path:
    path = tmp_path / "cloud.yml"
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    path.write_text(text)
    path.chmod(mode)
    return path


def refused(path: Path) -> str:
    with pytest.raises(RealCloudError) as error:
        load(path)
    said = str(error.value)
    assert all(line.startswith(str(path)) for line in said.splitlines())
    assert SECRET not in said
    assert KEY not in said
    return said


def test_a_good_file_is_read(tmp_path: Path) -> None:
    groups = [
        {"load_balancer_id": "lb-1"},
        {"product": "nlb", "server_group_id": "sgp-1", "port": 0},
    ]
    more = {"server_groups": groups, "path": "/ready", "endpoints": {"slb": "slb.corp.example"}}
    found = load(written(tmp_path, GOOD | more))
    assert found.listeners == {"web": ("lb.example.com", 80), "six": ("2001:db8::1", 8443)}
    assert list(found.plays) == ["restart", "b"]
    assert [one.product for one in found.groups] == ["clb", "nlb"]
    assert found.endpoints["slb"] == "https://slb.corp.example"
    assert (found.path, found.network) == ("/ready", "internet")
    assert SECRET not in repr(found)


def test_keys_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    rest = {name: value for name, value in GOOD.items() if not name.endswith("_key")}
    found = load(written(tmp_path, rest | {"credentials_file": "/var/keys.json"}))
    assert found.credentials.credentials_file == Path("/var/keys.json")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    said = refused(written(tmp_path, GOOD, mode))
    assert f"others may read it (mode {mode:04o})" in said
    assert "chmod 600" in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"region": None}, "region: is missing"),
        ({"region": "cn-hangzhou-h"}, "region: must be the id of a region"),
        ({"access_key": None}, "access_key: is missing"),
        ({"secret_key": None}, "secret_key: is missing"),
        ({"secret_key": f" {SECRET}"}, "secret_key: has white space"),
        ({"credentials_file": "/x"}, "credentials_file: give either this or access_key"),
        ({"listener": {}}, "listener: there is no such property; did you mean listeners?"),
        ({SECRET: 1}, "[redacted]: there is no such property"),
        ({"listeners": None}, "listeners: is missing"),
        ({"listeners": {}}, "listeners: is missing"),
        ({"listeners": ["a:1"]}, "listeners: must be a group of properties, not a list"),
        ({"listeners": {"web": "a.example"}}, "listeners.web: must be HOST:PORT, not 'a.example'"),
        ({"listeners": {"web": "a.example:"}}, "listeners.web: must be HOST:PORT"),
        ({"listeners": {"web": "a:0"}}, "listeners.web: must be HOST:PORT"),
        ({"listeners": {"web": "a:65536"}}, "listeners.web: must be HOST:PORT"),
        ({"listeners": {"web": ":80"}}, "listeners.web: must be HOST:PORT"),
        ({"listeners": {"web": "2001:db8::1:80"}}, "listeners.web: must be HOST:PORT"),
        ({"listeners": {"web": "[1.2.3.4]:80"}}, "listeners.web: must be HOST:PORT"),
        ({"listeners": {"web": "http://a:80"}}, "listeners.web: must be HOST:PORT"),
        ({"listeners": {"web": 80}}, "listeners.web: must be HOST:PORT, not 80"),
        ({"listeners": {"web": None}}, "listeners.web: is empty: must be HOST:PORT"),
        ({"listeners": {"a b": "a:1"}}, "listeners: 'a b' is no name"),
        ({"plays": None}, "plays: is missing"),
        ({"plays": {"restart": ""}}, "plays.restart: is empty: must be a shell command"),
        ({"plays": {"restart": ["bosh"]}}, "plays.restart: must be a shell command, not a list"),
        ({"plays": "bosh"}, "plays: must be a group of properties, not text"),
        ({"path": "ready"}, "path: must be a path that starts with /"),
        ({"path": "/a b"}, "path: must be a path that starts with /"),
        ({"network": "lan"}, "network: must be one of internet, vpc"),
        ({"endpoints": {"slb": "http://slb.example"}}, "endpoints.slb: must be https"),
        ({"endpoints": {"metadata": "x"}}, "endpoints.metadata: there is no such property"),
        ({"ca_bundle": "ca.pem"}, "ca_bundle: must be an absolute path"),
        ({"server_groups": [{"product": "alb"}]}, "server_groups[0].server_group_id: is missing"),
        (
            {"server_groups": [{"vserver_group_id": "rsp-1"}]},
            "server_groups[0].port: is missing: a vServer group",
        ),
    ],
)
def test_every_mistake_is_told_with_its_place(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    said = refused(written(tmp_path, GOOD | change))
    assert len(said.splitlines()) == 1
    assert says in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be a mapping"),
        ("- a", "must be a mapping"),
        (f"access_key: {KEY}\nsecret_key: '{SECRET}\n", "is not YAML"),
        (f"secret_key: {SECRET}: {SECRET}\n", "is not YAML"),
        (f"a: 1\nsecret_key: a\nsecret_key: {SECRET}\n", "twice: line 3"),
        (f"{SECRET}: 1\n{SECRET}: 2\n", "twice: line 2"),
        ("1: 2\n", "every name in it must be text"),
        ("plays: {1: a}\n", "every name in it must be text"),
        ("plays: &a {b: *a, 1: 2}\n", "every name in it must be text"),
        ("[" * 5000, "is not YAML"),
        ("\0", "is not YAML"),
    ],
)
def test_what_is_no_such_document_is_told_without_its_content(
    tmp_path: Path, text: str, says: str
) -> None:
    assert says in refused(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "missing.yml")
    assert "is no regular file" in refused(tmp_path)
    (tmp_path / "latin.yml").write_bytes(b"region: \xff")
    (tmp_path / "latin.yml").chmod(0o600)
    assert "is not UTF-8" in refused(tmp_path / "latin.yml")


def test_a_file_that_others_can_replace_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert "others could put another file in its place" in refused(written(folder, GOOD))
