"""Writes a bill of materials as CycloneDX JSON: the same bytes for the same tarball."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from bosh_release.support.digests import parse_digest
from bosh_release.tarball.release_mf import Reference, ReleaseManifest

# Of serial numbers that are made from a tarball's SHA256; itself drawn once, at random.
_NAMESPACE = UUID("0d1c5a7e-6f0b-4a53-9c53-6a2f4b1d7c11")
_ALGORITHMS = {
    "sha512": HashAlgorithm.SHA_512,
    "sha256": HashAlgorithm.SHA_256,
    "sha1": HashAlgorithm.SHA_1,
}


@dataclass(frozen=True)
class Work:
    """A work of others in the release."""

    name: str
    version: str | None
    licence: str | None  # SPDX identifier or expression
    is_on_pypi: bool
    package: str  # of BOSH
    wheel: str  # file name
    sha256: str | None = None  # of the wheel, where that is the work
    places: tuple[str, ...] = ()  # in the wheel, where it carries copies of the work
    needs: tuple[str, ...] = ()  # names, normalised

    @property
    def is_copy(self) -> bool:
        """Tell whether a wheel carries it inside."""
        return bool(self.places)


@dataclass(frozen=True)
class Bill:
    """The works that a tarball carries."""

    manifest: ReleaseManifest
    sha256: str
    works: Sequence[Work] = field(default_factory=tuple)


def normalised(name: str) -> str:
    """Return a distribution's name as others are compared with it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def render(bill: Bill) -> str:
    """Return the document. It has no time: nothing in it depends on when it was made."""
    bom = Bom(serial_number=uuid5(_NAMESPACE, bill.sha256))
    release = _release(bill)
    bom.metadata = BomMetaData(component=release)
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in CycloneDX
    references = [each for each in bill.manifest.references if each.kind != "license"]
    parts = {(each.kind, each.name): _part(each) for each in references}
    works = [(work, _work(work)) for work in bill.works]
    bom.components.update(parts.values())
    bom.components.update(component for _, component in works)

    bom.register_dependency(release, parts.values())
    for reference in references:
        needed = [part for (kind, name), part in parts.items() if _needs(reference, kind, name)]
        wheels = [one for work, one in works if work.package == reference.name and not work.is_copy]
        is_package = reference.kind == "package"
        bom.register_dependency(
            parts[reference.kind, reference.name], needed + (wheels if is_package else [])
        )
    for work, component in works:
        bom.register_dependency(component, _beneath(work, works))
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _needs(reference: Reference, kind: str, name: str) -> bool:
    return kind.endswith("package") and name in reference.needs


def _beneath(work: Work, works: Iterable[tuple[Work, Component]]) -> list[Component]:
    """Return the copies in a wheel, and the wheels that it requires."""
    if work.is_copy:
        return []
    return [
        component
        for other, component in works
        if (other.is_copy and (other.package, other.wheel) == (work.package, work.wheel))
        or (not other.is_copy and normalised(other.name) in work.needs)
    ]


def _release(bill: Bill) -> Component:
    manifest = bill.manifest
    return Component(
        type=ComponentType.APPLICATION,
        name=manifest.name,
        version=manifest.version,
        bom_ref="release",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=bill.sha256)],
        properties=[
            Property(name="bosh:commit_hash", value=manifest.commit_hash),
            Property(
                name="bosh:uncommitted_changes", value=str(manifest.uncommitted_changes).lower()
            ),
        ],
    )


def _part(reference: Reference) -> Component:
    digest = parse_digest(reference.digest)
    return Component(
        type=ComponentType.APPLICATION,
        name=reference.name,
        version=reference.fingerprint,
        bom_ref=f"{reference.kind.replace(' ', '_')}/{reference.name}",
        hashes=[HashType(alg=_ALGORITHMS[digest.algorithm], content=digest.hex)],
        properties=[Property(name="bosh:kind", value=reference.kind)],
    )


def _work(work: Work) -> Component:
    where = f"package/{work.package}/{work.wheel}"
    licences = [LicenseFactory().make_from_string(work.licence)] if work.licence else []
    name = normalised(work.name)
    return Component(
        type=ComponentType.LIBRARY,
        name=work.name,
        version=work.version,
        bom_ref=f"{where}/{name}@{work.version}" if work.is_copy else where,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=work.sha256)] if work.sha256 else [],
        licenses=licences,
        purl=PackageURL("pypi", name=name, version=work.version) if work.is_on_pypi else None,
        evidence=ComponentEvidence(occurrences=map(_occurrence, _locations(work))),
    )


def _locations(work: Work) -> list[str]:
    wheel = f"packages/{work.package}.tgz/{work.wheel}"
    return [f"{wheel}/{place}" for place in work.places] or [wheel]


def _occurrence(location: str) -> Occurrence:
    """Return an occurrence with a name of its own: those without come in any order."""
    return Occurrence(bom_ref=location, location=location)
