"""What the errand has to say of the settings of the server groups that it reads."""

from __future__ import annotations

import functools

from slb_registration import dynamic_config
from slb_registration.config import Config, ConfigError, GroupSpec
from slb_registration.config_types import GroupIds, HealthCheck
from slb_registration.instance import Metadata, MetadataError
from slb_registration.own_server import vpc_id
from slb_registration.preflight import SettingWarning, ours
from slb_registration.preflight.rules import warnings
from slb_registration.server_groups import ServerGroup

_Key = tuple[GroupIds, int | None]


class Survey:
    """Looks at one server group after the other.

    For each group of CLB it makes one call (DescribeLoadBalancerListeners), once and without
    patience; of ALB and NLB all has been read with the group's health.
    """

    def __init__(self, config: Config, metadata: Metadata) -> None:
        self.warnings: list[SettingWarning] = []
        self._config = config
        self._checks = _checks_of_files(config)
        self._vpc = functools.cache(lambda: _vpc(metadata))

    def look(self, spec: GroupSpec, group: ServerGroup) -> None:
        """Note what would hurt. To be called when the health of the group was read."""
        settings = group.settings(ask=True)
        if settings is None:
            return
        vpc = self._vpc() if settings.vpc_id else ""
        check = self._checks.get((spec.group_ids, spec.port))
        held_against = ours.of(self._config, spec, check, vpc)
        self.warnings += warnings(group.name, settings, held_against)


def _checks_of_files(config: Config) -> dict[_Key, HealthCheck]:
    """The checks that co-located jobs' files name, by the groups that they ask for."""
    checks: dict[_Key, HealthCheck] = {}
    globs = config.dynamic_config_globs
    for _, found in dynamic_config.read_all(globs, config.port, config.health_check):
        if not isinstance(found, ConfigError) and found.health_check is not None:
            for spec in found.groups:
                checks.setdefault((spec.group_ids, spec.port), found.health_check)
    for spec in config.groups:  # the manifest comes first
        checks.pop((spec.group_ids, spec.port), None)
    return checks


def _vpc(metadata: Metadata) -> str:
    """This VM's VPC, empty where the metadata service does not tell it."""
    try:
        return vpc_id(metadata)
    except MetadataError:
        return ""
