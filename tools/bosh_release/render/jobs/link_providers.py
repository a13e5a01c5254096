"""The links that the jobs of a manifest offer to others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bosh_release.render.interpolate.unresolved import Place
from bosh_release.render.jobs.jobs_in_groups import GroupMember, given_properties
from bosh_release.render.manifest import instances
from bosh_release.render.manifest.manifest import InstanceGroup, Manifest
from bosh_release.source.job_specs import Provided
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.values import kind_of


@dataclass(frozen=True)
class Provider:
    """A link that a job offers, under the name that the manifest may have given it.

    Of a job of another release only what the manifest says is known.
    """

    member: GroupMember
    link: Provided
    alias: str
    is_of_this_release: bool = True

    def description(self, deployment: str) -> str:
        """Name the provider as a director's message does."""
        renamed = f"with alias '{self.alias}' " if self.alias != self.link.name else ""
        return (
            f"Link provider '{self.link.name}' {renamed}from job '{self.member.job.name}' "
            f"in instance group '{self.member.group.name}' in deployment '{deployment}'"
        )

    def used_places(self) -> tuple[Place, ...]:
        """Return the places in the manifest that the link's content is made from."""
        job, group = self.member.job.path, self.member.group.path
        properties = ((*job, "properties", *name.split(".")) for name in self.link.properties)
        return (*properties, *((*group, key) for key in ("instances", "azs", "networks")))


def providers(
    manifest: Manifest, members: Sequence[GroupMember], *, are_of_this_release: bool = True
) -> Iterator[Provider]:
    """Yield every link that the jobs offer and the manifest does not withhold."""
    for member in members:
        entries = manifest.section(member.job, "provides")
        for link in (*member.spec.provides, *_custom(member)):
            entry = entries.get(link.name, {})
            if entry == "nil":
                continue
            if not isinstance(entry, dict):
                raise ReleaseError(
                    f"Provider '{link.name}' in job '{member.job.name}' in instance group "
                    f"'{member.group.name}' specified in the manifest should only be a hash or "
                    f"string 'nil', this is {kind_of(entry)}"
                )
            yield Provider(member, link, str(entry.get("as", link.name)), are_of_this_release)


def _custom(member: GroupMember) -> Iterator[Provided]:
    entries = member.job.raw.get("custom_provider_definitions") or []
    for entry in entries if isinstance(entries, list) else [entries]:
        name, kind = (
            (entry.get("name"), entry.get("type")) if isinstance(entry, dict) else (None, None)
        )
        if not isinstance(name, str) or not isinstance(kind, str):
            raise ReleaseError(
                f"{member.job.place}: a custom link provider of job '{member.job.name}' "
                "needs a name and a type"
            )
        yield Provided(name, kind, tuple(entry.get("properties") or ()))


def content(
    manifest: Manifest, provider: Provider, itself: instances.Instance | None, network: str | None
) -> dict[str, Any]:
    """Return the link as a director hands it to templates.

    `itself` is the instance that is rendered, if it is one of the provider's; `network` the one
    whose addresses the consumer asks for. Raises ReleaseError.
    """
    group = provider.member.group
    members = _instances(manifest, group, itself)
    if network is not None and any(network not in member.networks for member in members):
        raise ReleaseError(f"Provider link does not have network: '{network}'")
    default = members[0].default_network if members else "default"
    return {
        "deployment_name": manifest.deployment,
        "domain": instances.DOMAIN,
        "default_network": network or default,
        "instance_group": group.name,
        "properties": _shown_properties(manifest, provider),
        "use_short_dns_addresses": False,
        "instances": [
            {
                "name": group.name,
                "id": member.id,
                "index": member.index,
                "bootstrap": member.bootstrap,
                "az": member.az,
                "address": member.networks[network]["ip"] if network else member.address,
            }
            for member in members
        ],
    }


def unknown_properties(manifest: Manifest, provider: Provider) -> list[str]:
    """Return what the link would show and nobody here knows: defaults of another release's job."""
    given = given_properties(manifest, provider.member)
    unknown = [name for name in provider.link.properties if not _given(given, name)[0]]
    return [] if provider.is_of_this_release else unknown


def _instances(
    manifest: Manifest, group: InstanceGroup, itself: instances.Instance | None
) -> list[instances.Instance]:
    number = max(instances.count(manifest, group), itself.index + 1 if itself else 0)
    return [
        itself if itself and itself.index == index else _other(manifest, group, index)
        for index in range(number)
    ]


def _other(manifest: Manifest, group: InstanceGroup, index: int) -> instances.Instance:
    """Describe an instance that is not rendered: without a static IP only BOSH DNS knows it."""
    plain = instances.describe(manifest, group, instances.Settings(index=index))
    if plain.networks[plain.default_network]["type"] == "manual":
        return plain
    address = instances.dns_name(plain, manifest, group)
    return instances.describe(manifest, group, instances.Settings(index=index, address=address))


def _shown_properties(manifest: Manifest, provider: Provider) -> dict[str, Any]:
    given = given_properties(manifest, provider.member)
    defaults = provider.member.spec.defaults
    shown: dict[str, Any] = {}
    for name in provider.link.properties:
        found, value = _given(given, name)
        if not found and not provider.is_of_this_release:
            continue
        if not found and name not in defaults:
            raise ReleaseError(
                f"Link property {name} in template {provider.member.job.name} "
                "is not defined in release spec"
            )
        *parents, last = name.split(".")
        holder = shown
        for parent in parents:
            holder = holder.setdefault(parent, {})
        holder[last] = value if found else defaults[name]
    return shown


def _given(given: Any, name: str) -> tuple[bool, Any]:
    """Return whether the manifest gives a property, be it null, and its value."""
    node = given
    for key in name.split("."):
        if not isinstance(node, dict) or key not in node:
            return False, None
        node = node[key]
    return True, node
