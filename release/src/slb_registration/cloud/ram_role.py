"""Keys of a RAM role: of the one attached to this instance, or of one that STS lets us assume."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aliyunsdkcore.request import RpcRequest

from slb_registration.cloud.credentials import Credentials, CredentialsError
from slb_registration.cloud.refreshing import Fetch, Issued
from slb_registration.instance.metadata import Metadata, MetadataError
from slb_registration.model.configuration import CredentialConfig
from slb_registration.model.errors import ApiError
from slb_registration.support.json_objects import object_or_none
from slb_registration.support.logs.timestamps import seconds_at

_PATH = "ram/security-credentials/"
_ROLE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[!-~]{1,8192}")
_NOT_FOUND = 404


def of_instance(metadata: Metadata, role_name: str | None) -> Fetch:
    """Get the keys of the role attached to the instance; without a name, that of the only one."""

    def fetch() -> Issued:
        name = role_name or _attached(metadata)
        text = _ask(metadata, _PATH + name, f"attach the RAM role {name} to this instance")
        where = f"metadata service {metadata.endpoint}"
        answer = object_or_none(text)
        if answer is None:
            raise CredentialsError(f"{where}: what it says of the role {name} is no JSON object")
        code = answer.get("Code")
        if code != "Success":
            shown = code if isinstance(code, str) and _ROLE_NAME.fullmatch(code) else "no success"
            reason = f"{where}: answers {shown} for the keys of the role {name}"
            raise CredentialsError(reason, lasting=True)
        return _issued(answer, where)

    return fetch


def assumed(call: Callable[[RpcRequest], Mapping[str, Any]], config: CredentialConfig) -> Fetch:
    """Get keys from STS AssumeRole (2015-04-01). `call` signs with the keys that may assume it."""

    def fetch() -> Issued:
        try:
            answer = call(_assume_role(config))
        except ApiError as error:
            raise CredentialsError(str(error), lasting=error.barred) from None
        keys = answer.get("Credentials")
        if not isinstance(keys, dict):
            raise CredentialsError("AssumeRole: the answer lacks Credentials")
        return _issued(keys, "AssumeRole")

    return fetch


def _assume_role(config: CredentialConfig) -> RpcRequest:
    # The one action of STS that we need is no reason to carry its SDK.
    request = RpcRequest("Sts", "2015-04-01", "AssumeRole", "sts")
    request.set_method("POST")
    request.add_query_param("RoleArn", config.role_arn)
    request.add_query_param("RoleSessionName", config.session_name)
    request.add_query_param("DurationSeconds", config.duration_seconds)
    return request


def _attached(metadata: Metadata) -> str:
    advice = "attach a RAM role to this instance, or choose another credential_source"
    lines = _ask(metadata, _PATH, advice).split()
    if not lines:
        reason = f"metadata service {metadata.endpoint}: names no RAM role; {advice}"
        raise CredentialsError(reason, lasting=True)
    if not _ROLE_NAME.fullmatch(lines[0]):
        raise CredentialsError(
            f"metadata service {metadata.endpoint}: answers something that is no role's name"
        )
    return lines[0]


def _ask(metadata: Metadata, path: str, advice: str) -> str:
    try:
        return metadata.get(path)
    except MetadataError as error:
        missing = error.status == _NOT_FOUND
        hint = f": {advice}" if missing else ""
        raise CredentialsError(f"{error}{hint}", lasting=missing) from None


def _issued(keys: Mapping[str, object], where: str) -> Issued:
    """Read what both issuers answer; a message names the field, and never what is in it."""
    found = []
    for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken"):
        value = keys.get(name)
        if not isinstance(value, str) or not _KEY.fullmatch(value):
            raise CredentialsError(f"{where}: the answer has no usable {name}")
        found.append(value)
    try:
        ends = seconds_at(str(keys.get("Expiration")))
    except ValueError:
        raise CredentialsError(f"{where}: the answer has no usable Expiration") from None
    return Issued(Credentials(*found), ends)
