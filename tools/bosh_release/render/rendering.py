"""Renders the jobs of an instance group as BOSH would put them on a VM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bosh_release.render.jobs.jobs_in_groups import GroupMember
from bosh_release.render.jobs.template_specs import create_env_spec, director_spec
from bosh_release.render.output.rendered_folder import (
    RenderedFile,
    RenderedJob,
    check_replaceable,
    write,
)
from bosh_release.render.plan import Plan, make_plan
from bosh_release.render.request import Request
from bosh_release.render.ruby.erb import CREATE_ENV, Filled, JobTemplates, Template, fill_in
from bosh_release.render.template_errors import raise_errors, redactor
from bosh_release.source.job_specs import JobSpec
from bosh_release.support.errors import ReleaseError

__all__ = ["Rendering", "Request", "render", "render_to"]


@dataclass(frozen=True)
class Rendering:
    """The rendered jobs, and what a person should know all the same."""

    jobs: tuple[RenderedJob, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def render_to(output: Path, request: Request) -> Rendering:
    """Render the jobs asked for and make `output` hold them, as OUTPUT/JOB/…

    Raises ReleaseError, and then leaves `output` as it was.
    """
    check_replaceable(output)
    rendering = render(request)
    write(rendering.jobs, output)
    return rendering


def render(request: Request) -> Rendering:
    """Render the jobs asked for, in memory; raises ReleaseError."""
    plan = make_plan(request)
    templates = [_templates(plan, member, request.context) for member in plan.members]
    redact = redactor(plan, request, templates)
    filled = fill_in(templates, request.context, redact=redact)
    raise_errors(plan, filled, request, redact)
    jobs = (_job(member.spec, files) for member, files in zip(plan.members, filled, strict=True))
    return Rendering(tuple(jobs), plan.warnings, plan.notes)


def _templates(plan: Plan, member: GroupMember, context: str) -> JobTemplates:
    if context == CREATE_ENV:
        spec = create_env_spec(plan.manifest, member, plan.instance)
    else:
        links = plan.links[member.job.name]
        spec = director_spec(plan.manifest, plan.release, member, plan.instance, links)
    folder = member.spec.folder
    paths = [("monit", folder / "monit")]
    paths += [(source, folder / "templates" / source) for source, _ in member.spec.templates]
    templates = [_template(member.job.name, source, path, context) for source, path in paths]
    return JobTemplates(member.job.name, spec, templates)


def _template(job: str, source: str, path: Path, context: str) -> Template:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from error
    if context == CREATE_ENV:
        return Template(str(path), str(path), text)
    return Template(source, f"{job}/{source}", text)


def _job(spec: JobSpec, filled: Sequence[Filled]) -> RenderedJob:
    targets = ["monit", *(str(PurePosixPath(target)) for _, target in spec.templates)]
    return RenderedJob(
        spec.name,
        tuple(RenderedFile(path, each.content) for path, each in zip(targets, filled, strict=True)),
    )
