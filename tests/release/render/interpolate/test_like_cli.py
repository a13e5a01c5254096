"""`render` next to `bosh interpolate` and Ruby: the same bytes, the same values, the same refusals.

The cases are random and come from a seed, which a failure prints. More, or others, with
RENDER_CASES=5000 RENDER_SEED=7 in the environment:
    python -m pytest tests/release/render/interpolate/test_like_cli.py
Where there is no `bosh` the outcomes are those in golden/interpolate.txt, recorded from it by the
same with RENDER_RECORD=1.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.paths import ROOT
from tests.release.render.interpolate.cli_cases import Case, random_case

from bosh_release.render.interpolate.interpolation import interpolate
from bosh_release.render.interpolate.ops import apply_ops_files
from bosh_release.render.interpolate.variables import collect
from bosh_release.render.manifest.arrival import arrive
from bosh_release.render.ruby.erb import CREATE_ENV, DIRECTOR
from bosh_release.render.ruby.values import to_ruby
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.untyped import parse_yaml, read_yaml
from bosh_release.yaml.writing import write_interpolated

GOLDEN = ROOT / "tests/release/golden/interpolate.txt"
EXACT_VALUES = ROOT / "tools/bosh_release/render/ruby/exact_values.rb"
SEED = os.environ.get("RENDER_SEED", "1")
RECORDED = 600
COUNT = int(os.environ.get("RENDER_CASES", "300"))
READ_BY_RUBY = 40
# Some documents let the CLI loop for ever, by chance.
TIMEOUT_SECONDS = 20

Outcome = bytes | None  # None where it is refused
# The CLI calls itself for ever where declared options hold a variable whose value holds itself.
CRASHED = b"crashed"


def bosh(arguments: Sequence[str], home: Path) -> Outcome:
    try:
        done = subprocess.run(
            ["bosh", "interpolate", *arguments],
            env={**os.environ, "HOME": str(home)},
            capture_output=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    if b"stack overflow" in done.stderr:
        return CRASHED
    return done.stdout if done.returncode == 0 else None


def ours(arguments: Sequence[str]) -> tuple[Outcome, str]:
    """Return what we would write, and why we refuse."""
    try:
        return write_interpolated(interpolated(arguments)), ""
    except ReleaseError as error:
        return None, str(error)


def interpolated(arguments: Sequence[str]) -> Any:
    given: dict[str, list[str]] = {"-o": [], "-l": [], "-v": [], "--var-file": []}
    for option, value in zip(arguments[1::2], arguments[2::2], strict=True):
        given[option].append(value)
    variables = collect([Path(name) for name in given["-l"]], given["--var-file"], given["-v"])
    ops_files = [Path(name) for name in given["-o"]]
    document = apply_ops_files(read_yaml(Path(arguments[0])), ops_files)
    return interpolate(document, variables).document


def is_chance(own: Outcome, why: str, again: Callable[[], Outcome]) -> bool:
    """Tell whether the CLI's outcome varies, as Go's order of maps does, and may be ours."""
    if "which one it sees is chance" in why:
        return True
    outcomes = {again() for _ in range(30)}
    return len(outcomes) > 1 and (own is None or own in outcomes)


def described(case: Case, seed: str, cli: object, own: object) -> str:
    return f"\nseed {seed}: {case!r}\nbosh: {cli!r}\nours: {own!r}"


def cases_of(count: int, seed: str, folder: Path) -> list[tuple[str, Case, list[str]]]:
    seeds = [f"{seed}/{number}" for number in range(count)]
    cases = [random_case(each) for each in seeds]
    return [
        (each, case, case.arguments(folder / str(number)))
        for number, (each, case) in enumerate(zip(seeds, cases, strict=True))
    ]


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("bosh") is None, reason="the BOSH CLI (bosh) is not on PATH")
def test_same_bytes_and_refusals_as_the_cli(tmp_path: Path) -> None:
    cases = cases_of(COUNT, SEED, tmp_path)
    home = tmp_path / "home"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda case: bosh(case[2], home), cases))
    differ = []
    for (seed, case, arguments), cli in zip(cases, outcomes, strict=True):
        own, why = ours(arguments)
        if own != cli and cli != CRASHED and not is_chance(own, why, lambda: bosh(arguments, home)):  # noqa: B023
            differ.append(described(case, seed, cli, own or why))
    refused = sum(outcome is None for outcome in outcomes)
    print(f"seed {SEED}: {COUNT} cases, {refused} refused, {len(differ)} differ")
    assert not differ, "".join(differ)
    assert COUNT * 0.3 < refused < COUNT * 0.7


RUBY = """\
require "json"
require "yaml"
require ARGV.fetch(0)
JSON.parse($stdin.read, max_nesting: false).each do |text, ours|
  theirs = YAML.load(text, aliases: true) rescue nil
  ours &&= ExactValues.load(ours.fetch("value"))
  puts JSON.generate([theirs.inspect == ours.inspect, theirs.inspect, ours.inspect])
