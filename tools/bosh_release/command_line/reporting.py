"""The report of a command: in words, as JSON for a program, or nothing while all is well.

stderr is the same for all three: notes as they come, and why it failed. stdout has what was done.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bosh_release.support.errors import ReleaseError, printable

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
HELP = """\
with --json stdout is one object, whatever happens:
  {"command": …, "exit_code": …, "error": the message or null, "notes": […],
   "result": … or null}

exit codes:
  0    done
  1    failed; stderr says why
  2    the options are wrong: nothing was begun
  130  interrupted by Ctrl-C
  143  ended by SIGTERM
"""


@dataclass(frozen=True)
class Report:
    """The result of a command, for people and for programs.

    With a `problem` it has failed all the same.
    """

    text: str
    result: Mapping[str, Any]
    problem: ReleaseError | None = None


@dataclass
class Output:
    """The places where a command's report and notes go."""

    command: str | None
    as_json: bool = False
    quiet: bool = False
    _notes: list[str] = field(default_factory=list)

    @classmethod
    def asked_for(cls, words: Sequence[str]) -> Output:
        """Return what the words of a command line ask for, be the rest of them right or not."""
        command = words[0] if words and not words[0].startswith("-") else None
        return cls(command, as_json="--json" in words, quiet="--quiet" in words)

    def follow(self, arguments: argparse.Namespace) -> None:
        """Take the options as they were read: they may have been shortened."""
        self.as_json, self.quiet = arguments.json, arguments.quiet

    @property
    def is_shown(self) -> bool:
        """Tell whether stdout is for a person who looks on."""
        return not self.as_json and not self.quiet

    def note(self, text: str, kind: str = "Note") -> None:
        """Tell what is worth knowing though nothing fails."""
        self._notes.append(text)
        print(printable(f"{kind}: {text}"), file=sys.stderr)

    def finish(self, report: Report) -> int:
        """Tell what was done; returns the exit code."""
        code = FAILED if report.problem else DONE
        if self.is_shown:
            print(printable(report.text))
        self._end(code, report.result, str(report.problem) if report.problem else None)
        return code

    def fail(self, message: str, code: int = FAILED) -> int:
        """Tell why nothing was done; returns the exit code."""
        self._end(code, None, message)
        return code

    def _end(self, code: int, result: Mapping[str, Any] | None, error: str | None) -> None:
        if error is not None:
            print(printable(error), file=sys.stderr)
        if self.as_json:
            document = {
                "command": self.command,
                "exit_code": code,
                "error": error,
                "notes": self._notes,
                "result": result,
            }
            print(json.dumps(document, indent=2))
        sys.stdout.flush()
