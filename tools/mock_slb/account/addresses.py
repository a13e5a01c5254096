"""Addresses at which backend servers are really reached, by health checks and the data plane alike.

An instance has a `host`, 127.0.0.1 unless told otherwise, and may map backend ports to other ones
there. Give it its private address as `host`, and it is reached as the load balancer would.
"""

from __future__ import annotations

from mock_slb.account.account import Account
from mock_slb.alb_nlb.resources import IP, GroupServer
from mock_slb.clb.resources import Backend, Listener
from mock_slb.core.resources import Instance

Address = tuple[str, int]


def of_clb(
    account: Account, listener: Listener, backend: Backend, port: int | None = None
) -> Address | None:
    """Of a server behind a CLB listener; `port` instead of the one that is served.

    None while the instance is stopped or gone.
    """
    instance = account.find_server(backend.type, backend.server_id)
    return _at(instance, port or backend.port or listener.backend_port)


def of_group_server(account: Account, server: GroupServer, port: int) -> Address | None:
    """Of a server of ALB or NLB at this backend port; None while it is stopped or gone."""
    return _at(_owner(account, server), port)


def _owner(account: Account, server: GroupServer) -> Instance | None:
    if server.type == IP:
        # An address may have gone to a stranger's VM meanwhile: whoever has it now is asked.
        return account.instance_by_address(server.server_id)
    return account.find_server(server.type.lower(), server.server_id)


def _at(instance: Instance | None, port: int | None) -> Address | None:
    if instance is None or not instance.running or port is None:
        return None
    return instance.host, instance.ports.get(port, port)
