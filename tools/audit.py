"""`make audit`: known weaknesses of all that the release carries, and of the pinned packages.

pip-audit asks PyPI. A package that could not be asked after is a failure here; pip-audit itself
passes over it. Exit codes: 0 none known, 1 there are, 2 wrong usage, 3 not all could be asked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from bosh_release.build.building import build_release
from bosh_release.sbom.bill import make_bill
from bosh_release.support.errors import ReleaseError
from terminal import COLUMNS, HelpFormatter, wrapped

ROOT = Path(__file__).resolve().parents[1]
PINNED = sorted((ROOT / "tools").glob("requirements*.txt"))
Entry: TypeAlias = dict[str, Any]
_NONE_KNOWN, _KNOWN, _NOT_ASKED = 0, 1, 3
_PIP_AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
    *("--disable-pip", "--no-deps"),
)


class CannotAskError(Exception):
    """Nobody could be asked; the text says why."""


@dataclass(frozen=True)
class Finding:
    """A weakness of one package, in the words of PyPI's advisory."""

    package: str
    id: str
    fixed_in: Sequence[str]

    def __str__(self) -> str:
        fixed = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no version fixes it"
        return f"{self.package}: {self.id}, {fixed}"


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, and print what is known."""
    arguments = _parser().parse_args(argv)
    code = _NONE_KNOWN
    with TemporaryDirectory(prefix="slb-registration-audit-") as name:
        carried = Path(name) / "carried.txt"
        try:
            _write_carried(carried, Path(name) / "release.tgz")
        except ReleaseError as error:
            print(error, file=sys.stderr)
            return _NOT_ASKED
        for what, files in (("the release", [carried]), ("tools/requirements*.txt", PINNED)):
            code = max(code, _tell(what, files, arguments.ignore))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make audit ARGS=…",
        description=__doc__,
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--ignore",
        metavar="ID",
        action="append",
        default=[],
        help="a weakness that does not matter here (CVE-…, PYSEC-…); can be repeated",
    )
    return parser


def _write_carried(path: Path, tarball: Path) -> None:
    """Write down the wheels in the tarball, and the copies in them, as pip's requirements."""
    build_release(ROOT / "release", version="0.0.0", output=tarball, force=True)
    bill = make_bill(tarball, lambda _: None)
    lines = {f"{one.name}=={one.version}\n" for one in bill.works if one.is_on_pypi and one.version}
    path.write_text("".join(sorted(lines)))


def _tell(what: str, files: Sequence[Path], ignored: Sequence[str]) -> int:
    try:
        answer = ask(files, ignored)
    except CannotAskError as error:
        print(f"{what}: PyPI could not be asked: {error}", file=sys.stderr)
        return _NOT_ASKED
    found, skipped = list(findings(answer)), list(unasked(answer))
    if skipped:
        print(
            f"{what}: {len(skipped)} of {len(answer)} packages could not be asked after."
            f"\n  PyPI does not have {skipped[0]}, or cannot be reached from here.",
            file=sys.stderr,
        )
    if len(skipped) < len(answer):
        asked = len(answer) - len(skipped)
        print(f"{what}: {len(found)} known weaknesses in {asked} packages")
    for finding in found:
        print("\n".join(wrapped(f"  {finding}", COLUMNS, beneath="    ")))
    if skipped:
        return _NOT_ASKED
    return _KNOWN if found else _NONE_KNOWN


def ask(files: Iterable[Path], ignored: Iterable[str]) -> list[Entry]:
    """Return pip-audit's entries, one for each package. Raises CannotAskError."""
    words = [word for path in files for word in ("--requirement", str(path))]
    words += [word for one in ignored for word in ("--ignore-vuln", one)]
    done = subprocess.run([*_PIP_AUDIT, *words], capture_output=True, text=True, check=False)
    try:
        entries: list[Entry] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise CannotAskError(lines[-1]) from None
    return entries


def findings(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Yield the weaknesses that pip-audit tells of."""
    for entry in entries:
        for one in entry.get("vulns", ()):
            yield Finding(f"{entry['name']} {entry['version']}", one["id"], one["fix_versions"])


def unasked(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the packages that pip-audit passed over."""
    return (str(entry["name"]) for entry in entries if "skip_reason" in entry)


if __name__ == "__main__":
    sys.exit(main())
