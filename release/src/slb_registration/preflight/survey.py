"""Surveys the settings of the server groups that the errand reads."""

from __future__ import annotations

import functools
from collections.abc import Callable

from slb_registration.cloud.client import Cloud
from slb_registration.config import job_files
from slb_registration.config.loading import ConfigError
from slb_registration.instance.metadata import Metadata, MetadataError
from slb_registration.instance.own_server import vpc_id, zone_id
from slb_registration.model.balancer_settings import Settings
from slb_registration.model.configuration import Config, GroupIds, GroupSpec, HealthCheck
from slb_registration.model.server_group import ServerGroup
from slb_registration.preflight import SettingWarning, ours, zones
from slb_registration.preflight.rules import warnings

_Key = tuple[GroupIds, int | None]


class Survey:
    """Looks at one server group after the other.

    For each group of CLB it makes one call (DescribeLoadBalancerListeners), once and without
    patience; of ALB and NLB all has been read with the group's health, but for the zones of the
    load balancers: one call for each, where these may hurt (GetLoadBalancerAttribute).
    """

    def __init__(self, config: Config, metadata: Metadata, cloud: Cloud) -> None:
        self.warnings: list[SettingWarning] = []
        self._config = config
        self._checks = _checks_of_files(config)
        self._vpc = functools.cache(lambda: _best_effort(vpc_id, metadata))
        self._zone = functools.cache(lambda: _best_effort(zone_id, metadata))
        self._zones = zones.Zones(cloud)

    def look(self, spec: GroupSpec, group: ServerGroup) -> None:
        """Note what would hurt. To be called when the health of the group was read."""
        settings = group.settings(ask=True)
        if settings is None:
            return
        vpc = self._vpc() if settings.vpc_id else ""
        check = self._check_for(spec)
        zone = self._zone() if self._zone_counts(spec, settings) else ""
        if zone:
            settings = self._zones.added(spec.product, settings)
        held_against = ours.of(self._config, spec, check, vpc, zone)
        self.warnings += warnings(group.name, settings, held_against)

    def _check_for(self, spec: GroupSpec) -> HealthCheck:
        """Return how the agent checks the service behind a group."""
        config = self._config
        by_file = self._checks.get((spec.group_ids, spec.port))
        return by_file or config.health_check.of(spec, config.port)

    def _zone_counts(self, spec: GroupSpec, settings: Settings) -> bool:
        """An address may be anywhere, and a VM that is in no group itself needs no node."""
        is_here = self._config.register and spec.server_type != "ip"
        return is_here and zones.matter(spec.product, settings)


def _checks_of_files(config: Config) -> dict[_Key, HealthCheck]:
    """The checks of the groups that co-located jobs' files ask for, and the manifest does not."""
    checks: dict[_Key, HealthCheck] = {}
    globs = config.dynamic_config_globs
    for _, found in job_files.read_all(globs, config.port, config.health_check):
        if not isinstance(found, ConfigError):
            check = found.health_check or config.health_check
            for spec in found.groups:  # the first file to name one counts
                checks.setdefault((spec.group_ids, spec.port), check.of(spec, found.port))
    for spec in config.groups:  # the manifest comes first
        checks.pop((spec.group_ids, spec.port), None)
    return checks


def _best_effort(ask: Callable[[Metadata], str], metadata: Metadata) -> str:
    """Return what is asked for, empty where the metadata service does not tell it."""
    try:
        return ask(metadata)
    except MetadataError:
        return ""
