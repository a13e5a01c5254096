"""Fills in ERB templates with a real Ruby, all of them in one process.

The Ruby side is fill_in.rb; it says how the two talk.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bosh_release.render.ruby.process import run_ruby
from bosh_release.render.ruby.values import to_ruby
from bosh_release.support.errors import ReleaseError

DIRECTOR = "director"
CREATE_ENV = "create-env"
CONTEXTS = (DIRECTOR, CREATE_ENV)

# ERB.new takes trim_mode by name from 2.6 on; `then`, transform_values and the like are older.
OLDEST_RUBY = "2.7"
# A template that loops for ever must not hang a build; real ones take milliseconds.
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Template:
    """A template: `source` names it in messages, `filename` in Ruby's backtraces."""

    source: str
    filename: str
    text: bytes


@dataclass(frozen=True)
class JobTemplates:
    """Templates that see the same spec (see instance_spec)."""

    job: str
    spec: Mapping[str, Any]
    templates: Sequence[Template]


@dataclass(frozen=True)
class Filled:
    """A filled template: its content, or the error in BOSH's words."""

    content: bytes = b""
    error: str | None = None


def fill_in(
    jobs: Sequence[JobTemplates],
    context: str,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    redact: Callable[[str], str] = str,
) -> list[list[Filled]]:
    """Fills in the templates of the jobs; a list per job, in the order given.

    What templates print, and Ruby itself, goes to standard error as `redact` gives it. Raises
    ReleaseError where Ruby is missing, too old or ended before the last template; a template that
    fails is no exception but a Filled with an error.
    """
    output, printed, timed_out = _run_ruby(_request(jobs, context), timeout_seconds)
    sys.stderr.write(redact(printed.decode(errors="backslashreplace")))
    answers = list(_answers(output))
    if timed_out:
        raise ReleaseError(
            f"Templates were not filled in within {timeout_seconds:g} s; stopped at"
            f" {_last_begun(answers, jobs)}."
        )
    _check_ruby(answers)
    _check_finished(answers, jobs)
    filled = (_filled(answer) for answer in answers if "content" in answer or "error" in answer)
    return [[next(filled) for _ in job.templates] for job in jobs]


def _request(jobs: Sequence[JobTemplates], context: str) -> bytes:
    request = {
        "context": context,
        "oldest_ruby": OLDEST_RUBY,
        "jobs": [
            {
                "spec": to_ruby(job.spec),
                "templates": [
                    {
                        "source": template.source,
                        "filename": template.filename,
                        "text": base64.b64encode(template.text).decode(),
                    }
                    for template in job.templates
                ],
            }
            for job in jobs
        ],
    }
    return json.dumps(request, allow_nan=False).encode()


def _run_ruby(request: bytes, timeout_seconds: float) -> tuple[bytes, bytes, bool]:
    """Return what Ruby answered, what it printed, and whether its time was up."""
    timed_out = False
    with tempfile.TemporaryFile() as printed:  # a pipe would stay open in what a template starts
        try:
            output = run_ruby(
                "fill_in.rb", request, timeout_seconds=timeout_seconds, printed=printed
            )
        except subprocess.TimeoutExpired as error:
            output, timed_out = error.stdout or b"", True
        printed.seek(0)
        return output, printed.read(), timed_out


def _answers(output: bytes) -> Iterator[dict[str, Any]]:
    for line in output.splitlines(keepends=True):
        if line.endswith(b"\n"):  # a process that was killed may leave half a line
            yield json.loads(line)


def _check_ruby(answers: Sequence[Mapping[str, Any]]) -> None:
    if not answers:
        raise ReleaseError("Ruby did not start; its message is above.")
    found = answers[0]["ruby"]
    if len(answers) == 1 and _numbers(found) < _numbers(OLDEST_RUBY):
        raise ReleaseError(
            f"Rendering needs Ruby {OLDEST_RUBY} or later; `ruby` on PATH is {found}."
        )
    missing = [answer["missing"] for answer in answers if "missing" in answer]
    if missing:
        raise ReleaseError(
            f"The Ruby on PATH ({found}) lacks the library '{missing[0]}', which the director's "
            f"templates may use; install it (gem install {missing[0]})."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _check_finished(answers: Sequence[Mapping[str, Any]], jobs: Sequence[JobTemplates]) -> None:
    if not answers[-1].get("done"):
        raise ReleaseError(
            f"Ruby ended before all templates were filled in, at {_last_begun(answers, jobs)}. "
            "Does it call exit! or end its own process?"
        )


def _last_begun(answers: Sequence[Mapping[str, Any]], jobs: Sequence[JobTemplates]) -> str:
    begun = [answer["begin"] for answer in answers if "begin" in answer]
    if not begun:
        return "the first template"
    job, template = begun[-1]
    return f"template '{jobs[job].templates[template].source}' of job '{jobs[job].job}'"


def _filled(answer: Mapping[str, Any]) -> Filled:
    if "error" in answer:
        return Filled(error=answer["error"])
    return Filled(content=base64.b64decode(answer["content"]))
