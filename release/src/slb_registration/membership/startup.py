"""Finds out which instance this VM is, and its server groups: by manifest, files, tags and
journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from slb_registration.cloud.client import OnCall
from slb_registration.cloud.connect import metadata_of
from slb_registration.cloud.credentials import CredentialsState
from slb_registration.discovery.discoverer import Discoverer
from slb_registration.discovery.job_file_groups import JobFileGroups
from slb_registration.discovery.selection import Choice, tags_text
from slb_registration.instance.identification import Identification
from slb_registration.instance.journal_file import FILE_NAME, unconfirmed
from slb_registration.instance.metadata import Instance
from slb_registration.membership.groups import Groups
from slb_registration.membership.opening import Opened, Surroundings, opened
from slb_registration.model.configuration import Config, HealthCheck
from slb_registration.model.desired import Phase
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.pacing.backoff import RECHECK_SECONDS
from slb_registration.preflight import notices
from slb_registration.preflight.notices import Notices
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.awaited import by_nobody
from slb_registration.support.supervision.supervisor import Supervisor

TURN_SECONDS = 120.0
"""How long joining, files and discovery may go without a sign: longer than any one call takes. They
give one at each call (Supervisor.beat)."""


class Startup:
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
        """`phase`: that of now, which groups begin with. `on_step` as of Groups.

        `awaited`: whether post-start waits for this VM.
        """
        self.instance: Instance | None = None
        self._config = config
        self._log = log
        self._phase = phase
        self._metadata = metadata_of(config)
        self._around = Surroundings(
            config, self._metadata, log, on_call, on_step, supervisor, awaited, clock
        )
        self._identification = Identification(config, self._metadata, log, beat=supervisor.beat)
        self._opened: Opened | None = None
        self.notices = Notices(
            config,
            self._metadata,
            log,
            workers=lambda: () if self.membership is None else self.membership.workers,
            check_for=self.check_for,
        )

    # What is known

    @property
    def remark(self) -> str | None:
        """Return what may be a mistake, and is done all the same."""
        return self._identification.remark

    @property
    def membership(self) -> Groups | None:
        """The server groups, None as long as it is not known who this VM is."""
        return None if self._opened is None else self._opened.membership

    @property
    def dynamic(self) -> JobFileGroups | None:
        """Return what follows the files of co-located jobs."""
        return None if self._opened is None else self._opened.files

    @property
    def complete(self) -> bool:
        """Return whether every server group that this VM may be in is known."""
        if self._opened is None:
            return False
        return self._discoverer is None or self._discoverer.looked

    @property
    def barred(self) -> bool:
        """Return whether only a person can let the server groups be known that are not, and this VM
        was never seen registered in any: there is nothing that a drain could take out."""
        if self.complete:
            return False
        if self._opened is None:
            path = self._config.data_dir / FILE_NAME  # which is read only where it matters
            return self._identification.mistaken and unconfirmed(path) is not None
        known = self._discoverer is not None and self._discoverer.barred
        return known and not self._opened.journal.ever_confirmed

    @property
    def statuses(self) -> tuple[GroupStatus, ...]:
        """Return what is known of every group."""
        return () if self._opened is None else self._opened.statuses(self._phase())

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return what was found by its tags."""
        return () if self._discoverer is None else self._discoverer.choices

    @property
    def credentials(self) -> CredentialsState:
        """Return what is known of the keys in use."""
        return (
            CredentialsState() if self._opened is None else self._opened.cloud.credentials_state()
        )

    @property
    def error(self) -> str | None:
        """Return what hinders joining."""
        if self._opened is None:
            return self._identification.error
        discoverer, joined = self._discoverer, self._joined
        if discoverer is None:
            return None if joined else nothing_named(self._config)
        parts = (discoverer.error, None if joined else discoverer.left_out)
        return "; ".join(filter(None, parts)) or None

    @property
    def needs_repair(self) -> bool:
        """Return whether no server group will ever be joined unless a person mends something."""
        if self._opened is None or self._joined:
            return self._identification.mistaken
        if self._discoverer is not None:
            return self._discoverer.needs_repair
        bad = any(state.problem for state, _ in self._opened.files.files)
        return bad or not self._config.dynamic_config_globs

    @property
    def under_way(self) -> str | None:
        """Return what has to be known before a server group is, None where that is known."""
        discoverer = self._discoverer
        if self._opened is None:
            return f"asking the metadata service {self._metadata.endpoint} who this VM is"
        if self._joined or discoverer is None or discoverer.looked:
            return None
        return f"looking for what carries the tags {tags_text(self._config.discovery)}"

    @property
    def _discoverer(self) -> Discoverer | None:
        return None if self._opened is None else self._opened.discoverer

    @property
    def _joined(self) -> bool:
        return any(status.origin is not Origin.DROPPED for status in self.statuses)

    def check_for(self, status: GroupStatus) -> HealthCheck | None:
        """Return how the service behind a group is checked; None where it is not, or that is
        unknown."""
        if status.origin is Origin.DROPPED:
            return None
        if status.file is not None and self.dynamic is not None:
            return self.dynamic.check_for(Path(status.file), status.spec)
        return self._config.health_check.of(status.spec, self._config.port)

    # Startup

    def turn(self, stop: threading.Event) -> float | None:
        """Join once it is known who we are: None. Where a person must mend something, the seconds
        until it is looked at again, which is seldom."""
        instance = self._identification.ask(stop)
        if instance is not None:
            self._join(instance, stop)
            self._around.supervisor.start(
                "settings", self.notices.turn, turn_seconds=notices.TURN_SECONDS
            )
        elif not stop.is_set():
            return RECHECK_SECONDS
        return None

    def for_drain(self, stop: threading.Event, patience_seconds: float) -> None:
        """Join to leave. Raises IdentityError and MetadataError."""
        self._join(self._identification.ask_to_leave(stop, patience_seconds), stop)

    def look_again(self) -> None:
        """Find out anew what only a person could mend: it may have been mended."""
        if self._discoverer is not None:
            self._discoverer.look_again()

    def close(self) -> None:
        """End what was begun; registrations stay as they are."""
        if self._opened is not None:
            self._opened.membership.stop()

    def _join(self, instance: Instance, stop: threading.Event) -> None:
        if stop.is_set():
            return
        self.instance = instance
        self._log.info("this VM", instance_id=instance.instance_id, region=instance.region)
        self._opened = opened(self._around, instance, self._phase())
        for name, turn in self._opened.turns:
            self._around.supervisor.start(name, turn, turn_seconds=TURN_SECONDS)
        self._around.on_step()


def nothing_named(config: Config) -> str:
    """Return what to say where no server group is known, and none is looked for by tags."""
    globs = ", ".join(config.dynamic_config_globs)
    text = "no server group is named, and discovery.enabled is false"
    return f"{text}; no usable file matches {globs}" if globs else text
