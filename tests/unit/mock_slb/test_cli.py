from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import mock_slb
from mock_slb.__main__ import _greet, agent_config, main, write_agent_config
from mock_slb.account.account import Account
from mock_slb.server import serve


def test_a_seed_that_is_wrong_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = tmp_path / "seed.yml"
    seed.write_text("load_balancer: []", encoding="utf-8")
    assert main(["--seed", str(seed)]) == 1
    said = capsys.readouterr().err
    assert "load_balancer is not known; did you mean load_balancers?" in said
    assert "Traceback" not in said


def test_an_address_that_cannot_be_used_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Account(), probe=False) as taken:
        assert main(["--port", str(taken.port)]) == 1
    assert f"cannot listen on 127.0.0.1:{taken.port}" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["--port", port])
    assert error.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]  # it listed 65,536 ports
    assert last.endswith(f"argument --port: must be from 0 to 65535, not '{port}'")


def test_the_help_tells_a_newcomer_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "mocked Alibaba Cloud" in text
    assert "--seed FILE.yml" in text


def test_the_agents_configuration_points_to_the_server() -> None:
    account = Account()
    account.add_key("STS.k", "s", security_token="t")
    config = agent_config(account, "http://127.0.0.1:1", Path("/x"))
    assert (config["run_dir"], config["data_dir"]) == ("/x/run", "/x/data")
    assert config["properties"] == {
        "access_key": "STS.k",
        "secret_key": "s",
        "security_token": "t",
        "endpoints": dict.fromkeys(
            ("slb", "alb", "nlb", "sts", "ecs", "metadata"), "http://127.0.0.1:1"
        ),
    }


def test_the_agents_configuration_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "agent.json"
    path.parent.mkdir()
    path.write_text("{}")  # for all to read, from an earlier time
    path.chmod(0o644)
    with serve(Account(), probe=False) as server:
        write_agent_config(path, server)
        config = json.loads(path.read_text(encoding="utf-8"))
        assert config["properties"]["endpoints"]["slb"] == server.url
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == ["agent.json", "data", "run"]


def test_a_configuration_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["--agent-config", str(tmp_path / "file" / "agent.json")]) == 1
    said = capsys.readouterr().err
    assert "cannot write" in said
    assert "Traceback" not in said


def test_an_address_that_lets_others_in_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(Account(), probe=False) as server:
        _greet(server, argparse.Namespace(host="0.0.0.0", agent_config=None))
    assert "0.0.0.0 is not loopback" in capsys.readouterr().err


def test_the_agent_is_started_as_shown_from_any_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(Account(), probe=False) as server:
        _greet(server, argparse.Namespace(host="127.0.0.1", agent_config=None))
    (line,) = [one for one in capsys.readouterr().out.splitlines() if " -m slb_" in one]
    assert f" {sys.executable} " in line  # it has the packages that the agent needs
    started = ["env", *shlex.split(line)]
    done = subprocess.run(started, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "agent.json cannot be used:")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_example_until_it_is_told_to_stop(number: signal.Signals) -> None:
    (folder,) = mock_slb.__path__
    environment = {**os.environ, "PYTHONPATH": str(Path(folder).parent)}
    with subprocess.Popen(
        [sys.executable, "-m", "mock_slb"], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        greeting = process.stdout.readline()
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(process.stdout.readline())
        config = json.loads("".join(lines[lines.index("{\n") :]))
        url = config["properties"]["endpoints"]["slb"]
        assert url in greeting
        with urllib.request.urlopen(f"{url}/_mock/account", timeout=5) as answer:
            assert "lb-demo" in json.load(answer)["load_balancers"]
        process.send_signal(number)
        assert process.wait(10) == 0