end
"""


@pytest.mark.thorough
def test_manifest_arrives_as_ruby_reads_what_the_cli_writes(tmp_path: Path) -> None:
    pairs: list[tuple[str, Any]] = []
    for _, _, arguments in cases_of(COUNT, f"ruby {SEED}", tmp_path):
        written, _ = ours(arguments)
        if written is None or len(pairs) == READ_BY_RUBY:
            continue
        arrived = None
        with contextlib.suppress(ReleaseError):  # then Ruby must refuse it, too
            arrived = {"value": to_ruby(arrive(interpolated(arguments), DIRECTOR))}
        pairs.append((written.decode(), arrived))
    done = subprocess.run(
        ["ruby", "-EUTF-8:", "-e", RUBY, str(EXACT_VALUES)],
        input=json.dumps(pairs).encode(),
        capture_output=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer for answer in answers if not answer[0]] == []
    assert len(answers) == READ_BY_RUBY


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("bosh") is None, reason="the BOSH CLI (bosh) is not on PATH")
def test_create_env_reads_what_the_cli_writes(tmp_path: Path) -> None:
    read = 0
    for number, (seed, case, arguments) in enumerate(cases_of(120, "create-env", tmp_path)):
        document, _ = ours(arguments)
        if document is None:
            continue
        path = tmp_path / f"{number}.yml"
        path.write_bytes(document)
        try:
            arrived = write_interpolated(arrive(parse_yaml(document.decode(), "m"), CREATE_ENV))
        except ReleaseError:
            arrived = None
        again = bosh([str(path)], tmp_path)
        assert arrived == again, described(case, seed, again, arrived)
        read += 1
    assert read > 30


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def outcome_name(outcome: Outcome) -> str:
    return "refused" if outcome is None else digest(outcome)


@pytest.mark.skipif("RENDER_RECORD" not in os.environ, reason="RENDER_RECORD is not set")
def test_record_outcomes(tmp_path: Path) -> None:
    lines = []
    for seed, case, arguments in cases_of(RECORDED, "recorded", tmp_path):
        names = {outcome_name(bosh(arguments, tmp_path)) for _ in range(3)}
        if "side by side" in ours(arguments)[1]:
            names.add("chance")
        found = names.pop() if len(names) == 1 else "chance"
        lines.append(f"{seed.split('/')[1]} {digest(ascii(case).encode())} {found}\n")
    GOLDEN.write_text("".join(lines))


def test_outcomes_that_were_recorded_from_the_cli(tmp_path: Path) -> None:
    recorded = [line.split() for line in GOLDEN.read_text().splitlines()]
    cases = cases_of(len(recorded), "recorded", tmp_path)
    differ = []
    for (seed, case, arguments), (_, of_case, found) in zip(cases, recorded, strict=True):
        assert digest(ascii(case).encode()) == of_case, "other cases: record the outcomes anew"
        own, why = ours(arguments)
        if found not in ("chance", outcome_name(own)):
            differ.append(described(case, seed, found, own or why))
    assert not differ, "".join(differ)
    assert len(recorded) == RECORDED
