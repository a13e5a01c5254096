"""What fuzzing has found, each as one input that shows it, whatever becomes of the strategies."""

from __future__ import annotations

import copy
import gzip
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.fuzz import answers, config, release, state, transport
from tests.fuzz.answers import Hostile, recorded
from tests.fuzz.catalogue import TARGETS
from tests.fuzz.release import GOOD_JOB, Item, archive, release_tarball
from tests.unit.every_kind import KINDS

from bosh_release.cli import main
from bosh_release.source.specs import read_job_contents
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball import inflating
from bosh_release.tarball.release_checks import verify_tarball
from slb_registration.cloud.credentials import CredentialsError
from slb_registration.model.errors import ApiError, Kind
from slb_registration.server_groups.open import open_group


def changed(document: Any, *path: Any, to: Any) -> Any:
    """A copy with one value replaced."""
    made = copy.deepcopy(document)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = to
    return made


def rendered(*path: Any, to: Any) -> bytes:
    return json.dumps(changed(config.DOCUMENTS[1], *path, to=to)).encode()


def registered(number: int, **fields: Any) -> bytes:
    document = copy.deepcopy(state.JOURNAL)
    document["registrations"][str(number)]["spec"].update(fields)
    return json.dumps(document).encode()


NESTED = b"[" * 5000
FOUND: dict[str, list[tuple[str, Any]]] = {
    # half of a character, which no system call and no request takes
    "config": [
        ("a path", rendered("properties", "ca_bundle", to="/etc/\ud800")),
        ("a name", rendered("spec", "deployment", to="cf\udcff")),
        ("a tag", json.dumps(changed(config.DOCUMENTS[2], "properties", "discovery", "tags",
                                     to={"a": "\ud800"})).encode()),
        ("a key for properties", json.dumps({"properties": config.KEYS["secret_key"]}).encode()),
    ],
    # the thread that joins ended, and nothing was registered
    "journal": [
        ("no such product", registered(3, product="xlb")),
        ("no address", registered(4, server_ip=None)),
        ("a port out of bounds", registered(1, port=70_000)),
        ("a port that is a truth", registered(1, port=True)),
        ("no instance", b'{"version": 1, "instance_id": null, "region": "cn-hangzhou"}'),
        ("no region", b'{"version": 1, "instance_id": "i-bp1", "region": null}'),
    ],
    "sts": [("the end of time", changed(transport.STS, "Credentials", "Expiration",
                                        to="9999-12-31T23:59:61Z"))],
    "sdk": [("a key in the code", transport.Reply(400, "application/json", json.dumps(
        {**transport.API_ERROR, "Code": f"No.{transport.SECRETS[0]}"}).encode()))],
    "control_socket": [
        ("half an order", b"POST /drain HTTP/1.0\r\nHost: localhost\r\n"),
        ("no version", b"GETsion=0.0.4\r\n\r\n"),
    ],
    "release_yaml": [
        ("thousands of digits", b"name: " + b"1" * 5000),
        ("thousands of digits in binary", b"name: 0b" + b"1" * 20_000),
        ("an infinite size", b"a:\n  size: 1e999\n"),
        ("a size of infinity", b"a:\n  size: .inf\n"),
        ("a size that is none", b"a:\n  size: !!int x\n"),
    ],
    "manifest_yaml": [("thousands of digits", b"name: " + b"1" * 5000)],
    "mock_http": [
        ("a body that is cut off", b"POST /_mock/faults HTTP/1.1\r\nContent-Length: 5\r\n\r\n["),
        ("a body nested deeply", b"POST /_mock/faults HTTP/1.1\r\nContent-Type: application/json"
         b"\r\nContent-Length: 5000\r\n\r\n" + NESTED),
    ],
    "mock_api": [
        ("servers nested deeply", (0, {"Action": "AddBackendServers", "Version": "2014-05-15",
         "Format": "JSON", "LoadBalancerId": "lb-1", "BackendServers": NESTED.decode()})),
        ("tags nested deeply", (0, {"Action": "DescribeLoadBalancers", "Version": "2014-05-15",
         "Format": "JSON", "RegionId": "cn-hangzhou", "Tags": NESTED.decode()})),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "value"),
    [
        pytest.param(name, value, id=f"{name}: {what}")
        for name, found in FOUND.items()
        for what, value in found
    ],
)
def test_it_holds_for_what_was_found(target: str, value: Any):
    next(one for one in TARGETS if one.name == target).holds(value)


# The API's answers

