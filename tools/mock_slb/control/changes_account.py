"""Changes by the control API that concern the account, its instances and its keys."""

from __future__ import annotations

from mock_slb.alb_nlb.errors import ADDRESS_CODES
from mock_slb.clb.errors import ADDRESS_CODE
from mock_slb.core.base import METADATA_MODES
from mock_slb.core.fields import Fields, InputError
from mock_slb.core.resources import ABNORMAL, NORMAL, UNAVAILABLE, EcsAccess
from mock_slb.gateway.gateway import Gateway
from mock_slb.gateway.known_actions import action_of_product

MANY = 1_000_000_000
Result = dict[str, object]
NO_RESULT: Result = {}


def add_instance(gateway: Gateway, fields: Fields) -> Result:
    """{id, host?, ports?, running?, self?}: start an instance."""
    id_ = fields.text("id")
    host, ports = fields.text("host", "127.0.0.1"), fields.ports("ports")
    running, is_self = fields.flag("running", True), fields.flag("self", False)
    fields.done()
    try:
        gateway.account.add_instance(id_, host=host, ports=ports, running=running, is_self=is_self)
    except ValueError as error:
        raise InputError(str(error)) from None
    return NO_RESULT


def set_running(gateway: Gateway, fields: Fields) -> Result:
    """{id, running}: stop or start an instance."""
    id_, running = fields.text("id"), fields.flag("running")
    fields.done()
    gateway.account.set_running(id_, running)
    return NO_RESULT


def release_instance(gateway: Gateway, fields: Fields) -> Result:
    """{id}: delete an instance, as BOSH does when it replaces a VM."""
    id_ = fields.text("id")
    fields.done()
    gateway.account.release_instance(id_)
    return NO_RESULT


def force_health(gateway: Gateway, fields: Fields) -> Result:
    """{server_id, status}: report this health whatever the probes say; status `probe` ends it."""
    server_id = fields.text("server_id")
    status = fields.choice("status", (NORMAL, ABNORMAL, UNAVAILABLE, "probe"))
    fields.done()
    gateway.account.force_health(server_id, None if status == "probe" else status)
    return NO_RESULT


def set_metadata(gateway: Gateway, fields: Fields) -> Result:
    """{mode?, self?}: the metadata service's protocol, and the instance it answers for."""
    mode = fields.choice("mode", METADATA_MODES, gateway.account.metadata_mode)
    self_id = fields.optional_text("self")
    fields.done()
    gateway.account.metadata_mode = mode
    if self_id is not None:
        gateway.account.set_self(self_id)
    return NO_RESULT


def add_role(gateway: Gateway, fields: Fields) -> Result:
    """{name, on_instances?, lifetime?, max_session?}: make a RAM role; the answer has its ARN."""
    name, on_instances = fields.text("name"), fields.flag("on_instances", True)
    lifetime = fields.number("lifetime", 6 * 3600.0)
    max_session = fields.whole("max_session", 3600, low=3600, high=43_200)
    fields.done()
    role = gateway.account.add_role(
        name,
        on_instances=on_instances,
        lifetime_seconds=lifetime,
        max_session_seconds=max_session,
    )
    return {"arn": role.arn}


def remove_role(gateway: Gateway, fields: Fields) -> Result:
    """{name}: delete a RAM role; keys already given out stay good until they expire."""
    name = fields.text("name")
    fields.done()
    gateway.account.keys.remove_role(name)
    return NO_RESULT


def add_key(gateway: Gateway, fields: Fields) -> Result:
    """{id, secret, security_token?, lifetime?}: accept calls signed with this key.

    The same id again rotates it; with a lifetime of 0 it has expired.
    """
    id_, secret = fields.text("id"), fields.text("secret")
    token, lifetime = fields.optional_text("security_token"), fields.optional_number("lifetime")
    fields.done()
    expires_at = None if lifetime is None else gateway.account.now() + lifetime
    gateway.account.add_key(id_, secret, security_token=token, expires_at=expires_at)
    return NO_RESULT


def remove_key(gateway: Gateway, fields: Fields) -> Result:
    """{id}: accept no more calls signed with this key."""
    id_ = fields.text("id")
    fields.done()
    gateway.account.remove_key(id_)
    return NO_RESULT


def set_clock(gateway: Gateway, fields: Fields) -> Result:
    """{ahead_seconds?, behind_seconds?}: let the servers' clock differ from everyone else's."""
    ahead, behind = fields.number("ahead_seconds", 0.0), fields.number("behind_seconds", 0.0)
    fields.done()
    gateway.account.clock_offset_seconds = ahead - behind
    return NO_RESULT


def set_quota(gateway: Gateway, fields: Fields) -> Result:
    """{product, action, per_minute?} limits one action, or lifts the limit without a number;
    {published: true} limits all that are known."""
    quotas = gateway.account.quotas
    if fields.flag("published", False):
        fields.done()
        with gateway.account.lock:
            quotas.set_published()
        return NO_RESULT
    product, action = action_of_product(fields)
    per_minute = fields.optional_number("per_minute", high=MANY)
    fields.done()
    with gateway.account.lock:
        quotas.set(product, action, per_minute)
    return NO_RESULT


def set_read_lag(gateway: Gateway, fields: Fields) -> Result:
    """{seconds}: how old the answers to Describe, List and Get calls are."""
    seconds = fields.number("seconds")
    fields.done()
    gateway.account.read_lag_seconds = seconds
    return NO_RESULT


def set_address_taken(gateway: Gateway, fields: Fields) -> Result:
    """{taken, code?}: whether a server may be added whose address another entry of the group has
    (`accept` or `refuse`), and what it is refused with."""
    taken = fields.choice("taken", ("accept", "refuse"))
    codes = [ADDRESS_CODE, *(code for codes in ADDRESS_CODES.values() for code in codes)]
    code = fields.choice("code", tuple(dict.fromkeys(codes))) if "code" in fields else None
    fields.done()
    gateway.account.address_taken, gateway.account.address_code = taken, code
    return NO_RESULT


def set_ecs_access(gateway: Gateway, fields: Fields) -> Result:
    """{denied?, hidden?}: what the RAM policy lets ECS list: nothing, or all but these instances.

    No call is refused for that: the answer lacks them.
    """
    denied, hidden = fields.flag("denied", False), frozenset(fields.names("hidden"))
    fields.done()
    gateway.account.ecs_access = EcsAccess(denied, hidden)
    return NO_RESULT
