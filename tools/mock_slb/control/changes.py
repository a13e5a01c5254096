"""Changes from outside, by the control API or at start: each takes the fields of an object.

Raises InputError for fields that are wrong, KeyError for an id that is not in the account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mock_slb.account.account import Account
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.group import ServerGroup as AlbNlbGroup
from mock_slb.alb_nlb.resources import DRAINING, REMOVING
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.control import changes_account as of_account
from mock_slb.control import changes_line as of_line
from mock_slb.control import changes_servers as of_servers
from mock_slb.control.changes_account import NO_RESULT, Result
from mock_slb.core.errors import ApiError
from mock_slb.core.fields import Fields, InputError
from mock_slb.core.resources import EcsAccess
from mock_slb.gateway.fault_presets import preset, read_rule
from mock_slb.gateway.gateway import Gateway


def set_tags(gateway: Gateway, fields: Fields) -> Result:
    """{load_balancer_id or group, tags?, remove?}: tag a load balancer, or an ALB or NLB group."""
    account = gateway.account
    thing: AlbNlbGroup | LoadBalancer | Balancer
    if "group" in fields:
        thing = of_servers.alb_nlb_group(account, fields.text("group"))
    else:
        thing = _balancer(account, fields.text("load_balancer_id"))
    tags, remove = fields.texts("tags"), fields.names("remove")
    fields.done()
    thing.set_tags(tags, remove=remove)
    return NO_RESULT


def keep_group_busy(gateway: Gateway, fields: Fields) -> Result:
    """{group, seconds}: another change is under way for so long.

    An ALB or NLB group is Configuring; writes to a group of a CLB are refused.
    """
    group, seconds = of_servers.group_of(gateway.account, fields), fields.number("seconds")
    fields.done()
    if isinstance(group, AlbNlbGroup):
        group.keep_busy(seconds)
        return NO_RESULT
    name = "LoadBalancerId" if group.id in gateway.account.load_balancers else "VServerGroupId"
    for action in ("Add*", "Set*", "Modify*", "Remove*"):
        busy = preset("busy", action, match={name: group.id})
        gateway.faults.add(replace(busy, lasts=seconds))
    return NO_RESULT


def fail_next_change(gateway: Gateway, fields: Fields) -> Result:
    """{group, code?, message?}: the job of the next change of an ALB or NLB group fails."""
    group = of_servers.alb_nlb_group(gateway.account, fields.text("group"))
    code = fields.text("code", "InternalError")
    message = fields.text("message", "The job was made to fail.")
    fields.done()
    group.fail_next_change(code, message)
    return NO_RESULT


def let_servers_linger(gateway: Gateway, fields: Fields) -> Result:
    """{group, seconds, status?}: servers of an ALB or NLB group that are removed from now on stay
    listed for so long, as Draining or Removing; 0 seconds end that."""
    group = of_servers.alb_nlb_group(gateway.account, fields.text("group"))
    status = fields.choice("status", (DRAINING, REMOVING), DRAINING)
    seconds = fields.number("seconds")
    fields.done()
    group.lingering = (status, seconds) if seconds > 0 else None
    return NO_RESULT


def let_jobs_be_stuck(gateway: Gateway, fields: Fields) -> Result:
    """{group, stuck?}: jobs of an ALB or NLB group say Processing for ever, though what they are
    about is done; jobs that have begun stay as they are."""
    group = of_servers.alb_nlb_group(gateway.account, fields.text("group"))
    stuck = fields.flag("stuck", True)
    fields.done()
    group.jobs_are_stuck = stuck
    return NO_RESULT


def set_change_seconds(gateway: Gateway, fields: Fields) -> Result:
    """{seconds}: how long changes of ALB and NLB groups take."""
    seconds = fields.number("seconds")
    fields.done()
    gateway.account.change_seconds = seconds
    return NO_RESULT


def add_fault(gateway: Gateway, fields: Fields) -> Result:
    """A fault rule, see fault_presets.read_rule; the answer has its id."""
    return {"id": gateway.faults.add(read_rule(fields))}


def heal(gateway: Gateway, fields: Fields) -> Result:
    """{}: end all that was made to go wrong, by fault rules, by force, by lag and by the clock.

    What is chosen about the account stays: quotas, keys, instances, the metadata service's mode.
    """
    fields.done()
    account = gateway.account
    gateway.faults.clear()
    with account.lock:
        account.forced_health.clear()
        account.clock_offset_seconds = account.read_lag_seconds = 0.0
        account.ecs_access = EcsAccess()
        for group in [*account.alb.groups(), *account.nlb.groups()]:
            group.heal()
    return NO_RESULT


CHANGES: Mapping[str, Callable[[Gateway, Fields], Result]] = {
    "groups/busy": keep_group_busy,
    "groups/fail": fail_next_change,
    "groups/change": set_change_seconds,
    "groups/linger": let_servers_linger,
    "groups/stuck": let_jobs_be_stuck,
    "servers/add": of_servers.add_server,
    "servers/remove": of_servers.remove_server,
    "servers/weight": of_servers.set_weight,
    "instances/add": of_account.add_instance,
    "instances/running": of_account.set_running,
    "instances/release": of_account.release_instance,
    "tags": set_tags,
    "health": of_account.force_health,
    "metadata": of_account.set_metadata,
    "clock": of_account.set_clock,
    "roles/add": of_account.add_role,
    "roles/remove": of_account.remove_role,
    "keys/add": of_account.add_key,
    "keys/remove": of_account.remove_key,
    "quotas": of_account.set_quota,
    "lag": of_account.set_read_lag,
    "addresses": of_account.set_address_taken,
    "ecs": of_account.set_ecs_access,
    "faults": add_fault,
    "heal": heal,
    "port": of_line.close_port,
    "tls": of_line.set_names,
    "data_plane": of_line.change_data_plane,
}


@dataclass(frozen=True)
class Change:
    """One of CHANGES with its fields."""

    name: str
    fields: Fields

    def make(self, gateway: Gateway) -> Result:
        """Make it, once. Raises InputError, which says where it is wrong."""
        try:
            return CHANGES[self.name](gateway, self.fields)
        except KeyError as error:
            text = f"there is no {error.args[0]} in the account"
        except ApiError as error:
            text = str(error)
        raise InputError(f"{self.fields.where}: {text}" if self.fields.where else text)


def read_change(fields: Fields) -> Change:
    """`{NAME: {…}}`, with what POST /_mock/NAME takes. Raises InputError."""
    name = fields.only(tuple(CHANGES))
    return Change(name, fields.mapping(name))


def _balancer(account: Account, id_: str) -> LoadBalancer | Balancer:
    if id_ in account.load_balancers:
        return account.load_balancers[id_]
    for fleet in (account.alb, account.nlb):
        for balancer in fleet.balancers():
            if balancer.id == id_:
                return balancer
    raise KeyError(id_)
