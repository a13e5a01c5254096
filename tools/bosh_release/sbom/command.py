"""The command `sbom`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bosh_release.command_line.options import add_command
from bosh_release.command_line.reporting import Output, Report
from bosh_release.support.atomic import Written, write_atomically
from bosh_release.support.errors import in_one_line

if TYPE_CHECKING:
    from bosh_release.command_line.options import Commands
    from bosh_release.sbom.document import Bill

_DESCRIPTION = """\
List what a release tarball carries, whoever made it, as CycloneDX JSON (1.6): the release, its
jobs and packages, the wheels in the packages, and the works of others that wheels carry copies of,
each with version and licence, as far as its own files say them. It is for the scanners that look
for known weaknesses, and for those who ask under which licences this may be used.

The tarball is verified first. The same tarball gives the same bytes: there is no time in them, and
the serial number is made from the tarball's SHA256.
"""

_EPILOG = """\
with --json the result is {"path", "sha256", "works": [{"name", "version" or null, "licence" or
null, "package", "wheel", "places": where in the wheel, empty for the wheel itself}]}

"""


def add_parser(commands: Commands) -> None:
    """Add `sbom` to the command line."""
    sbom = add_command(commands, "sbom", "list what a tarball carries", _DESCRIPTION, _EPILOG)
    sbom.add_argument("tarball", metavar="FILE", type=Path)
    sbom.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="the document (default: NAME.cdx.json beside NAME.tgz)",
    )
    sbom.set_defaults(func=_run)


def _run(arguments: argparse.Namespace, output: Output) -> Report:
    # CycloneDX's library takes half a second to load, which no other command should wait for.
    from bosh_release.sbom.bill import make_bill  # noqa: PLC0415
    from bosh_release.sbom.document import render  # noqa: PLC0415

    bill = make_bill(arguments.tarball, output.note)
    path = arguments.output or Path(f"{str(arguments.tarball).removesuffix('.tgz')}.cdx.json")
    written = write_atomically(path, [render(bill).encode()])
    return Report(describe(bill, path, written), result(bill, path, written))


def result(bill: Bill, path: Path, written: Written) -> dict[str, Any]:
    """Return what --json tells."""
    return {
        "path": str(path),
        "sha256": written.sha256,
        "works": [
            {
                "name": work.name,
                "version": work.version,
                "licence": work.licence,
                "package": work.package,
                "wheel": work.wheel,
                "places": list(work.places),
            }
            for work in bill.works
        ],
    }


def describe(bill: Bill, path: Path, written: Written) -> str:
    """Return what is printed."""
    rows = [(f"{'  ' * (1 + work.is_copy)}{work.name}", work) for work in bill.works]
    width = max((len(name) for name, _ in rows), default=0)
    lines = (
        f"{bill.manifest.name} {bill.manifest.version} carries",
        *(
            f"{name:{width}}  {work.version or 'unknown':10}  {work.licence or 'unknown'}"
            for name, work in rows
        ),
        f"Written to {os.path.relpath(path)}",
        f"  sha256  {written.sha256}",
    )
    return "\n".join(map(in_one_line, lines))
