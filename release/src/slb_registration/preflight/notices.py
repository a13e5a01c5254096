"""The warnings of the running agent: each is logged once, and again when it is another one.

Nothing is asked for them: they are made of what the server groups' workers read anyway. Of CLB
that is the third look at its health, within minutes of the start, and then once an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from slb_registration.instance.metadata import Metadata, MetadataError
from slb_registration.instance.own_server import vpc_id
from slb_registration.model.balancer_settings import Settings
from slb_registration.model.configuration import Config, GroupSpec, HealthCheck
from slb_registration.model.status import GroupStatus
from slb_registration.preflight import SettingWarning, memory, ours
from slb_registration.preflight.rules import warnings
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.timestamps import timestamp
from slb_registration.support.threads import reason_of

LOOK_SECONDS = 5.0
"""Nothing is asked, and little is worked out."""

TURN_SECONDS = 3600.0
"""How long a look may take: a disk that hangs is no reason to restart the agent for advice."""

ByGroup = Mapping[str, Sequence[SettingWarning]]


class Watched(Protocol):
    """The worker of a server group."""

    @property
    def spec(self) -> GroupSpec:
        """Return which group it is, and as what this VM is in it."""
        ...

    @property
    def status(self) -> GroupStatus:
        """Return what is known of it."""
        ...

    @property
    def settings(self) -> Settings | None:
        """Return what is set there, as far as it was read in passing."""
        ...


class Notices:
    """Settings that are known to hurt, group by group. One thread looks; all may ask."""

    def __init__(
        self,
        config: Config,
        metadata: Metadata,
        log: EventLog,
        *,
        workers: Callable[[], Iterable[Watched]],
        check_for: Callable[[GroupStatus], HealthCheck | None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`check_for`: how a group's service is checked, None where it is not wanted."""
        self.by_group: ByGroup = {}
        self._config = config
        self._metadata = metadata
        self._log = log
        self._workers = workers
        self._check_for = check_for
        self._wall = wall
        self._vpc = ""
        self._told: frozenset[SettingWarning] = frozenset()
        self._kept: tuple[SettingWarning, ...] | None = None
        self._broken = ""

    def turn(self) -> float:
        """Look; returns the seconds until the next time. What only advises ends no agent."""
        try:
            self._look()
            self._broken = ""
        except Exception as error:  # noqa: BLE001 - told, once
            reason = reason_of(error)
            if reason != self._broken:
                self._broken = reason
                self._log.warning("the settings of load balancers cannot be judged", because=reason)
        return LOOK_SECONDS

    def _look(self) -> None:
        found: dict[str, Sequence[SettingWarning]] = {}
        for worker in self._workers():
            status, settings = worker.status, worker.settings
            check = self._check_for(status)
            if settings is not None and check is not None:
                vpc = self._own_vpc() if settings.vpc_id else ""
                held_against = ours.of(self._config, worker.spec, check, vpc)
                found[status.name] = warnings(status.name, settings, held_against)
        self.by_group = found
        now = tuple(one for some in found.values() for one in some)
        self._tell(now)
        if found:  # not what nobody knows yet
            self._keep(now)

    def _tell(self, now: Iterable[SettingWarning]) -> None:
        for one in now:
            if one not in self._told:
                self._log.warning(
                    "what is set on a load balancer would hurt",
                    code=one.code,
                    group=one.group,
                    listener=one.listener or None,
                    because=one.text,
                    advice=one.advice,
                )
        self._told = frozenset(now)

    def _keep(self, now: tuple[SettingWarning, ...]) -> None:
        if now == self._kept:
            return
        self._kept = now
        try:
            memory.remember(self._config.data_dir, now, timestamp(self._wall()))
        except OSError as error:  # pre-start then tells what there was before
            self._log.warning(
                "warnings cannot be kept for the next pre-start", because=error.strerror
            )

    def _own_vpc(self) -> str:
        """This VM's VPC, empty as long as the metadata service does not tell it."""
        if not self._vpc:
            try:
                self._vpc = vpc_id(self._metadata)
            except MetadataError:
                return ""
        return self._vpc
