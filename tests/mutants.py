"""`python -m tests.mutants MODULE`: changes one thing at a time in a module of the agent, and runs
the unit tests that reach the changed line. What they do not notice is printed.

The files stay as they are: each mutant lives in a process of its own. Some survivors mean the same
as the original; the others want a test. What runs only in processes that tests start is not seen.
"""

from __future__ import annotations

import argparse
import ast
import copy
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import CodeType, FrameType

import pytest
from tests.paths import ROOT

from terminal import HelpFormatter

PACKAGE = "slb_registration"
SOURCES = ROOT / "release/src" / PACKAGE
TESTS = ROOT / "tests/unit"
FIRST_SECONDS = 20.0
"""A mutant may take so much longer than its tests took before: one that loops is noticed."""

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """The module with one change. `lines`: where it is."""

    tree: ast.Module
    lines: range
    change: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every change, one at a time."""
    whole = ast.parse(source)
    for number, node in enumerate(ast.walk(whole)):
        for change in _changes(node):
            tree = copy.deepcopy(whole)
            twin = next(one for i, one in enumerate(ast.walk(tree)) if i == number)
            before = ast.unparse(twin)
            change(twin)
            after = ast.unparse(ast.fix_missing_locations(twin))
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)  # type: ignore[attr-defined]
            yield Mutant(ast.fix_missing_locations(tree), lines, f"{before}  ->  {after}")


def _changes(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:  # noqa: C901 - a table
    match node:
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                if type(op) in SWAPS:
                    yield lambda one, i=i: one.ops.__setitem__(i, SWAPS[type(one.ops[i])]())  # type: ignore[misc]
        case ast.BoolOp() | ast.BinOp() if type(node.op) in SWAPS:
            yield lambda one: setattr(one, "op", SWAPS[type(one.op)]())  # type: ignore[attr-defined]
        case ast.UnaryOp(op=ast.Not()):
            yield _double
        case ast.If() | ast.IfExp() | ast.While():
            yield lambda one: setattr(one, "test", ast.UnaryOp(ast.Not(), one.test))  # type: ignore[attr-defined]
        case ast.Constant(value=bool() as value):
            yield lambda one: setattr(one, "value", not value)
        case ast.Constant(value=int() | float() as value):
            yield lambda one: setattr(one, "value", value + 1)
        case ast.Name(id=name) if name in NAMES:
            yield lambda one: setattr(one, "id", NAMES[name])
        case ast.Expr(value=ast.Call()):
            yield lambda one: setattr(one, "value", ast.Constant(None))
        case ast.Assign(targets=[ast.Attribute()]):
            yield _leave_out


def _double(one: ast.AST) -> None:
    one.operand = ast.UnaryOp(ast.Not(), one.operand)  # type: ignore[attr-defined]


def _leave_out(one: ast.AST) -> None:
    """`a.b = a.b` instead."""
    one.value = copy.deepcopy(one.targets[0])  # type: ignore[attr-defined]
    one.value.ctx = ast.Load()  # type: ignore[attr-defined]


# Which tests


def concerned(module: str) -> list[Path]:
    """The unit tests that have its name, or import it."""
    name = module.rpartition(".")[2]
    return sorted(
        path
        for path in TESTS.rglob("test_*.py")
        if f"{path.stem}_".startswith(f"test_{name}_") or module in _imported(path)
    )


def _imported(path: Path) -> set[str]:
    """Our modules that a file imports, without the package."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            base = str(node.module).removeprefix(PACKAGE).lstrip(".")
            names |= {base, *(".".join(filter(None, (base, one.name))) for one in node.names)}
    return names


# Running them


class Reached:
    """Notes which lines of a file each test reaches, and how long it takes."""

    def __init__(self, file: Path) -> None:
        self.lines: dict[str, set[int]] = {}
        self.seconds: dict[str, float] = {}
        self._file = str(file.resolve())
        self._same: dict[str, bool] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """One test, traced."""
        lines = self.lines[item.nodeid] = set[int]()

        def trace(frame: FrameType, event: str, _: object) -> object:
            if not self._is_ours(frame.f_code):
                return None
            lines.add(frame.f_lineno)
            return trace

        began = time.monotonic()
        sys.settrace(trace)  # type: ignore[arg-type]
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seconds[item.nodeid] = time.monotonic() - began

    def _is_ours(self, code: CodeType) -> bool:
        name = code.co_filename
        if name not in self._same:
            self._same[name] = str(Path(name).resolve()) == self._file
        return self._same[name]


