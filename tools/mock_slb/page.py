"""The account at a glance, for a person with a browser."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from mock_slb.account.account import LoadBalancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup as AlbNlbGroup
from mock_slb.alb_nlb.snapshot import routes_to
from mock_slb.clb.group import ServerGroup
from mock_slb.core.resources import Backend
from mock_slb.gateway.calls import Call
from mock_slb.gateway.gateway import Forwarding, Gateway

MAX_CALLS_SHOWN = 30
REFRESH_SECONDS = 2

_PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{refresh}">
<meta name="viewport" content="width=device-width"><title>Mocked Alibaba Cloud</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
       padding: 0 1rem }}
h1 {{ font-size: 1.3rem }} h2 {{ font-size: 1.1rem; margin: 2rem 0 .3rem }}
h3 {{ font-size: 1rem; margin: 1rem 0 .2rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd }}
.normal, .Normal {{ color: #0a7d33 }} .abnormal, .Unhealthy, .failed {{ color: #c01818 }}
.unavailable, .Initial, .Unused, .Unavailable {{ color: #777 }}
.muted {{ color: #777 }}
</style></head><body>
<h1>Mocked Alibaba Cloud <span class="muted">{region}</span></h1>
<p class="muted">JSON: <a href="/_mock/account">account</a> · <a href="/_mock/calls">calls</a> ·
<a href="/_mock/faults">faults</a></p>
{body}</body></html>
""")


def render(gateway: Gateway) -> str:
    """The page; what comes from the account is escaped."""
    account = gateway.account
    forwarded = _data_plane(gateway.data_plane)  # which takes the account's lock by itself
    with account.lock:
        sections = [_balancer(one) for one in account.load_balancers.values()]
        sections += [_fleet(account.alb), _fleet(account.nlb)]
        sections.append(_instances(gateway))
    sections.append(forwarded)
    sections.append(_faults(gateway))
    sections.append(_calls(gateway.calls.all()[-MAX_CALLS_SHOWN:]))
    body = Markup("").join(sections)
    return _PAGE.format(refresh=REFRESH_SECONDS, region=account.region, body=body)


def _balancer(balancer: LoadBalancer) -> Markup:
    tags = " ".join(f"{key}={value}" for key, value in balancer.tags.items()) or "no tags"
    listeners = " ".join(balancer.listeners) or "no listeners"
    head = Markup('<h2>{} <span class="muted">{} · {}</span></h2>').format(
        balancer.id, listeners, tags
    )
    groups = [
        balancer.default_group,
        *balancer.vserver_groups(),
        *balancer.master_slave_groups(),
    ]
    return head + Markup("").join(_group(balancer, group) for group in groups)


def _group(balancer: LoadBalancer, group: ServerGroup) -> Markup:
    title = f"vServer group {group.id}" if group.ports else "default server group"
    if group.active_standby:
        title = f"active/standby group {group.id}"
    rows = [
        (b.server_id, b.port or "", b.weight, _health(balancer, group, b), b.description)
        for b in group.servers()
    ]
    table = _table(("ServerId", "Port", "Weight", "Health", "Description"), rows)
    return Markup("<h3>{}</h3>{}").format(title, table)


def _health(balancer: LoadBalancer, group: ServerGroup, backend: Backend) -> Markup:
    of_group = [one for one in balancer.listeners.values() if balancer.group_of(one) is group]
    cells = [(one.name, balancer.health(one, backend)) for one in of_group]
    return Markup(" ").join(
        Markup('<span class="{1}">{0} {1}</span>').format(name, status) for name, status in cells
    )


def _fleet(fleet: Fleet) -> Markup:
    return Markup("").join(_alb_nlb_group(fleet, group) for group in fleet.groups())


def _alb_nlb_group(fleet: Fleet, group: AlbNlbGroup) -> Markup:
    routes = routes_to(fleet, group)
    tags = " ".join(f"{key}={value}" for key, value in group.tags.items()) or "no tags"
    where = " ".join(f"{balancer.id} {route.name}" for balancer, route in routes) or "no listeners"
    head = Markup('<h2>{} {} <span class="muted">{} · {} · {}</span></h2>').format(
        fleet.product.name.upper(), group.id, group.status, where, tags
    )
    rows = [
        (
            one.server_id,
            one.port,
            one.weight,
            one.status,
            Markup(" ").join(
                Markup('<span class="{1}">{0} {1}</span>').format(route.name, status)
                for route, status in (
                    (route, balancer.health(route, one)) for balancer, route in routes
                )
            ),
            one.description,
        )
        for one in group.servers()
    ]
    names = ("ServerId", "Port", "Weight", "Status", "Health", "Description")
    return head + _table(names, rows)


def _instances(gateway: Gateway) -> Markup:
    rows = [
        (
            instance.id + (" (self)" if instance.is_self else ""),
            "running" if instance.running else "stopped",
            instance.host,
            " ".join(f"{port}→{real}" for port, real in instance.ports.items()),
        )
        for instance in gateway.account.instances()
    ]
    return Markup("<h2>Instances</h2>") + _table(("Id", "Status", "Host", "Ports"), rows)


def _data_plane(plane: Forwarding | None) -> Markup:
    if plane is None:
        return Markup("")
    rows = [
        (
            name if server.pool in name else f"{name} {server.pool}",
            f"{listener.address}:{listener.port}",
            server.server_id,
            server.port or "",
            server.share,
            server.health,
            server.connections,
            server.requests,
            server.open,
            server.failed,
        )
        for name, listener in plane.traffic().items()
        for server in listener.servers
    ]
    head = ("Listener", "At", "ServerId", "Port", "Share", "Health")
    counted = ("Connections", "Requests", "Open", "Failed")
    return Markup("<h2>Data plane</h2>") + _table((*head, *counted), rows)


def _faults(gateway: Gateway) -> Markup:
    view = gateway.faults.view()
    if not view:
        return Markup("")
    rows = [(f["id"], f["name"], f["action"], f["effect"], f["hits"]) for f in view]
    return Markup("<h2>Faults</h2>") + _table(("Id", "Name", "Action", "Effect", "Hits"), rows)


def _calls(calls: Sequence[Call]) -> Markup:
    rows = [
        (
            time.strftime("%H:%M:%S", time.localtime(call.time)),
            call.action,
            Markup('<span class="{}">{} {}</span>').format(
                "" if call.status == 200 else "failed", call.status, call.code or ""
            ),
            " ".join(f"{key}={value}" for key, value in call.params.items()),
        )
        for call in reversed(calls)
    ]
    return Markup("<h2>Calls</h2>") + _table(("Time", "Action", "Status", "Parameters"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    cells = [Markup("<tr>") + _cells("th", head)]
    cells += [Markup("<tr>") + _cells("td", row) for row in rows]
    if len(cells) == 1:
        return Markup('<p class="muted">none</p>')
    return Markup("<table>{}</table>").format(Markup("").join(cells))


def _cells(tag: str, values: Iterable[object]) -> Markup:
    return Markup("").join(Markup("<{0}>{1}</{0}>").format(tag, escape(value)) for value in values)
