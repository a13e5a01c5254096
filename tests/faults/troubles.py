"""Every fault of the matrix: how it begins, what it is told as, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.faults.stage import ROLE, Stage
from tests.faults.wire import REFUSED, WRONG_NAME
from tests.unit.driver import ACCESS_KEY, SECRET_KEY

from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Delay, Effect, Refuse, Reply, Reset, Rule

API = "[A-Z]*"  # every action, and none of the metadata service's
WRITES = ("Add*", "Set*", "Update*", "Remove*")
READS = ("Describe*", "List*", "Get*")


@dataclass(frozen=True)
class Trouble:
    """One fault. `told`: what the operator reads of it, as a pattern; None for one that may do no
    harm, or not everywhere.

    `role`: the VM signs with the keys of a role, which its metadata service hands out. `alone`: it
    is the only server of its groups. `borne`: it may last for ever, all is done in spite of it.
    `phases`, `kinds`: where it is played, all of them where none are named.
    """

    name: str
    begin: Callable[[Stage], None]
    told: str | None
    role: bool = False
    alone: bool = False
    borne: bool = False
    phases: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def lift(stage: Stage) -> None:
    """All is well again."""
    account = stage.account
    stage.gateway.faults.clear()
    stage.wire.trouble = None
    account.clock_offset_seconds = 0.0
    account.read_lag_seconds = 0.0
    for product, action in QUOTAS:
        account.quotas.set(product, action, None)
    if account.key(ACCESS_KEY) is None or account.key(ACCESS_KEY).secret != SECRET_KEY:
        account.add_key(ACCESS_KEY, SECRET_KEY)
    account.metadata_mode = "both"
    stage.free_address()
    for spec in (stage.first, stage.second):
        if stage.kind.takes_time:
            group: Any = stage.group_of(spec)
            group.keep_busy(0.0)
            group.lingering, group.jobs_are_stuck = None, False


def rules(*rules: Rule) -> Callable[[Stage], None]:
    def begin(stage: Stage) -> None:
        for rule in rules:
            stage.gateway.faults.add(rule)

    return begin


def on(actions: Iterable[str], effect: Effect, **fields: object) -> Callable[[Stage], None]:
    return rules(*(Rule(effect, action=one, **fields) for one in actions))  # type: ignore[arg-type]


def _refused(code: str, status: int = 400, actions: Iterable[str] = (API,), **fields: object):
    return on(actions, Refuse(code, status), **fields)


def _busy(stage: Stage) -> None:
    """Another change of the load balancer, or of the group, is under way."""
    if stage.kind.takes_time:
        for spec in (stage.first, stage.second):
            stage.group_of(spec).keep_busy(60.0)  # type: ignore[union-attr]
    else:
        _refused("BackendServer.configuring", 409, WRITES)(stage)


QUOTAS = tuple(
    (product, action)
    for product, actions in (
        ("slb", ("DescribeLoadBalancerAttribute", "DescribeVServerGroupAttribute")),
        ("slb", ("AddBackendServers", "SetBackendServers", "RemoveBackendServers")),
        ("slb", ("AddVServerGroupBackendServers", "SetVServerGroupAttribute")),
        ("slb", ("RemoveVServerGroupBackendServers",)),
        ("alb", ("ListServerGroupServers", "AddServersToServerGroup")),
        ("alb", ("UpdateServerGroupServersAttribute", "RemoveServersFromServerGroup")),
        ("nlb", ("ListServerGroupServers", "AddServersToServerGroup")),
        ("nlb", ("UpdateServerGroupServersAttribute", "RemoveServersFromServerGroup")),
    )
    for action in actions
)


def _no_quota(stage: Stage) -> None:
    """The rest of the account has used it up; what flows back is 2 calls a minute."""
    for product, action in QUOTAS:
        stage.account.quotas.set(product, action, 2.0)
        while stage.account.quotas.try_take(product, action, stage.account.region):
            pass


def _wire(trouble: str) -> Callable[[Stage], None]:
    def begin(stage: Stage) -> None:
        stage.wire.trouble = trouble

    return begin


def _clock(seconds: float) -> Callable[[Stage], None]:
    def begin(stage: Stage) -> None:
        stage.account.clock_offset_seconds = seconds

    return begin


def _lag(stage: Stage) -> None:
    stage.account.read_lag_seconds = 7.0


def _failing_jobs(stage: Stage) -> None:
    """A change is accepted and comes to nothing; where changes are made at once, it fails."""
    if stage.kind.product == "nlb":
        for spec in (stage.first, stage.second):
            stage.group_of(spec).fail_next_change()  # type: ignore[union-attr]
    else:
        _refused("InternalError", 500, WRITES, times=1)(stage)


def _key_removed(stage: Stage) -> None:
    stage.account.remove_key(ACCESS_KEY)


def _key_rotated(stage: Stage) -> None:
    stage.account.add_key(ACCESS_KEY, f"not{SECRET_KEY}")


def _keys_expired(stage: Stage) -> None:
    """The keys of the role have expired, and what hands out new ones is gone."""
    for key in stage.account.access_keys():
        if key.security_token is not None:
            stage.account.keys.remove(key.id)
    for role in stage.account.keys.roles():
        stage.account.keys.remove_role(role.name)
        stage.account.add_role(ROLE, lifetime_seconds=900.0)
    stage.gateway.faults.add(preset("metadata_gone"))


def _tokens_expired(stage: Stage) -> None:
    """Every call is refused for its token, whatever keys are got."""
    _refused("InvalidSecurityToken.Expired")(stage)


def _preset(name: str) -> Callable[[Stage], None]:
    return rules(preset(name, API))


def _mixed(stage: Stage) -> None:
    """A bad day: of everything something, some of the time."""
    for effect, after in (
        (Reset(), False),
        (Reset(), True),
        (Refuse("ServiceUnavailable", 503), False),
        (Refuse("InternalError", 500), True),
        (Refuse("Throttling.User", 400), False),
        (Reply(502, b"<html>"), False),
        (Delay(12.0), False),
    ):
        rule = Rule(effect, action=API, probability=0.1, after_change=after)
        stage.gateway.faults.add(rule)


JSON = "application/json"
TROUBLES = (
    # What the API says
    Trouble("throttled", _preset("throttled"), "Throttling.User"),
    Trouble("no quota left", _no_quota, "Throttling"),
    Trouble("busy", _busy, None),
    Trouble("conflicting operation", _refused("OperationConflict", 400, WRITES), "Conflict"),
    Trouble("503", _preset("unavailable"), "ServiceUnavailable"),
    Trouble("internal error", _refused("InternalError", 500), "InternalError"),
    Trouble(
        "internal error after the change",
        _refused("InternalError", 500, WRITES, after_change=True),
        "InternalError",
    ),
    Trouble("job fails", _failing_jobs, None),
    Trouble("instance not running", _refused("ObtainIpFail", 400, ("Add*",)), None),
    Trouble("forbidden", _preset("forbidden"), "to the RAM policy"),
    Trouble("forbidden writes", _refused("Forbidden.RAM", 403, WRITES), "to the RAM policy"),
    Trouble("forbidden reads", _refused("Forbidden.RAM", 403, READS), "to the RAM policy"),
    Trouble("not found", _refused("InvalidLoadBalancerId.NotFound", 404), "check the id"),
    Trouble("a code not known", _refused("Novel.Refusal", 400), "Novel.Refusal"),
    # Keys and clocks
    Trouble("key removed", _key_removed, "check access_key and secret_key"),
    Trouble("key rotated", _key_rotated, "check access_key and secret_key"),
    Trouble("token expired", _tokens_expired, "InvalidSecurityToken.Expired"),
    Trouble("role's token expired", _tokens_expired, "InvalidSecurityToken.Expired", role=True),
    Trouble(
        "keys expired, metadata gone", _keys_expired, "metadata service|KeyId.NotFound", role=True
    ),
    Trouble("clock ahead", _clock(-3600.0), "fix NTP"),
    Trouble("clock behind", _clock(3600.0), "fix NTP"),
    # What the network makes of it
    Trouble("HTML with 502", _preset("bad_gateway"), "no error of the API"),
    Trouble("HTML with 200", on([API], Reply(200, b"<html>login</html>")), "cannot be read"),
    Trouble("empty answer", _preset("empty"), "cannot be read"),
    Trouble("cut answer", _preset("truncated"), "cannot be read"),
    Trouble("no UTF-8", _preset("not_utf8"), "cannot be read"),
    Trouble("an answer without content", on([API], Reply(200, b"{}", JSON)), None),
    Trouble("reset", _preset("reset"), "NoAnswer"),
    Trouble("answers lost after the change", on(WRITES, Reset(), after_change=True), "NoAnswer"),
    Trouble("all answers lost", on([API], Reset(), after_change=True), "NoAnswer"),
    Trouble("slow", on([API], Delay(4.0)), None),
    Trouble("too slow", on([API], Delay(60.0)), "no answer within"),
    Trouble("port closed", _wire(REFUSED), "refuses connections"),
    Trouble("TLS with the wrong name", _wire(WRONG_NAME), "certificate is for another name"),
    Trouble("stale reads", _lag, None),
    Trouble("a bad day", _mixed, None),
    # The metadata service, where keys come from it
    Trouble("metadata gone", rules(preset("metadata_gone")), None, role=True),
    Trouble("metadata slow", on(["metadata:*"], Delay(30.0)), None, role=True),
    Trouble("metadata without token", rules(preset("no_token_endpoint")), None, role=True),
)
