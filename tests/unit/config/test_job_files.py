"""The files in which co-located jobs ask for server groups: what they may hold."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.probes.checks import config as health_check

from slb_registration.config.job_files import (
    MOST_FILES,
    SIZE_LIMIT,
    TOO_MANY,
    listed,
    read,
    read_all,
)
from slb_registration.config.loading import ConfigError
from slb_registration.model.configuration import GroupSpec

CHECK = health_check()
CLB = {"load_balancer_id": "lb-1"}
ALB = {"product": "alb", "server_group_id": "sgp-1"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "slb_registration.json"


def problems(path: Path, default_port: int | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(path, default_port, CHECK)
    return caught.value.problems


def refused(file: Path, document: Any, default_port: int | None = None) -> tuple[str, ...]:
    file.write_text(json.dumps(document))
    return problems(file, default_port)


def test_groups_are_named_as_in_the_manifest(file: Path):
    file.write_text(json.dumps({**CLB, "server_groups": [{**ALB, "port": 8443, "weight": 30}]}))
    config = read(file, None, CHECK)
    assert config.groups == (
        GroupSpec("clb", "lb-1", None, None, 100, None),
        GroupSpec("alb", None, None, 8443, 30, None, server_group_id="sgp-1"),
    )
    assert config.health_check is None


@pytest.mark.parametrize(
    ("file_port", "own_port", "port"), [(None, None, 7000), (8000, None, 8000), (8000, 9000, 9000)]
)
def test_the_nearest_port_counts(file: Path, file_port, own_port, port):
    file.write_text(json.dumps({"port": file_port, "server_groups": [{**ALB, "port": own_port}]}))
    (group,) = read(file, 7000, CHECK).groups
    assert group.port == port


def test_a_check_of_its_own_has_the_defaults_of_the_manifest(file: Path):
    file.write_text(json.dumps({**CLB, "health_check": {"type": "http", "path": "/up"}}))
    check = read(file, None, CHECK).health_check
    assert check is not None
    assert (check.type, check.path, check.host, check.port) == ("http", "/up", "127.0.0.1", None)
    assert (check.interval_seconds, check.unhealthy_threshold) == (5, 3)


def test_a_job_may_ask_for_nothing_by_an_empty_list(file: Path):
    file.write_text(json.dumps({"server_groups": []}))
    assert read(file, None, CHECK).groups == ()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, ["server_groups: is missing"]),
        ([], ["must hold a JSON object"]),
        (None, ["must hold a JSON object"]),
        ({"server_group": [CLB]}, ["server_groups: is missing", "did you mean server_groups?"]),
        ({"server_groups": [ALB]}, ["server_groups[0].port"]),
        ({"server_groups": [CLB, CLB]}, ["given twice"]),
        ({**CLB, "port": "80"}, ["port: must be a whole number"]),
        ({**CLB, "health_check": {"type": "icmp"}}, ["health_check.type: must be one of"]),
        ({**CLB, "access_key": "x"}, ["access_key: there is no such property"]),
    ],
)
def test_every_problem_of_a_file_is_told_with_its_place(file: Path, document, said):
    found = refused(file, document)
    assert len(found) == len(said)
    for text, part in zip(found, said, strict=True):
        assert part in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not valid JSON at line 1"),
        (b'{"port": 80\n', "is not valid JSON at line 2"),
        (b'{"\xff"}', "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
    ],
    ids=["empty", "cut", "not UTF-8", "deep"],
)
def test_what_is_no_json_is_said_to_be_none(file: Path, content: bytes, said: str):
    file.write_bytes(content)
    assert problems(file) == (said,)


def test_a_file_that_is_too_long_is_refused(file: Path):
    file.write_bytes(b" " * (SIZE_LIMIT + 1))
    assert problems(file) == (f"cannot be read: is longer than {SIZE_LIMIT} bytes",)


def test_what_is_no_regular_file_is_refused_at_once(file: Path):
    os.mkfifo(file)
    assert problems(file) == ("cannot be read: is no regular file",)
    file.unlink()
    file.mkdir()
    assert problems(file)[0].startswith("cannot be read: ")


def test_files_are_listed_once_in_their_order_through_links_too(tmp_path: Path):
    for name in ("b", "a"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "x.json").touch()
        (tmp_path / "jobs").mkdir(exist_ok=True)
        (tmp_path / "jobs" / name).symlink_to(tmp_path / "data" / name)
    patterns = [f"{tmp_path}/jobs/*/x.json", f"{tmp_path}/jobs/a/*.json", f"{tmp_path}/none/*"]
    files, all_of_them = listed(patterns)
    assert files == [tmp_path / "jobs/a/x.json", tmp_path / "jobs/b/x.json"]
    assert all_of_them


def test_a_pattern_that_matches_far_too_much_is_bounded_and_that_is_a_problem(tmp_path: Path):
    for number in range(MOST_FILES):
        (tmp_path / f"{number}.json").write_text('{"server_groups": []}')
    patterns = [f"{tmp_path}/*.json"]
    assert listed(patterns)[1]
    assert not any(isinstance(found, ConfigError) for _, found in read_all(patterns, None, CHECK))
    (tmp_path / "more.json").touch()
    files, all_of_them = listed(patterns)
    assert (len(files), all_of_them) == (MOST_FILES, False)
    *others, (where, problem) = read_all(patterns, None, CHECK)
    assert len(others) == MOST_FILES
    assert isinstance(problem, ConfigError)
    assert (str(where), problem.problems) == ("dynamic_config_globs", (TOO_MANY,))


def test_a_group_that_forwards_all_ports_needs_a_port_to_check(file: Path):
    any_port = {"product": "nlb", "server_group_id": "sgp-1", "port": 0}
    (problem,) = refused(file, {"server_groups": [any_port]})
    assert problem.startswith("server_groups[0].port: 0 is of a group that forwards all ports")
    (problem,) = refused(file, {"server_groups": [any_port], "health_check": {"type": "http"}})
    assert "set health_check.port" in problem

    file.write_text(json.dumps({"server_groups": [any_port]}))
    assert read(file, 8080, CHECK).groups[0].port == 0
    assert read(file, None, replace(CHECK, port=9000)).groups[0].port == 0
    assert read(file, None, replace(CHECK, type="none")).groups[0].port == 0