class Loader(SourceFileLoader):
    """Gives one module from a changed tree."""

    def __init__(self, module: str, path: Path, tree: ast.Module) -> None:
        super().__init__(f"{PACKAGE}.{module}", str(path))
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        """Compile the tree."""
        return compile(self._tree, self.path, "exec")

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Be the finder, too."""
        ours = fullname == self.name
        return spec_from_file_location(fullname, self.path, loader=self) if ours else None


def warm() -> None:
    """Import what the tests import besides: the children have it then."""
    for name in ("aliyunsdkcore.client", "responses", "werkzeug.serving"):
        import_module(name)


def in_a_child(run: Callable[[], int], limit_seconds: float) -> int | None:
    """What `run` returns in a process of its own, None where it took longer."""
    child = os.fork()
    if child == 0:
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(silence, descriptor)
        os._exit(run())
    ends = time.monotonic() + limit_seconds
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > ends:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tested(tests: Sequence[str], *plugins: object) -> int:
    """Run these tests to the first that fails; 0 where none does."""
    return int(
        pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests], plugins)
    )


def traced(path: Path, tests: Sequence[str]) -> Reached:
    """Run them unchanged. Raises SystemExit where one fails: then nothing can be told."""
    reached = Reached(path)
    with TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"

        def run() -> int:
            code = tested(tests, reached)
            notes.write_text(repr((reached.lines, reached.seconds)))
            return code

        if in_a_child(run, math.inf) != 0:
            raise SystemExit(f"these fail as it is: python -m pytest {' '.join(tests)}")
        reached.lines, reached.seconds = ast.literal_eval(notes.read_text())
    return reached


def survey(module: str, path: Path, seconds: float) -> int:
    """Play every mutant, or as many as there is time for; print those that nothing notices."""
    ends = time.monotonic() + seconds
    files = [str(file.relative_to(ROOT)) for file in concerned(module)]
    if not files:
        raise SystemExit(f"no test in {TESTS.relative_to(ROOT)} has its name, or imports it")
    print(f"{module}: {' '.join(files)}", flush=True)
    warm()
    reached = traced(path, files)
    source = path.read_text()
    inside = _inside_functions(ast.parse(source))
    every = list(mutants(source))
    Random(0).shuffle(every)  # where time is short, it is a sample of the whole
    played, survived = 0, 0
    for mutant in every:
        if time.monotonic() > ends:
            break
        played += 1
        tests = [test for test, lines in reached.lines.items() if lines.intersection(mutant.lines)]
        if not inside.intersection(mutant.lines):
            tests = list(reached.lines)  # it is run when the module is imported
        if _survives(mutant, module, path, sorted(tests, key=reached.seconds.__getitem__), reached):
            survived += 1
            why = "" if tests else "  (no test gets here)"
            place = f"{path.relative_to(ROOT)}:{mutant.lines.start}"
            print(f"{place}: {mutant.change}{why}", flush=True)
    print(f"{module}: {played - survived} of {played} noticed; {len(every) - played} not played")
    return 0


def _survives(
    mutant: Mutant, module: str, path: Path, tests: Sequence[str], reached: Reached
) -> bool:
    def run() -> int:
        sys.meta_path.insert(0, Loader(module, path, mutant.tree))  # type: ignore[arg-type]
        return tested(tests)

    limit = FIRST_SECONDS + 5 * sum(reached.seconds[test] for test in tests)
    return not tests or in_a_child(run, limit) == 0


def _inside_functions(tree: ast.Module) -> set[int]:
    functions = (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef))
    return {
        line
        for one in functions
        for line in range(one.body[0].lineno, (one.end_lineno or one.lineno) + 1)
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what survives; 0 unless the tests fail before anything is changed."""
    parser = argparse.ArgumentParser(
        prog="make mutants", description=__doc__, formatter_class=HelpFormatter
    )
    parser.add_argument("module", help="registrar, config.drain, …")
    parser.add_argument("--seconds", type=float, default=600.0, help="begin none after so long")
    chosen = parser.parse_args(arguments)
    found = sorted(SOURCES.rglob(f"{chosen.module.replace('.', '/')}.py"))
    if len(found) != 1:
        rooms = ", ".join(str(path.relative_to(SOURCES)) for path in found)
        more = f"one of {rooms}" if rooms else "none"
        parser.error(f"{chosen.module} is not one module in {SOURCES.relative_to(ROOT)}: {more}")
    module = ".".join(found[0].relative_to(SOURCES).with_suffix("").parts)
    return survey(module, found[0], chosen.seconds)


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main())
