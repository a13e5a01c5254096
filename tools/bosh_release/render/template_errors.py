"""Tells which templates failed, in the outline that a director prints, without secrets."""

from __future__ import annotations

from collections.abc import Sequence

from bosh_release.render.jobs.jobs_in_groups import given_properties
from bosh_release.render.output.redaction import Redactor, secret_properties, texts
from bosh_release.render.plan import Plan
from bosh_release.render.request import Request
from bosh_release.render.ruby.erb import CREATE_ENV, Filled, JobTemplates
from bosh_release.render.ruby.values import as_json
from bosh_release.support.errors import ReleaseError


def raise_errors(
    plan: Plan, filled: Sequence[Sequence[Filled]], request: Request, redact: Redactor
) -> None:
    """Raise one ReleaseError for all templates that failed; `filled` has a list per job."""
    by_job = {
        member.job.name: [redact(each.error) for each in files if each.error is not None]
        for member, files in zip(plan.members, filled, strict=True)
    }
    if not any(by_job.values()):
        return
    if request.context == CREATE_ENV:
        errors = [error for found in by_job.values() for error in found]
        message = outline("Unable to render jobs for create-env. Errors are:", errors)
    else:
        message = _director_outline(plan.group.name, by_job)
    # a link that is not there is the cause of many failures
    raise ReleaseError("\n".join((message, *plan.notes)))


def _director_outline(group: str, by_job: dict[str, list[str]]) -> str:
    # A director stops at a monit file that fails; here it is one template among the others.
    jobs = [
        outline(f"Unable to render templates for job '{job}'. Errors are:", errors)
        for job, errors in by_job.items()
        if errors
    ]
    in_group = outline(f"Unable to render jobs for instance group '{group}'. Errors are:", jobs)
    return outline("Unable to render instance groups for deployment. Errors are:", [in_group])


def outline(header: str, errors: Sequence[str]) -> str:
    """Put errors below a header, each with a dash and all its lines indented by two."""
    lines = [header]
    for error in errors:
        first, *more = error.split("\n")
        lines += [f"  - {first}", *(f"  {line}" for line in more)]
    return "\n".join(lines)


def redactor(plan: Plan, request: Request, jobs: Sequence[JobTemplates]) -> Redactor:
    """Return what hides the values that are secrets, or may be, in what Ruby says."""
    given = [given_properties(plan.manifest, member) for member in plan.members]
    links = [dict(link.content) for found in plan.links.values() for link in found]
    secrets = [*texts(dict(request.variables)), *secret_properties([*as_json(given), *links])]
    templates = [template for job in jobs for template in job.templates]
    names = [name for each in templates for name in (each.source, each.filename)]
    return Redactor(secrets, [*names, *(each.text.decode(errors="replace") for each in templates)])
