"""`make fuzz`: every target for a while, each in a process of its own, guided by coverage.

What breaks a property is kept in build/fuzz/TARGET/, together with the output; the inputs that
reached new branches are in build/fuzz/TARGET/corpus, and the next run begins with them.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

from terminal import HelpFormatter

FOUND = ROOT / "build/fuzz"
ENGINES = ("atheris", "hypothesis")
MEMORY_MIB = 1024
"""For the whole process, with the instrumentation and the corpus."""

INPUT_SECONDS = 20
"""What takes longer hangs."""

INPUT_BYTES = 65536


@dataclass(frozen=True)
class Result:
    """What one target's run came to."""

    target: str
    executions: int
    seconds: float
    peak_mib: int
    failed: bool


def main() -> int:
    """Run what the command line names; the exit code is 1 if anything was found."""
    arguments = _parser().parse_args()
    if arguments.alone is not None:
        return _alone(arguments.alone, arguments.engine, arguments.seconds, arguments.rest)
    known = _names()
    for name in arguments.targets:
        if name not in known:
            _parser().error(f"there is no target {name!r}; there are {', '.join(known)}")
    engine = arguments.engine
    if engine == "atheris" and importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here: hypothesis with a long budget instead")
        engine = "hypothesis"
    results = [_run(name, engine, arguments.seconds) for name in arguments.targets or known]
    print(f"{'TARGET':24}{'EXECUTIONS':>12}{'SECONDS':>9}{'PEAK MiB':>10}  RESULT")
    for one in results:
        said = f"see build/fuzz/{one.target}" if one.failed else "holds"
        print(f"{one.target:24}{one.executions:>12,}{one.seconds:>9.0f}{one.peak_mib:>10}  {said}")
    print(f"{sum(one.executions for one in results):,} executions with {engine}")
    return 1 if any(one.failed for one in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fuzz",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=HelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all of them")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--engine", choices=ENGINES, default="atheris")
    parser.add_argument("--alone", help=argparse.SUPPRESS)  # this process is one target's
    parser.add_argument("--rest", nargs=argparse.REMAINDER, default=[], help=argparse.SUPPRESS)
    return parser


def _names() -> list[str]:
    catalogue = importlib.import_module("tests.fuzz.catalogue")
    return [target.name for target in catalogue.TARGETS]


def _run(name: str, engine: str, seconds: int) -> Result:
    folder = FOUND / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", "--alone", name, "--engine", engine]
    command += ["--seconds", str(seconds), "--rest", str(corpus)]
    command += [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", "-print_final_stats=1"]
    command += [f"-rss_limit_mb={MEMORY_MIB}", f"-timeout={INPUT_SECONDS}"]
    command += [f"-max_len={INPUT_BYTES}", "-verbosity=0"]
    began = time.monotonic()
    with (folder / "output.txt").open("w+b") as output:
        done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False)
        output.seek(0)
        text = output.read().decode(errors="replace")
    took = time.monotonic() - began
    result = Result(
        name,
        _number(r"stat::number_of_executed_units:\s*(\d+)", text),
        took,
        _number(r"stat::peak_rss_mb:\s*(\d+)", text),
        done.returncode != 0,
    )
    print(f"{name}: {'FAILED' if result.failed else 'holds'}", flush=True)
    return result


def _number(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def _alone(name: str, engine: str, seconds: int, rest: list[str]) -> int:
    if engine == "atheris":
        return _with_atheris(name, rest)
    return _with_hypothesis(name, seconds)


def _with_atheris(name: str, arguments: list[str]) -> int:
    import atheris

    with atheris.instrument_imports(include=["slb_registration", "bosh_release", "mock_slb"]):
        catalogue = importlib.import_module("tests.fuzz.catalogue")
    target = next(one for one in catalogue.TARGETS if one.name == name)
    if target.raw:
        for number, seed in enumerate(target.seeds):
            (Path(arguments[0]) / f"seed-{number}").write_bytes(seed)
        one_input = target.holds
    else:
        test = target.as_test(1, derandomize=False)
        one_input = test.hypothesis.fuzz_one_input
    atheris.Setup([sys.argv[0], *arguments], one_input)
    atheris.Fuzz()
    return 0


def _with_hypothesis(name: str, seconds: int) -> int:
    import resource

    from tests.fuzz.catalogue import TARGETS

    target = next(one for one in TARGETS if one.name == name)
    ends = time.monotonic() + seconds
    executions = 0
    while time.monotonic() < ends:
        target.as_test(200, derandomize=False)()
        executions += 200
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"stat::number_of_executed_units: {executions}\nstat::peak_rss_mb: {peak}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
