"""All that people read fits into 80 columns: nothing cut, no word broken; colour at a terminal."""

from __future__ import annotations

import importlib
import io
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from tests.bench import agents, building, counting, packages
from tests.bench.fleet import LEAVING_TITLE, NOTES, REST_TITLE, TITLE, WRONG_TITLE
from tests.bench.fleet_scenarios import Outcome, Rest
from tests.bench.fleet_table import outcome_table, rest_table
from tests.paths import ROOT
from tests.terminals import at_terminal, plain
from tests.unit.commands.test_status import whole

from bosh_release.cli import main as release_command
from slb_registration.commands import colours
from slb_registration.commands.status_table import render
from terminal import paragraphs

COLUMNS = 80
BUILD = (
    *("build", "--force", "--release-dir", str(ROOT / "release")),
    *("--commit-version", "--output"),
)
AGENT = (
    *("", "run", "validate", "check", "orphans", "wait", "healthy", "drain", "status"),
    *("hold", "resume"),
)
RELEASE = ("", "blobs", "render", "build", "verify", "sbom")
TOOLS = (
    *("mock_slb.__main__", "demo.__main__", "audit", "tests.mutants", "tests.fuzz.__main__"),
    *("tests.bench.__main__", "tests.bench.fleet", "tests.bench.traffic.__main__"),
)
COMMANDS = [
    *(("slb_registration.commands.cli", word) for word in AGENT),
    *(("bosh_release.cli", word) for word in RELEASE),
    *((module, "") for module in TOOLS),
]


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.fixture
def help_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, str, int], str]:
    """What a command's --help says at a terminal of so many columns."""

    def ask(module: str, command: str, columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", [module, *([command] if command else []), "--help"])
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(module).main()
        assert ended.value.code in (0, None)
        return capsys.readouterr().out

    return ask


@pytest.mark.parametrize(("module", "command"), COMMANDS)
def test_help_fits_and_breaks_no_word(
    module: str, command: str, help_of: Callable[[str, str, int], str]
) -> None:
    narrow = help_of(module, command, COLUMNS)

    assert widest(narrow) <= COLUMNS
    assert narrow.split() == help_of(module, command, 1000).split()


def test_make_help_fits_and_has_every_target() -> None:
    told = subprocess.run(
        ["make", "-C", ROOT, "help"], capture_output=True, text=True, check=True
    ).stdout

    assert widest(told) <= COLUMNS
    documented = [
        line.split(":")[0]
        for line in (ROOT / "Makefile").read_text().splitlines()
        if ": ## " in line and line[0].isalpha()
    ]
    listed = [line.split()[1] for line in told.splitlines() if line.startswith("  make ")]
    assert listed == documented


@pytest.mark.parametrize("module", ["tests.bench.fleet", "tests.bench.traffic.__main__"])
def test_a_bench_that_draws_gives_help_without_what_it_draws_with(
    module: str, help_of: Callable[[str, str, int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("tests.bench.")]:
        monkeypatch.delitem(sys.modules, name)

    assert "ARGS=" in help_of(module, "", COLUMNS)


# Tables


def outcome(**changes: object) -> Outcome:
    """One with figures as long as they get."""
    given = {
        "what": "healthy after 5 s",
        "product": "clb",
        "size": 10_000,
        "fleet_size": None,
        "bound": 6666.7,
        "moments": (9999.9,) * 10_000,
        "calls": 123_456 * 10,
        "refused": (1234,) * 10_000,
        "longest_wait": 12_345.6,
    }
    return Outcome(**{**given, **changes})  # type: ignore[arg-type]


FIGURES = {
    "registered_seconds": 1234.5,
    "unhealthy_until_weight_0_seconds": 90.123,
    "cpu_percent_of_a_core_at_rest": 100.5,
}
TABLES = [
    outcome_table(
        TITLE,
        [outcome(), outcome(what="told 200,000"), outcome(size=10, calls=1234, refused=(12,) * 10)],
    ),
    outcome_table(WRONG_TITLE, [outcome(what="drain in 120 s")]),
    outcome_table(LEAVING_TITLE, [outcome(what="API lost at rest")]),
    rest_table(REST_TITLE, [Rest("nlb", 10_000, [("ListServerGroupServers", 12345.6, 0.999)])]),
    agents.table(dict.fromkeys(("agent", "agent, 1 s", "SDK loop"), FIGURES), 60.0),
    building.table(
        {
            place: {name: [1234.5] for name in (building.OURS, building.UNCOMPILED, building.COLD)}
            for place in ("outside git", "in git", "+6 MiB blobs")
        }
    ),
    counting.table({"by a pattern": {"peak_mib": 1234.5}, "line by line": {"peak_mib": 1234.5}}),
    packages.table({"seconds_to_compile_aliyun_python_sdk_slb": 1234.567}),
]


def printed(shown: Table, columns: int) -> str:
    written = io.StringIO()
    Console(file=written, width=columns).print(shown)
    return written.getvalue()


@pytest.mark.parametrize("shown", TABLES, ids=lambda shown: str(shown.title)[:20].strip())
def test_a_table_of_figures_fits_and_cuts_nothing(shown: Table) -> None:
    narrow = printed(shown, COLUMNS)

    assert widest(narrow) <= COLUMNS
    words = [word for word in narrow.split() if word.strip("─")]
    wide = [word for word in printed(shown, 1000).split() if word.strip("─")]
    assert Counter(words) == Counter(wide)


def test_the_notes_below_a_table_fit() -> None:
    lines = list(paragraphs(NOTES + "all."))

    assert widest("\n".join(lines)) <= COLUMNS
    assert " ".join(lines).split() == f"{NOTES}all.".split()


def test_what_is_built_is_told_in_80_columns_and_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release_command([*BUILD, str(tmp_path / "e2e-test.tgz")]) == 0

    told = capsys.readouterr().out
    assert widest(re.sub("^  path .*", "", told, flags=re.MULTILINE)) <= COLUMNS
    assert len(re.findall(r"^ {4}[0-9a-f]{64}$", told, re.MULTILINE)) == 4


# At a terminal, and in a pipe

LONG = "lb-demo's_name_that_is_longer_than_a_line_" + "x" * 60 + " " + "and words " * 20
SCREEN = """
import sys
from demo.screen import Screen
screen = Screen(8)
with screen.step("the title"):
    screen.say(sys.argv[1])
    screen.quote("A    TABLE" + " " * 60 + "THAT FITS")
screen.end(sys.argv[1])
screen.fail(sys.argv[1])
"""


def shown_by_demo(*, terminal: bool, **environment: str) -> str:
    argv = [sys.executable, "-c", SCREEN, LONG]
    given = {"PYTHONPATH": str(ROOT / "tools"), **environment}
    if terminal:
        return at_terminal(argv, given, COLUMNS)
    return subprocess.run(
        argv, env={**os.environ, **given}, capture_output=True, text=True, check=True
    ).stdout


def test_the_demo_is_coloured_at_a_terminal_and_plain_in_a_pipe() -> None:
    coloured = shown_by_demo(terminal=True)
    piped = shown_by_demo(terminal=False)

    assert "\x1b[1;36m" in coloured
    assert "\x1b[" not in piped
    assert "\x1b[" not in shown_by_demo(terminal=True, TERM="dumb")
    assert "36m" not in shown_by_demo(terminal=True, NO_COLOR="1")
    for line in piped.splitlines():
        assert len(line) <= COLUMNS or len(line.split()) <= 2, line
    assert f"\nA    TABLE{' ' * 60}THAT FITS\n" in piped
    for text in (piped, plain(coloured)):
        assert text.split().count("words") == 3 * 20
        assert text.count(LONG.split(maxsplit=1)[0]) == 3


@pytest.mark.parametrize(
    ("environment", "terminal", "expected"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({}, True, False),
        ({"TERM": "xterm"}, False, False),
    ],
)
def test_colour_is_wanted_at_a_terminal_unless_somebody_says_no(
    environment: dict[str, str],
    terminal: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = os.openpty() if terminal else os.pipe()
    with open(theirs, "w", encoding="utf-8") as stream, open(ours, "rb"):  # noqa: PTH123
        assert colours.wanted(stream) is expected


@pytest.mark.parametrize(
    ("state", "number"),
    [
        ("in service", 32),
        ("not in service", 31),
        ("draining", 33),
        ("held, but still in rotation in 1 of 2 server groups", 31),
    ],
)
def test_the_status_has_the_same_text_with_colours_as_without(state: str, number: int) -> None:
    tree = whole(state=state, error=LONG, remark="")
    without = render(tree)

    coloured = render(tree, coloured=True)

    assert coloured.startswith(f"state      \x1b[{number}m{state}\x1b[0m\n")
    assert plain(coloured) == without
    assert "\x1b" not in without
    painted: Sequence[str] = [line for line in coloured.splitlines() if "\x1b" in line]
    assert len(painted) > 5
    assert all(line.endswith("\x1b[0m") for line in painted)
