"""The `include` and `exclude` of an addon: which instance groups they let through.

As the director's addon filters: kinds of conditions must all be met, of the names in one kind any
will do. What is known of an instance group may not decide a condition; the answer is then None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.values import kind_of, place_of

Answer: TypeAlias = bool | None  # None: not known
# Tells whether an instance group has a job of a release; depends on the addons before.
HasJob: TypeAlias = Callable[[str, str], Answer]
IsUnresolved: TypeAlias = Callable[[str], bool]  # of a kind of condition

KINDS = ("lifecycle", "azs", "teams", "stemcell", "networks", "deployments", "jobs",
         "instance_groups")  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """The facts known of an instance group, by kind of condition; None is not known."""

    deployments: frozenset[str]
    instance_groups: frozenset[str] | None = None
    stemcell: frozenset[str] | None = None
    networks: frozenset[str] | None = None
    azs: frozenset[str] | None = None
    lifecycle: frozenset[str] | None = None
    teams: frozenset[str] | None = None

    def answer(self, kind: str, name: Any) -> Answer:
        """Tell whether the group has a name among those of a kind."""
        names: frozenset[str] | None = getattr(self, kind)
        return None if names is None else name in names


@dataclass(frozen=True)
class Condition:
    """The names of one kind; `is_complete` unless a variable without a value is among them."""

    kind: str
    wanted: tuple[Any, ...]
    is_complete: bool

    def answer(self, facts: Facts, has_job: HasJob) -> Answer:
        """Tell whether the group meets it."""
        if self.kind == "jobs":
            met = any_of(has_job(name, release) for name, release in self.wanted)
        else:
            met = any_of(facts.answer(self.kind, name) for name in self.wanted)
        return met if met or self.is_complete else None


@dataclass(frozen=True)
class Filter:
    """An `include` or `exclude`; one without conditions includes everything, excludes nothing."""

    name: str
    conditions: tuple[Condition, ...] = ()

    def answer(self, facts: Facts, has_job: HasJob) -> Answer:
        """Tell whether the group meets all conditions."""
        if not self.conditions:
            return self.name == "include"
        return all_of(each.answer(facts, has_job) for each in self.conditions)

    def deciding(self, facts: Facts, has_job: HasJob) -> list[str]:
        """Return the conditions that made the answer what it is, as include.stemcell."""
        answer = self.answer(facts, has_job)
        return [
            f"{self.name}.{each.kind}"
            for each in self.conditions
            if each.answer(facts, has_job) is answer
        ]


def any_of(answers: Iterable[Answer]) -> Answer:
    """Return True if one is, else None if one is not known."""
    found = set(answers)
    return True if True in found else None if None in found else False


def all_of(answers: Iterable[Answer]) -> Answer:
    """Return False if one is, else None if one is not known."""
    found = set(answers)
    return False if False in found else None if None in found else True


def negated(answer: Answer) -> Answer:
    """Return the opposite; what is not known stays so."""
    return None if answer is None else not answer


def parse_filter(
    raw: Mapping[str, Any], name: str, place: str, *, is_runtime: bool, is_unresolved: IsUnresolved
) -> Filter:
    """Return `raw`, an addon's `include` or `exclude`, checked as a director does.

    `place` stands in messages; ReleaseError is raised for what a director refuses.
    """
    conditions: list[Condition] = []
    for kind in KINDS:
        if kind not in raw:
            continue
        wanted = _names(raw[kind], kind, f"{place_of(raw[kind]) or place}: {name}.{kind}")
        if kind == "deployments" and wanted and not is_runtime:
            raise ReleaseError(
                f"{place}: Deployment filter is not allowed for deployment level addons."
            )
        if kind == "teams" and not is_runtime:
            continue  # as in the director
        if wanted:
            conditions.append(Condition(kind, wanted, is_complete=not is_unresolved(kind)))
    return Filter(name, tuple(conditions))


def _names(value: Any, kind: str, what: str) -> tuple[Any, ...]:
    if kind == "lifecycle":
        lifecycle = _text(value, what)
        return (lifecycle,) if lifecycle else ()
    if not isinstance(value, list):
        raise ReleaseError(f"{what} must be a list, this is {kind_of(value)}")
    if kind == "jobs":
        return tuple(_texts(item, ("name", "release"), what) for item in value)
    if kind == "stemcell":
        return tuple(_texts(item, ("os",), what)[0] for item in value)
    # whatever is no text is equal to no name
    return tuple(item if isinstance(item, str) else None for item in value)


def _texts(item: Any, keys: tuple[str, ...], what: str) -> tuple[str, ...]:
    if not isinstance(item, dict):
        raise ReleaseError(f"{what}: each entry must be a map, this is {kind_of(item)}")
    texts = tuple(_text(item[key], f"{what}: {key}") if key in item else "" for key in keys)
    if not all(texts):
        raise ReleaseError(f"{what}: each entry must have {' and '.join(keys)}")
    return texts


def _text(value: Any, what: str) -> str:
    """Return a string; a director takes numbers, too."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ReleaseError(f"{what} must be a string, this is {kind_of(value)}; quote what is one")
