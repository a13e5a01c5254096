"""The whole account as JSON, for tests to assert on and for the page. It holds no secrets."""

from __future__ import annotations

from mock_slb.account.account import Account
from mock_slb.alb_nlb import snapshot as alb_nlb
from mock_slb.clb import snapshot as clb

View = dict[str, object]


def snapshot(account: Account) -> View:
    """Everything in the account at one moment; lists keep the order in which things were added."""
    with account.lock:
        return {
            "region": account.region,
            "already_there": account.already_there,
            "address_taken": account.address_taken,
            "metadata_mode": account.metadata_mode,
            "clock_offset_seconds": account.clock_offset_seconds,
            "change_seconds": account.change_seconds,
            "read_lag_seconds": account.read_lag_seconds,
            "forced_health": dict(account.forced_health),
            "ecs_access": {
                "denied": account.ecs_access.denied,
                "hidden": sorted(account.ecs_access.hidden),
            },
            "quotas": account.quotas.view(),
            "roles": {role.name: role.arn for role in account.keys.roles()},
            "instances": {
                i.id: {
                    "type": i.type,
                    "running": i.running,
                    "self": i.is_self,
                    "host": i.host,
                    "ports": {str(port): real for port, real in i.ports.items()},
                    "private_ip": i.private_ip,
                    "zone_id": i.zone_id,
                }
                for i in account.instances()
            },
            "load_balancers": clb.snapshot_fleet(account.clb),
            "alb": alb_nlb.snapshot_fleet(account.alb),
            "nlb": alb_nlb.snapshot_fleet(account.nlb),
        }
