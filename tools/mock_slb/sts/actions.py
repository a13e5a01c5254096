"""STS (Sts 2015-04-01): a role is assumed, and keys come back that are good for a while."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mock_slb.core.base import BaseAccount
from mock_slb.core.digits import whole_number
from mock_slb.core.errors import ApiError
from mock_slb.core.keys import DEFAULT_DURATION_SECONDS, MIN_DURATION_SECONDS, Role
from mock_slb.core.moments import utc

VERSION = "2015-04-01"
ROLE_ID = "344584339364951186"
SESSION_NAME = re.compile(r"[A-Za-z0-9.@_\-]{2,64}")
ROLE_ARN = re.compile(r"acs:ram::[0-9]+:role/[^/]+", re.IGNORECASE)

Params = Mapping[str, str]
Answer = dict[str, object]


def assume_role(account: BaseAccount, params: Params) -> Answer:
    """AssumeRole: short-lived keys of a role."""
    session = params["RoleSessionName"]
    if not SESSION_NAME.fullmatch(session):
        raise _malformed("RoleSessionName")
    if not ROLE_ARN.fullmatch(params["RoleArn"]):
        raise _malformed("RoleArn")
    role = _role(account, params["RoleArn"])
    seconds = _duration(params, role)
    key = account.keys.issue(seconds)
    return {
        "AssumedRoleUser": {
            "Arn": f"{role.arn}/{session}",
            "AssumedRoleId": f"{ROLE_ID}:{session}",
        },
        "Credentials": {
            "AccessKeyId": key.id,
            "AccessKeySecret": key.secret,
            "SecurityToken": key.security_token,
            "Expiration": utc(account.now() + seconds),
        },
    }


def get_caller_identity(account: BaseAccount, params: Params) -> Answer:
    """GetCallerIdentity: a user for a long-lived key, an assumed role for a short-lived one."""
    key = account.keys.get(params["AccessKeyId"])
    if key is None or key.security_token is None:
        return {
            "IdentityType": "RAMUser",
            "AccountId": account.id,
            "UserId": "216959339000000001",
            "PrincipalId": "216959339000000001",
            "Arn": f"acs:ram::{account.id}:user/mocked",
        }
    return {
        "IdentityType": "AssumedRoleUser",
        "AccountId": account.id,
        "RoleId": ROLE_ID,
        "PrincipalId": f"{ROLE_ID}:mocked",
        "Arn": f"acs:ram::{account.id}:assumed-role/mocked/mocked",
    }


ACTIONS: Mapping[str, Callable[[BaseAccount, Params], Answer]] = {
    "AssumeRole": assume_role,
    "GetCallerIdentity": get_caller_identity,
}


def _role(account: BaseAccount, arn: str) -> Role:
    for role in account.keys.roles():
        if role.arn.lower() == arn.lower():
            return role
    raise ApiError("EntityNotExist.Role", "The specified Role not exists .", 404)


def _duration(params: Params, role: Role) -> int:
    text = params.get("DurationSeconds", str(DEFAULT_DURATION_SECONDS))
    seconds = whole_number(text) or 0
    if not MIN_DURATION_SECONDS <= seconds <= role.max_session_seconds:
        raise ApiError(
            "InvalidParameter.DurationSeconds",
            f"The Min/Max value of DurationSeconds is 15min/{role.max_session_seconds // 3600}hr.",
        )
    return seconds


def _malformed(name: str) -> ApiError:
    return ApiError(f"InvalidParameter.{name}", f"The parameter {name} is wrongly formed.")
