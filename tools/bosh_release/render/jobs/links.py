"""Resolves the links that jobs take from one another, as a director does.

Known are the jobs of one release, and what is written down: in the manifest (`consumes: {x:
{instances: […]}}`) or on the command line. A link to a job of another release has to be written
down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from bosh_release.render.interpolate.unresolved import Place
from bosh_release.render.jobs.jobs_in_groups import GroupMember
from bosh_release.render.jobs.link_providers import Provider, content, providers, unknown_properties
from bosh_release.render.jobs.selection import is_of
from bosh_release.render.manifest.instances import Instance
from bosh_release.render.manifest.manifest import Manifest
from bosh_release.render.ruby.values import as_json
from bosh_release.source.job_specs import Consumed, Release
from bosh_release.support.errors import ReleaseError
from bosh_release.support.spelling import nearest
from bosh_release.yaml.values import kind_of, place_of

WRITTEN_KEYS = ("instances", "properties", "address")


@dataclass(frozen=True)
class Resolved:
    """A link that templates can use; `used` are the places in the manifest it is made from.

    `warnings`: what is not as a director has it.
    """

    name: str
    content: Mapping[str, Any]
    used: tuple[Place, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resolver:
    """All that the links of a deployment depend on.

    `members` are all jobs of the release in the manifest, `others` those of other releases, whose
    specs are not known; `written` the links of the command line, `itself` the instance that is
    rendered.
    """

    manifest: Manifest
    members: Sequence[GroupMember]
    others: Sequence[GroupMember]
    written: Mapping[str, Any]
    itself: Instance

    def links_of(self, consumer: GroupMember) -> list[Resolved]:
        """Return the links of one job.

        Raises one ReleaseError, in the director's words, for all that cannot be resolved.
        """
        resolved: list[Resolved] = []
        errors: list[str] = []
        for link in consumer.spec.consumes:
            try:
                found = self._resolve(consumer, link)
            except ReleaseError as error:
                errors.append(str(error))
                continue
            if found:
                # a director keeps links as JSON
                resolved.append(replace(found, content=as_json(found.content)))
        if errors:
            raise ReleaseError(
                f"Failed to resolve links from deployment '{self.manifest.deployment}'. "
                "See errors below:\n" + "\n".join(f"  - {error}" for error in errors)
            )
        return resolved

    def _resolve(self, consumer: GroupMember, link: Consumed) -> Resolved | None:
        if link.name in self.written:
            return self._as_written(link, self.written[link.name])
        entries = self.manifest.section(consumer.job, "consumes")
        entry = entries.get(link.name, {})
        if entry == "nil":
            return None
        _check_entry(entry, link, consumer)
        if any(key in entry for key in WRITTEN_KEYS):
            return self._as_written(link, entry)
        return self._from_provider(consumer, link, entry, is_explicit=link.name in entries)

    def _as_written(self, link: Consumed, entry: Mapping[str, Any]) -> Resolved:
        values = {key: entry.get(key) for key in WRITTEN_KEYS}
        return Resolved(link.name, {**values, "deployment_name": self.manifest.deployment})

    def _from_provider(
        self, consumer: GroupMember, link: Consumed, entry: Mapping[str, Any], *, is_explicit: bool
    ) -> Resolved | None:
        if entry.get("deployment") not in (None, self.manifest.deployment):
            raise ReleaseError(
                f"Link '{link.name}' in job '{consumer.job.name}' consumes from deployment "
                f"'{entry['deployment']}', which is not in this manifest; "
                f"give its values with --link {link.name}=…"
            )
        alias = str(entry.get("from", link.name)).split(".")[-1]
        found = [
            provider
            for provider in self._providers()
            if provider.link.type == link.type and (not is_explicit or provider.alias == alias)
        ]
        if not found and link.optional and not is_explicit:
            return None
        if len(found) != 1:
            raise ReleaseError(self._not_one(consumer, link, alias, found))
        is_own = found[0].member.group is consumer.group
        values = content(
            self.manifest, found[0], self.itself if is_own else None, entry.get("network")
        )
        unknown = unknown_properties(self.manifest, found[0])
        warnings = (_not_known(consumer, link, found[0], unknown),) if unknown else ()
        return Resolved(link.name, values, found[0].used_places(), warnings)

    def _providers(self) -> Iterator[Provider]:
        yield from providers(self.manifest, self.members)
        yield from providers(self.manifest, self.others, are_of_this_release=False)

    def _not_one(
        self, consumer: GroupMember, link: Consumed, alias: str, found: Sequence[Provider]
    ) -> str:
        naming = f"alias '{alias}' and " if alias != link.name else ""
        lines = [
            f"Failed to resolve link '{link.name}' with {naming}type '{link.type}' from job "
            f"'{consumer.job.name}' in instance group '{consumer.group.name}'. "
            + ("Multiple link providers found:" if found else "Details below:"),
            *(f"    - {each.description(self.manifest.deployment)}" for each in found),
        ]
        if not found:
            lines.append(
                "    - No link providers found among the jobs of this release; "
                f"give the values with --link {link.name}=…"
            )
        else:
            lines.append(f"    {_which(link)}")
        return "\n".join(lines)


def _not_known(
    consumer: GroupMember, link: Consumed, provider: Provider, names: Sequence[str]
) -> str:
    return (
        f"Link '{link.name}' in job '{consumer.job.name}': {', '.join(names)} of job "
        f"'{provider.member.job.name}' may have a default in its release, which is not known here; "
        f"give it in the manifest, or the link with --link {link.name}=…"
    )


def _which(link: Consumed) -> str:
    """Tell what to write where there are several providers: a director refuses it as well."""
    one = (
        f"Write consumes: {{{link.name}: {{from: NAME}}}} to take one of them (provides: "
        "{…: {as: NAME}} gives it a name of its own)"
    )
    return f"{one}, or consumes: {{{link.name}: nil}} for none" if link.optional else one


def _check_entry(entry: Any, link: Consumed, consumer: GroupMember) -> None:
    job, group = consumer.job.name, consumer.group.name
    where = f"link '{link.name}' in job '{job}' in instance group '{group}'"
    if not isinstance(entry, dict):
        raise ReleaseError(
            f"Consumer '{link.name}' in job '{job}' in instance group '{group}' specified in the "
            f"manifest should only be a hash or string 'nil', this is {kind_of(entry)}"
        )
    for key in ("instances", "properties"):
        if key in entry and "from" in entry:
            raise ReleaseError(f"Cannot specify both '{key}' and 'from' keys for {where}.")
    if "properties" in entry and "instances" not in entry:
        raise ReleaseError(f"Cannot specify 'properties' without 'instances' for {where}.")


def left_out(
    manifest: Manifest, release: Release, member: GroupMember, names: Set[str]
) -> list[str]:
    """Return a sentence for each optional link that a job of another release may provide.

    `names` are the links that the job has. Specs of other releases are not there to be read.
    """
    entries = manifest.section(member.job, "consumes")
    others = [
        job.name
        for group in manifest.groups
        for job in group.jobs
        if not (is_of(job, release) and release.has_job(job.name))
    ]
    if not others and not manifest.is_runtime_config:
        return []
    return [
        f"Job '{member.job.name}' gets no optional link '{link.name}': no job of release "
        f"'{release.name}' here provides the type '{link.type}'. If one of another release does, "
        f"give its values with --link {link.name}=…"
        for link in member.spec.consumes
        if link.optional and link.name not in names and entries.get(link.name) != "nil"
    ]


def unknown_links(manifest: Manifest, member: GroupMember) -> list[str]:
    """Return a sentence for each link in the manifest that the job's spec does not know."""
    known = [link.name for link in member.spec.consumes]
    return [
        f"{place_of(name) or manifest.file}: Job '{member.job.name}' does not define link consumer "
        f"'{name}' in the release spec{nearest(name, known)}"
        for name in manifest.section(member.job, "consumes")
        if name not in known
    ]
