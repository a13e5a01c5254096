"""Opens what follows from which instance this VM is: its server groups by manifest, files, tags and
journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from random import Random

from slb_registration.cloud.client import Cloud, OnCall
from slb_registration.cloud.connect import connect
from slb_registration.discovery.discoverer import Discoverer
from slb_registration.discovery.job_file_groups import LOOK_SECONDS, JobFileGroups
from slb_registration.discovery.selection import Chooser, named_ids
from slb_registration.instance.journal import Journal
from slb_registration.instance.journal_file import FILE_NAME
from slb_registration.instance.metadata import Instance, Metadata
from slb_registration.instance.own_server import vpc_id
from slb_registration.instance.own_servers import Servers
from slb_registration.instance.questions import Question
from slb_registration.membership.groups import Groups
from slb_registration.membership.placement import Placement
from slb_registration.model.configuration import Config, GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.pacing.backoff import while_awaited
from slb_registration.pacing.quotas import between_listings
from slb_registration.server_groups.tagged import listings
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.part import Turn
from slb_registration.support.supervision.supervisor import Supervisor


@dataclass(frozen=True)
class Surroundings:
    """The surroundings that every part shares.

    `on_step` as of Groups, `awaited`: whether post-start waits.
    """

    config: Config
    metadata: Metadata
    log: EventLog
    on_call: OnCall
    on_step: Callable[[], None]
    supervisor: Supervisor
    awaited: Callable[[], bool]
    clock: Callable[[], float]


@dataclass(frozen=True)
class Opened:
    """The server groups, and who finds out which they are."""

    cloud: Cloud
    journal: Journal
    membership: Groups
    placement: Placement
    servers: Servers
    files: JobFileGroups
    discoverer: Discoverer | None

    def statuses(self, phase: Phase) -> tuple[GroupStatus, ...]:
        """Return what is known of every group; those that cannot be joined yet come last."""
        # First: what is opened meanwhile may be seen twice, not never.
        waiting = self.placement.waiting
        unknown = (one.status(phase, self.journal) for one in waiting)
        return (*self.membership.statuses, *unknown)

    @property
    def turns(self) -> Iterator[tuple[str, Turn]]:
        """Return what is to run in threads of its own, by name."""
        yield "servers", self.servers.turn
        yield "files of co-located jobs", self.files.turn
        if self.discoverer is not None:
            yield "discovery", self.discoverer.turn


def opened(around: Surroundings, instance: Instance, phase: Phase) -> Opened:
    """Open what is known at once, of the others what the journal has. Asks nobody.

    `phase`: what groups begin with.
    """
    config, log = around.config, around.log
    cloud = connect(config, instance.region, log, on_call=around.on_call, awaited=around.awaited)
    journal = Journal(config.data_dir / FILE_NAME, instance, log.warning)
    membership = Groups(
        config,
        cloud,
        instance,
        journal,
        log,
        phase=phase,
        on_step=around.on_step,
        supervisor=around.supervisor,
        clock=around.clock,
    )
    try:
        return _opened(around, cloud, journal, membership)
    except BaseException:
        membership.stop()  # the next attempt has workers of its own
        raise


def _opened(around: Surroundings, cloud: Cloud, journal: Journal, membership: Groups) -> Opened:
    config = around.config
    servers = Servers(
        around.metadata,
        around.log,
        beat=around.supervisor.beat,
        random=_jitter(),
        clock=around.clock,
    )
    placement = Placement(servers, membership, journal, on_change=around.on_step)
    servers.on_news = placement.settle
    for spec in config.groups:
        placement.add(spec, Origin.MANIFEST)
    tagged = _found_before(journal) if config.discovery.enabled else ()
    for spec in tagged:
        placement.add(spec, Origin.TAGS)
    files = _files(around, placement, journal)
    files.look()
    membership.leave_others()
    discoverer = _discoverer(around, cloud, placement, files, tagged)
    return Opened(cloud, journal, membership, placement, servers, files, discoverer)


def _files(around: Surroundings, placement: Placement, journal: Journal) -> JobFileGroups:
    config = around.config
    return JobFileGroups(
        config.dynamic_config_globs,
        config.port,
        config.health_check,
        around.log,
        name_of=placement.name_of,
        join=lambda spec, path: placement.add(spec, Origin.FILE, path),
        leave=lambda spec: placement.drop(spec, Origin.FILE),
        settle=placement.settle,
        taken=lambda: frozenset(map(placement.name_of, config.groups)),
        known=journal.by_file,
        look_seconds=min(LOOK_SECONDS, config.reconcile_interval_seconds),
        clock=around.clock,
    )


def _discoverer(
    around: Surroundings,
    cloud: Cloud,
    placement: Placement,
    files: JobFileGroups,
    known: Collection[GroupSpec],
) -> Discoverer | None:
    config, discovery = around.config, around.config.discovery
    if not discovery.enabled:
        return None
    rarest = between_listings(config.fleet_size, discovery.products)
    chooser = Chooser(
        discovery,
        config.port,
        config.health_check,
        _asked_for_vpc(around),
        lambda: named_ids((*config.groups, *files.specs)),
    )
    return Discoverer(
        replace(discovery, interval_seconds=max(discovery.interval_seconds, rarest)),
        cloud.region,
        listings(cloud, discovery.products, discovery.tags),
        chooser,
        around.log,
        join=lambda spec: placement.add(spec, Origin.TAGS),
        leave=lambda spec: placement.drop(spec, Origin.TAGS),
        settle=placement.settle,
        known=known,
        retry_seconds=max(config.reconcile_interval_seconds, rarest),
        random=_jitter(),
        awaited=around.awaited,
        awaited_seconds=while_awaited(rarest),
        clock=around.clock,
    )


def _asked_for_vpc(around: Surroundings) -> Callable[[], str]:
    """Ask in the thread that looks for tags: no other waits for the answer."""
    question = Question(lambda: vpc_id(around.metadata))
    random = _jitter()

    def ask() -> str:
        question.ask(around.clock, random)
        return question.get()

    return ask


def _found_before(journal: Journal) -> tuple[GroupSpec, ...]:
    """Return what an earlier start has found by its tags: a listing may fail, and a drain must not
    miss it. As which server this VM stands there may have changed."""
    return tuple(
        replace(entry.spec, server_id=None, server_ip=None)
        for entry in journal.entries.values()
        if entry.discovered
    )


def _jitter() -> Random:
    return Random()  # noqa: S311 - no secret
