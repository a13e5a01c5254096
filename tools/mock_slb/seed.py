"""An account from a YAML or JSON file, by example:

```yaml
region: cn-hangzhou
keys: [{id: demo-access-key, secret: demo-secret-key}]
instances:
  - {id: i-self, self: true, ports: {8080: 18080}}
  - {id: i-other}
load_balancers:
  - id: lb-web
    tags: {bosh-deployment: demo}
    servers: [{id: i-other, weight: 100}]
    vserver_groups:
      - {id: rsp-api, servers: [{id: i-other, port: 9000}]}
    listeners:
      - {port: 80, protocol: tcp, backend_port: 8080, health_check: {interval: 2}}
      - {port: 443, protocol: tcp, vserver_group: rsp-api, health_check: off}
faults: [{preset: throttled, action: AddBackendServers, times: 3}]
```
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import yaml

from mock_slb.errors import ApiError
from mock_slb.fault_presets import read_rule
from mock_slb.faults import Rule
from mock_slb.fields import Fields, InputError
from mock_slb.groups import ServerGroup
from mock_slb.model import METADATA_MODES, Account, LoadBalancer
from mock_slb.resources import HealthCheck

PROTOCOLS = ("tcp", "udp", "http", "https")
DEFAULT_CHECK = HealthCheck()

T = TypeVar("T")


def load(path: Path) -> tuple[Account, list[Rule]]:
    """The account and the faults that a file describes. Raises InputError."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {error}") from None
    try:
        return read(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read(document: object) -> tuple[Account, list[Rule]]:
    """The account and the faults that a parsed document describes. Raises InputError."""
    top = Fields({} if document is None else document)
    account = Account(
        region=top.text("region", "cn-hangzhou"),
        already_there=top.choice("already_there", ("ignore", "error"), "ignore"),
    )
    account.metadata_mode = top.choice("metadata_mode", METADATA_MODES, "both")
    for fields in top.children("keys"):
        _key(account, fields)
    for fields in top.children("instances"):
        _instance(account, fields)
    for fields in top.children("load_balancers"):
        _load_balancer(account, fields)
    rules = [read_rule(fields) for fields in top.children("faults")]
    top.done()
    return account, rules


def _key(account: Account, fields: Fields) -> None:
    id_, secret = fields.text("id"), fields.text("secret")
    token = fields.optional_text("security_token")
    fields.done()
    account.add_key(id_, secret, security_token=token)


def _instance(account: Account, fields: Fields) -> None:
    id_, host = fields.text("id"), fields.text("host", "127.0.0.1")
    ports, private_ip = fields.ports("ports"), fields.optional_text("private_ip")
    type_ = fields.choice("type", ("ecs", "eni"), "ecs")
    running, is_self = fields.flag("running", True), fields.flag("self", False)
    zone_id = fields.optional_text("zone_id")
    fields.done()
    _at(
        fields.where,
        lambda: account.add_instance(
            id_,
            host=host,
            ports=ports,
            private_ip=private_ip,
            type=type_,
            running=running,
            zone_id=zone_id,
            is_self=is_self,
        ),
    )


def _load_balancer(account: Account, fields: Fields) -> None:
    id_, name = fields.text("id"), fields.optional_text("name") or ""
    tags, region = fields.texts("tags"), fields.optional_text("region")
    balancer = _at(
        fields.where, lambda: account.add_load_balancer(id_, name=name, tags=tags, region=region)
    )
    for server in fields.children("servers"):
        _server(balancer.default_group, server)
    for group in fields.children("vserver_groups"):
        _vserver_group(balancer, group)
    for listener in fields.children("listeners"):
        _listener(balancer, listener)
    fields.done()


def _vserver_group(balancer: LoadBalancer, fields: Fields) -> None:
    id_, name = fields.text("id"), fields.optional_text("name") or ""
    group = _at(fields.where, lambda: balancer.add_vserver_group(id_, name=name))
    for server in fields.children("servers"):
        _server(group, server)
    fields.done()


def _server(group: ServerGroup, fields: Fields) -> None:
    id_ = fields.text("id")
    port = fields.whole("port", low=1, high=65535) if group.ports else 0
    weight = fields.whole("weight", 100, high=100)
    description = fields.optional_text("description") or ""
    fields.done()
    _at(
        fields.where,
        lambda: group.add_server(id_, port=port, weight=weight, description=description),
    )


def _listener(balancer: LoadBalancer, fields: Fields) -> None:
    port = fields.whole("port", low=1, high=65535)
    protocol = fields.choice("protocol", PROTOCOLS, "tcp")
    backend_port = fields.optional_whole("backend_port", low=1, high=65535)
    vserver_group = fields.optional_text("vserver_group")
    scheduler = fields.choice("scheduler", ("wrr", "rr", "wlc", "sch", "tch", "qch"), "wrr")
    check_fields = fields.child("health_check")
    check = _health_check(check_fields) if check_fields is not None else None
    fields.done()
    _at(
        fields.where,
        lambda: balancer.add_listener(
            port,
            protocol,
            backend_port=backend_port,
            vserver_group=vserver_group,
            health_check=check,
            scheduler=scheduler,
        ),
    )


def _health_check(fields: Fields) -> HealthCheck:
    check = HealthCheck(
        type=fields.choice("type", ("tcp", "http"), DEFAULT_CHECK.type),
        interval_seconds=fields.number("interval", DEFAULT_CHECK.interval_seconds),
        timeout_seconds=fields.number("timeout", DEFAULT_CHECK.timeout_seconds),
        healthy_threshold=fields.whole("healthy_threshold", 3, low=1, high=10),
        unhealthy_threshold=fields.whole("unhealthy_threshold", 3, low=1, high=10),
        port=fields.optional_whole("port", low=1, high=65535),
        path=fields.text("path", DEFAULT_CHECK.path),
        domain=fields.optional_text("domain") or "",
        method=fields.choice("method", ("head", "get"), DEFAULT_CHECK.method),
        http_codes=fields.names("http_codes") or DEFAULT_CHECK.http_codes,
    )
    fields.done()
    return check


def _at(where: str, make: Callable[[], T]) -> T:
    """What the model refuses is said with its place in the file."""
    try:
        return make()
    except (ValueError, ApiError) as error:
        raise InputError(f"{where}: {error}") from None