ODD = (float("inf"), float("nan"), 10**400, True, "1e9", "٣", None, [], {})


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_no_number_of_the_api_is_more_than_it_can_be(kind: int, odd: Any):
    def with_odd(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: with_odd(one) for key, one in value.items()}
        if isinstance(value, list):
            return [with_odd(one) for one in value]
        return odd if isinstance(value, int) and not isinstance(value, bool) else value

    hostile = Hostile(kind, with_odd(dict(recorded()[kind].answers)))
    answers.groups_hold(hostile)
    answers.standby_holds(hostile)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_no_text_of_the_api_gets_to_a_terminal_as_it_is(kind: int):
    def with_odd(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: with_odd(one) for key, one in value.items()}
        if isinstance(value, list):
            return [with_odd(one) for one in value]
        return f"{value}\x1b[2J\ud800" if isinstance(value, str) else value

    hostile = Hostile(kind, with_odd(dict(recorded()[kind].answers)))
    answers.groups_hold(hostile)
    answers.agent_holds(hostile)


@pytest.mark.parametrize("id_", [["lb-1"], {}, 1, "\ud800"], ids=repr)
@pytest.mark.parametrize("kind", [0, 4, 8])
def test_an_id_that_is_no_text_is_no_id(kind: int, id_: Any):
    known = dict(recorded()[kind].answers)
    if kind == 0:
        path = ("DescribeLoadBalancers", "LoadBalancers", "LoadBalancer", 0, "LoadBalancerId")
    else:
        path = ("ListServerGroups", "ServerGroups", 0, "ServerGroupId")
    answers.listings_hold(Hostile(kind, changed(known, *path, to=id_)))


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_a_listing_without_end_is_left(kind: int):
    hostile = Hostile(kind, recorded()[kind].answers, endless=True)
    answers.groups_hold(hostile)
    answers.listings_hold(hostile)


@pytest.mark.parametrize("told", [True, False], ids=["where they lead", "only that they are"])
def test_a_load_balancer_with_ten_thousand_listeners_is_not_asked_ten_thousand_times(told: bool):
    known = dict(recorded()[0].answers)
    listeners = [{"ListenerPort": port, "ListenerProtocol": "tcp"} for port in range(10_000)]
    path = ("DescribeLoadBalancerAttribute", "ListenerPortsAndProtocol", "ListenerPortAndProtocol")
    known = changed(known, *path, to=listeners)
    known["DescribeLoadBalancerListeners"] = {"RequestId": "R", "Listeners": listeners * told}
    hostile = Hostile(0, known)
    cloud: Any = _WantsListenersNamed(hostile.answers)
    group = open_group(cloud, hostile.setting.spec)
    with pytest.raises(ApiError, match="more listeners than there can be"):
        group.health()


class _WantsListenersNamed(answers.HostileCloud):
    def call(self, request: Any) -> dict[str, Any]:
        if request.get_action_name() == "DescribeHealthStatus":
            raise ApiError("DescribeHealthStatus", Kind.INVALID,
                                   "TooManyListeners", "name one")  # fmt: skip
        return super().call(request)


def test_keys_for_all_time_are_no_keys():
    answer = changed(transport.STS, "Credentials", "Expiration", to="10000-01-01T00:00:00Z")
    with pytest.raises(CredentialsError, match="no usable Expiration"):
        transport.assumed(lambda _: answer, transport.ROLE)()


# The release tools


def problem(tmp_path: Path, items: list[Item]) -> str:
    path = tmp_path / "release.tgz"
    path.write_bytes(release_tarball(gzip.compress(archive(GOOD_JOB + items)), []))
    with pytest.raises(ReleaseError) as caught:
        verify_tarball(path)
    return str(caught.value)


def test_a_name_longer_than_any_path_is_refused(tmp_path: Path):
    assert "a name of more than" in problem(tmp_path, [Item("a/" * 100_000 + "b", b"x")])


def test_an_archive_of_more_files_than_any_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(inflating, "_MOST_ENTRIES", 10)
    assert "more than 10 entries" in problem(tmp_path, [Item(f"f{n}") for n in range(10)])


def test_a_manifest_of_aliases_is_not_written_out():
    lines = ["name: r", "version: 1", "jobs:", "- &a {name: j, packages: [" + "p, " * 2000 + "]}"]
    release.release_yaml_holds("\n".join([*lines, *["- *a"] * 2000]).encode())


def test_a_pipe_in_the_place_of_a_spec_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "spec")
    with pytest.raises(ReleaseError, match="it is a pipe"):
        read_job_contents(tmp_path / "spec")


def test_a_tarball_gets_nothing_to_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "release.tgz"
    path.write_bytes(release_tarball(archive(GOOD_JOB), [Item("../\x1b[2J\x1b]0;x\x07")]))
    assert main(["verify", str(path)]) == 1
    said = capsys.readouterr()
    assert "\\x1b[2J" in said.err
    assert (said.out + said.err).replace("\n", "").isprintable()


def test_an_archive_that_makes_a_device_is_not_unpacked(tmp_path: Path):
    from demo.compilation import unpack
    from demo.sandbox import SandboxError

    path = tmp_path / "archive"
    path.write_bytes(gzip.compress(archive([Item("null", kind=tarfile.CHRTYPE, mode=0o4666)])))
    with pytest.raises(SandboxError, match="'null' is a device"):
        unpack(path, tmp_path / "into")
    assert not (tmp_path / "into").exists()
