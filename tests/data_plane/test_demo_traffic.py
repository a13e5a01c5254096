"""What the demo makes of what its client got."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from tests.data_plane.backends import NEEDS_HAPROXY

import demo.__main__ as demo_main
from demo import cloud
from demo.stage import Stage
from demo.story import begin_to_ask, hear_from
from mock_slb.data_plane.haproxy import DataPlaneError

LIMIT_SECONDS = 60
Play = Callable[[Callable[[Stage], object]], int]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    """Plays a demo whose only step is this one, and returns its exit code."""
    if shutil.which("bwrap") is None:
        pytest.skip("bwrap is missing: run make setup")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def play(what: Callable[[Stage], object]) -> int:
        def story(stage: Stage) -> str:
            with stage.step("the only one"):
                what(stage)
            return "Played."

        monkeypatch.setattr("demo.story.play", story)
        return demo_main._play()

    return play


@NEEDS_HAPROXY
def test_a_request_that_fails_is_told_in_the_last_line_and_by_the_exit_code(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    def registered_before_it_serves(stage: Stage) -> None:
        begin_to_ask(stage)
        hear_from(stage, *cloud.OTHER_SERVERS)
        stage.service.stop()
        stage.server.account.force_health(cloud.OUR_SERVER, "normal")
        group = stage.server.account.load_balancer(cloud.LOAD_BALANCER).default_group
        group.add_server(cloud.OUR_SERVER)
        client = stage.client
        assert client is not None
        stage.watch.wait(lambda: bool(client.failures), "a failure", LIMIT_SECONDS)
        client.stop()

    assert play(registered_before_it_serves) == 1
    said = capsys.readouterr().out
    last = " ".join(said[said.rindex("✗") :].split())  # it may take two lines of 80 columns
    assert re.fullmatch(r"✗ \d+ requests, [1-9]\d* failed; the first by .+", last), last


def test_without_haproxy_the_demo_says_so_and_goes_on(
    play: Play, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("demo.stage.find", Mock(side_effect=DataPlaneError("haproxy is missing")))
    assert play(begin_to_ask) == 0
    said = capsys.readouterr().out
    assert "nobody asks through the load balancer: haproxy is missing" in said
    assert "requests" not in said
