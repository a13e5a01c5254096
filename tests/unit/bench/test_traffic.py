"""The bench of traffic: what is asked when, what counts as failed, and what the figures say."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tests.bench.traffic import report
from tests.bench.traffic.client import Line
from tests.bench.traffic.outcome import Outcome, Setting, figures, until_share, void_scenes
from tests.bench.traffic.schedule import SLOWEST_SECONDS, plan
from tests.bench.traffic.table import COLUMNS, table
from tests.bench.traffic.totals import totals
from tests.bench.traffic.verdict import ANSWERED, CLOSED, FAILURES, LATE, RESET, Observed, judge
from tests.bench.traffic.wire import parse_head

SETTING = Setting("clb", "restart", "ours", 3.0, 1, 2)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (Observed(received=200, status=200, by_service=True, is_right=True), ANSWERED),
        (Observed(connected=False, ended=RESET), "refused"),
        (Observed(ended=CLOSED), "before"),
        (Observed(ended=RESET), "before"),
        (Observed(received=100, status=200, by_service=True, ended=RESET), "reset"),
        (Observed(received=100, status=200, by_service=True, ended=CLOSED), "cut"),
        (Observed(received=20, ended=CLOSED), "cut"),
        (Observed(received=100, status=503), "lb_5xx"),
        (Observed(received=100, status=500, ended=CLOSED), "lb_5xx"),
        (Observed(received=100, status=503, by_service=True), "service_5xx"),
        (Observed(ended=LATE), "late"),
        (Observed(connected=False, ended=LATE), "late"),
        (Observed(received=100, status=200, by_service=True, ended=LATE), "late"),
        (Observed(received=100, status=200, by_service=True), "wrong"),
        (Observed(received=100, status=404, is_right=True), "wrong"),
    ],
)
def test_a_request_has_failed_unless_its_answer_is_complete_right_and_in_time(
    seen: Observed, verdict: str
) -> None:
    assert judge(seen) == verdict


def test_the_schedule_is_the_seeds_and_has_all_kinds() -> None:
    def first(seed: int) -> list[object]:
        return list(itertools.islice(plan(["http:80", "tcp:443"], 50, seed), 2000))

    planned = list(itertools.islice(plan(["http:80", "tcp:443"], 50, 1), 2000))
    assert first(1) == planned
    assert first(2) != planned
    assert [one.at for one in planned] == [number / 50 for number in range(2000)]
    kinds = {(one.target, one.kept, one.method, one.takes_seconds > 1) for one in planned}
    assert len(kinds) == 16
    assert 4 < max(one.takes_seconds for one in planned) <= SLOWEST_SECONDS


def test_every_kind_of_failure_has_its_column() -> None:
    assert list(COLUMNS.values()) == list(FAILURES)


def line(at: float, verdict: str = ANSWERED, **more: object) -> Line:
    return Line(at, "request", "tcp:443", verdict, **more)  # type: ignore[arg-type]


def measured(lines: list[Line], setting: Setting = SETTING, trouble: str = "") -> Outcome:
    return figures(
        setting,
        lines,
        rate=10,
        size=2,
        began=0.0,
        play_seconds=60.0,
        starts={"i-1": 1000.0},
        trouble=trouble,
    )


def test_figures_count_requests_and_streams_apart() -> None:
    found = measured(
        [
            *(line(number / 10, extra_seconds=number / 100) for number in range(100)),
            line(5.0, "before", behind_seconds=0.2),
            line(6.0, "cut"),
            Line(7.0, "stream", "tcp:443", "cut"),
            Line(8.0, "stream", "tcp:443", ANSWERED),
        ]
    )
    assert (found.asked, found.failed) == (102, 2)
    assert found.verdicts == {ANSWERED: 100, "before": 1, "cut": 1}
    assert found.streams == {"cut": 1, ANSWERED: 1}
    assert found.late_sends == 1
    assert (found.p50_seconds, found.p99_seconds) == (0.5, 0.99)
    assert [one["at_seconds"] for one in found.failures] == [5.0, 6.0, 7.0]
    assert found.why_void == ""


@pytest.mark.parametrize(
    ("lines", "trouble", "why"),
    [
        ([], "", "only 0 of 0 were answered"),
        ([line(0.0), *[line(1.0, "late")] * 3], "", "only 1 of 4 were answered"),
        ([line(0.0)] * 9 + [line(0.0, behind_seconds=1.0)], "", "1 of 10 were sent late"),
        ([line(0.0)] * 9, "wait has failed", "wait has failed"),
    ],
)
def test_figures_that_show_nothing_are_void(lines: list[Line], trouble: str, why: str) -> None:
    assert measured(lines, trouble=trouble).why_void == why


def test_a_vm_has_its_share_once_it_answers_half_as_often_as_the_others() -> None:
    early = [line(at, server="i-1") for at in (90.0, 101.0, 104.0)]
    steady = [line(110 + number / 5, server="i-1") for number in range(50)]
    others = [line(100 + number / 5, server="i-2") for number in range(100)]
    assert until_share(early + others, "i-1", 100.0, 5.0) is None
    # half of 5 a second in 2 s: the fifth answer
    assert until_share(early + steady + others, "i-1", 100.0, 5.0) == pytest.approx(10.8)


def test_a_scene_in_which_the_naive_lose_nothing_is_void() -> None:
    def scene(play: str, naive_verdict: str) -> list[Outcome]:
        return [
            measured([line(0.0)], Setting("clb", play, "ours", 3.0, 1, 2)),
            measured([line(0.0, naive_verdict)], Setting("clb", play, "remove", 3.0, 1, 2)),
        ]

    alone = [measured([line(0.0)], Setting("clb", "hold", "ours", 3.0, 1, 2))]
    found = void_scenes([*scene("restart", "cut"), *scene("swap", ANSWERED), *alone], {"remove"})
    assert [scene[1] for scene in found] == ["swap"]


def test_the_plays_of_a_method_are_summed_over_their_seeds_without_void_ones() -> None:
    def play(seed: int, method: str, lines: list[Line], trouble: str = "") -> Outcome:
        return measured(lines, replace(SETTING, seed=seed, method=method), trouble)

    good = [line(0.0)] * 999
    scene = [
        play(1, "ours", good),
        play(1, "remove", [*good, line(0.0, "cut")]),
        play(2, "ours", [*good, line(0.0, "late")]),
        play(3, "ours", [line(0.0, "cut")] * 7, "wait has failed"),
    ]
    ours, remove = totals(scene)
    assert str(ours) == "ours: 1 of 1,999 failed in 2 plays; 1 more void, not counted"
    assert (ours.seeds, ours.verdicts) == ([1, 2], {ANSWERED: 1998, "late": 1})
    assert str(remove) == "remove: 1 of 1,000 failed in 1 play"


def test_the_total_of_several_plays_is_printed_and_written(tmp_path: Path) -> None:
    plays = [measured([line(0.0)] * 500, replace(SETTING, seed=seed)) for seed in (1, 2)]
    console = Console(width=80, record=True, file=io.StringIO())
    report.show(console, plays, origin="Simulated: so and so.")
    text = console.export_text()
    assert "ours: 0 of 1,000 failed in 2 plays" in text
    assert "restart: clb, lag 3 s, max_in_flight 2, simulated" in text
    assert text.endswith("Simulated: so and so.\n")
    report.write(tmp_path, plays, {"real": False})
    written = json.loads((tmp_path / report.NAME).read_text())
    (total,) = written["totals"]
    assert (written["real"], total["asked"], total["failed"]) == (False, 1000, 0)
    assert (total["method"], total["seeds"]) == ("ours", [1, 2])


def test_the_table_fits_80_columns() -> None:
    worst = [line(0.0, kind) for kind in FAILURES for _ in range(9999)]
    outcome = measured(
        [*worst, *[line(1000.0 + n / 10, server="i-1", extra_seconds=9.0) for n in range(20_009)]],
        replace(SETTING, method="undrained"),
    )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table([outcome]))
    text = console.export_text()
    assert "…" not in text
    assert "100001" in text
    assert text.count("10k") == len(FAILURES)


def test_a_head_is_read_as_it_stands() -> None:
    head = parse_head(b"HTTP/1.1 503 Service Unavailable\r\nX-Server: i-1\r\nA:\r\n\r\n")
    assert (head.status, head.field("x-server"), head.field("a"), head.field("b")) == (
        503,
        "i-1",
        "",
        "",
    )
    with pytest.raises(ValueError, match="begins neither"):
        parse_head(b"garbage\r\n\r\n")
