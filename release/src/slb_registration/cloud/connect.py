"""From the configuration to a Cloud that calls: where, over which network, and with whose keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aliyunsdkcore.request import RpcRequest

from slb_registration.cloud import ram_role
from slb_registration.cloud.call_counter import CallMade
from slb_registration.cloud.client import Cloud, OnCall
from slb_registration.cloud.credentials import Source, Static
from slb_registration.cloud.credentials_file import CredentialsFile
from slb_registration.cloud.refreshing import RefreshingCredentials
from slb_registration.instance.metadata import Metadata
from slb_registration.model.configuration import Config, CredentialConfig
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.awaited import by_nobody

StsCall = Callable[[Source], Callable[[RpcRequest], Mapping[str, Any]]]
"""Given the keys to sign with, how to call STS."""


def connect(
    config: Config,
    region: str,
    log: EventLog,
    *,
    on_call: OnCall | None = None,
    awaited: Callable[[], bool] = by_nobody,
) -> Cloud:
    """The one way to a Cloud. Nothing is asked of anyone before its first call.

    `awaited`: whether post-start waits for this VM.
    """

    def called(made: CallMade) -> None:
        seconds = None if made.seconds is None else round(made.seconds, 3)
        log.debug("API call", action=made.action, result=made.result, seconds=seconds)
        if on_call is not None:
            on_call(made)

    def cloud(source: Source) -> Cloud:
        return Cloud(
            source,
            region,
            endpoints=config.endpoints.by_product,
            network=config.network,
            ca_bundle=config.ca_bundle,
            on_call=called,
            observes=config.observes,
        )

    return cloud(
        credentials_from(
            config.credentials,
            metadata_of(config),
            lambda source: cloud(source).call,
            log,
            awaited=awaited,
        )
    )


def metadata_of(config: Config) -> Metadata:
    """The metadata service, as the configuration names and trusts it."""
    return Metadata(config.endpoints.metadata, ca_bundle=config.ca_bundle)


def credentials_from(
    config: CredentialConfig,
    metadata: Metadata,
    sts_call: StsCall,
    log: EventLog,
    *,
    awaited: Callable[[], bool] = by_nobody,
) -> Source:
    """The source that `credential_source` names."""
    base = None if config.source == "ecs_ram_role" else _given(config, log)
    if base is None:
        base = RefreshingCredentials(
            ram_role.of_instance(metadata, config.ram_role_name), log, awaited=awaited
        )
    if config.source != "assume_role":
        return base
    return RefreshingCredentials(ram_role.assumed(sts_call(base), config), log, awaited=awaited)


def _given(config: CredentialConfig, log: EventLog) -> Source | None:
    """The keys that stand in the manifest or in a file, None where neither is given."""
    if config.credentials_file is not None:
        return CredentialsFile(config.credentials_file, log)
    return None if config.keys is None else Static(config.keys)
