"""Who this VM is, and to which server groups it belongs: by manifest, files, tags and journal."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

from slb_registration.awaited import by_nobody
from slb_registration.choosing import Choice, Chooser, named_ids, tags_text
from slb_registration.cloud import Cloud, OnCall
from slb_registration.config import Config, GroupSpec, HealthCheck
from slb_registration.connect import connect, metadata_of
from slb_registration.credentials import CredentialsState
from slb_registration.discovery import Discoverer
from slb_registration.dynamic_groups import LOOK_SECONDS, DynamicGroups
from slb_registration.fleet import between_listings
from slb_registration.goal import Phase
from slb_registration.instance import IdentityError, Instance, MetadataError, identify
from slb_registration.journal import Journal
from slb_registration.journal_file import FILE_NAME, last_instance, unconfirmed
from slb_registration.log import EventLog
from slb_registration.membership import Membership
from slb_registration.own_server import resolved
from slb_registration.pacing import RECHECK_SECONDS, while_awaited
from slb_registration.server_groups.tagged import listings
from slb_registration.status import GroupStatus, Origin
from slb_registration.supervised import Supervisor

GIVEN_IDENTITY_SECONDS = 30.0
"""How long the metadata service is asked where region and instance_id are given."""

TURN_SECONDS = 120.0
"""How long joining, files and discovery may go without a sign: longer than any one call takes. They
give one at each call (Supervisor.beat)."""


class Joining:
    """Finds out who we are, and opens the server groups. `membership` is None until then."""

    def __init__(
        self,
        config: Config,
        log: EventLog,
        *,
        phase: Callable[[], Phase],
        on_call: OnCall,
        on_step: Callable[[], None],
        supervisor: Supervisor,
        awaited: Callable[[], bool] = by_nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`phase`: that of now, which groups begin with. `on_step` as of Membership.

        `awaited`: whether post-start waits for this VM.
        """
        self.instance: Instance | None = None
        self.membership: Membership | None = None
        self.dynamic: DynamicGroups | None = None
        self.remark: str | None = None  # what may be a mistake, and is done all the same
        self._config = config
        self._log = log
        self._phase = phase
        self._on_call = on_call
        self._on_step = on_step
        self._supervisor = supervisor
        self._awaited = awaited
        self._clock = clock
        self._metadata = metadata_of(config)
        self._cloud: Cloud | None = None
        self._discoverer: Discoverer | None = None
        self._journal: Journal | None = None
        self._error: str | None = None
        self._mistaken = False  # whether the configuration is what hinders

    # What is known

    @property
    def complete(self) -> bool:
        """Whether every server group that this VM may be in is known."""
        if self.membership is None:  # which is known last
            return False
        return self._discoverer is None or self._discoverer.looked

    @property
    def barred(self) -> bool:
        """Whether only a person can let the server groups be known that are not, and this VM was
        never seen registered in any: there is nothing that a drain could take out."""
        if self.complete:
            return False
        if self._journal is None:
            return self._mistaken and unconfirmed(self._config.data_dir / FILE_NAME) is not None
        discoverer = self._discoverer
        known = discoverer is not None and discoverer.barred
        return known and not self._journal.ever_confirmed

    @property
    def statuses(self) -> tuple[GroupStatus, ...]:
        """What is known of every group."""
        return () if self.membership is None else self.membership.statuses

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What was found by its tags."""
        return () if self._discoverer is None else self._discoverer.choices

    @property
    def credentials(self) -> CredentialsState:
        """What is known of the keys in use."""
        return CredentialsState() if self._cloud is None else self._cloud.credentials_state()

    @property
    def error(self) -> str | None:
        """What hinders joining."""
        if self.membership is None:
            return self._error
        discoverer, joined = self._discoverer, self._joined
        if discoverer is None:
            return None if joined else nothing_named(self._config)
        parts = (discoverer.error, None if joined else discoverer.left_out)
        return "; ".join(filter(None, parts)) or None

    @property
    def needs_repair(self) -> bool:
        """Whether no server group will ever be joined unless a person mends something."""
        if self.membership is None or self._joined:
            return self._mistaken
        if self._discoverer is not None:
            return self._discoverer.needs_repair
        files = self.dynamic.files if self.dynamic is not None else ()
        bad = any(state.problem for state, _ in files)
        return bad or not self._config.dynamic_config_globs

    @property
    def under_way(self) -> str | None:
        """What has to be known before a server group is, None where that is known."""
        discoverer = self._discoverer
        if self.membership is None:
            return f"asking the metadata service {self._metadata.endpoint} who this VM is"
        if self._joined or discoverer is None or discoverer.looked:
            return None
        return f"looking for what carries the tags {tags_text(self._config.discovery)}"

    @property
    def _joined(self) -> bool:
        return any(status.origin is not Origin.DROPPED for status in self.statuses)

    def check_for(self, status: GroupStatus) -> HealthCheck | None:
        """How the service behind a group is checked; None where it is not, or that is unknown."""
        if status.origin is Origin.DROPPED:
            return None
        if status.origin is Origin.FILE and self.dynamic is not None:
            return self.dynamic.check_for(status.name)
        return self._config.health_check.of(status.spec, self._config.port)

    # Joining

    def turn(self, stop: threading.Event) -> float | None:
        """Join once it is known who we are: None. Where a person must mend something, the seconds
        until it is looked at again, which is seldom."""
        try:
            self._join(self._identify(stop, self._patience), stop)
        except (IdentityError, MetadataError) as error:
            if stop.is_set():
                return None
            self._mistaken = isinstance(error, IdentityError)
            self._warn(str(error))
            return RECHECK_SECONDS
        return None

    def for_drain(self, stop: threading.Event, patience_seconds: float) -> None:
        """Join to leave. Raises IdentityError and MetadataError.

        Where the metadata service is gone, the journal still knows who we were.
        """
        try:
            instance = self._identify(stop, patience_seconds)
        except MetadataError:
            last = last_instance(self._config.data_dir / FILE_NAME)
            if last is None:
                raise
            instance = last
        self._join(instance, stop)

    def look_again(self) -> None:
        """Find out anew what only a person could mend: it may have been mended."""
        if self._discoverer is not None:
            self._discoverer.look_again()

    def close(self) -> None:
        """End what was begun; registrations stay as they are."""
        if self.membership is not None:
            self.membership.stop()

    def _join(self, instance: Instance, stop: threading.Event) -> None:
        if stop.is_set():
            return
        config = self._config
        self.instance = instance
        self._log.info("this VM", instance_id=instance.instance_id, region=instance.region)
        cloud = self._cloud = connect(
            config, instance.region, self._log, on_call=self._on_call, awaited=self._awaited
        )
        config = replace(config, groups=tuple(map(self._as_server, config.groups)))
        journal = self._journal = Journal(config.data_dir / FILE_NAME, instance, self._warn)
        membership = Membership(
            config,
            cloud,
            instance,
            journal,
            self._log,
            phase=self._phase(),
            on_step=self._on_step,
            supervisor=self._supervisor,
            clock=self._clock,
        )
        try:
            for spec in config.groups:
                membership.open(spec, Origin.MANIFEST)
            self.dynamic = self._follow_files(config, membership, journal)
            membership.open_journaled(discovery=config.discovery.enabled)
            self._discoverer = self._discover(cloud, membership, instance)
        except BaseException:
            membership.stop()  # the next attempt has workers of its own
            raise
        self.membership = membership
        start = self._supervisor.start
        start("files of co-located jobs", self.dynamic.turn, turn_seconds=TURN_SECONDS)
        if self._discoverer is not None:
            start("discovery", self._discoverer.turn, turn_seconds=TURN_SECONDS)
        self._on_step()

    def _follow_files(
        self, config: Config, membership: Membership, journal: Journal
    ) -> DynamicGroups:
        dynamic = DynamicGroups(
            config.dynamic_config_globs,
            config.port,
            config.health_check,
            self._log,
            resolve=self._as_server,
            name_of=membership.name_of,
            join=lambda spec, path: membership.open(spec, Origin.FILE, path),
            leave=lambda spec: membership.leave(spec, Origin.FILE),
            taken=map(membership.name_of, config.groups),
            known=journal.by_file,
            look_seconds=min(LOOK_SECONDS, config.reconcile_interval_seconds),
            clock=self._clock,
        )
        dynamic.look()
        return dynamic

    def _discover(
        self, cloud: Cloud, membership: Membership, instance: Instance
    ) -> Discoverer | None:
        config, discovery = self._config, self._config.discovery
        if not discovery.enabled:
            return None
        rarest = between_listings(config.fleet_size, discovery.products)
        return Discoverer(
            replace(discovery, interval_seconds=max(discovery.interval_seconds, rarest)),
            instance.region,
            listings(cloud, discovery.products, discovery.tags),
            Chooser(
                discovery,
                config.port,
                config.health_check,
                functools.cache(lambda: self._metadata.get("vpc-id")),
                self._named,
            ),
            self._log,
            join=lambda spec: membership.open(self._as_server(spec), Origin.TAGS),
            leave=lambda spec: membership.leave(spec, Origin.TAGS),
            known=[status.spec for status in membership.statuses if status.origin is Origin.TAGS],
            retry_seconds=max(config.reconcile_interval_seconds, rarest),
            random=Random(),  # noqa: S311 - jitter, not a secret
            awaited=self._awaited,
            awaited_seconds=while_awaited(rarest),
            clock=self._clock,
        )

    def _named(self) -> frozenset[str]:
        of_files = () if self.dynamic is None else self.dynamic.specs
        return named_ids((*self._config.groups, *of_files))

    def _as_server(self, spec: GroupSpec) -> GroupSpec:
        self._supervisor.beat()  # many files may ask for many servers
        return resolved(spec, self._metadata)

    # Who we are

    def _identify(self, stop: threading.Event, patience_seconds: float | None) -> Instance:
        config = self._config
        return identify(
            self._metadata,
            region=config.region,
            instance_id=config.instance_id,
            stop=stop,
            patience_seconds=patience_seconds,
            on_retry=self._still_asking,
            on_remark=self._take_remark,
        )

    def _take_remark(self, text: str) -> None:
        if text != self.remark:
            self._log.warning(text)
        self.remark = text

    @property
    def _patience(self) -> float | None:
        """Without end, unless the configuration alone says who we are."""
        given = self._config.region is not None and self._config.instance_id is not None
        return GIVEN_IDENTITY_SECONDS if given else None

    def _still_asking(self, text: str) -> None:
        """Say why once, however often it is asked again."""
        self._supervisor.beat()
        reason = text.partition(";")[0]
        news = self._error is None or self._error.partition(";")[0] != reason
        self._error = text
        if news:
            self._log.warning(text)

    def _warn(self, text: str) -> None:
        self._error = text
        self._log.warning(text)


def nothing_named(config: Config) -> str:
    """What to say where no server group is known, and none is looked for by tags."""
    globs = ", ".join(config.dynamic_config_globs)
    text = "no server group is named, and discovery.enabled is false"
    return f"{text}; no usable file matches {globs}" if globs else text
