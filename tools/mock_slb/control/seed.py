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
alb:
  server_groups:
    - {id: sgp-web, tags: {bosh-deployment: demo}, servers: [{id: i-other, port: 8080}]}
    - {id: sgp-functions, type: Fc}
  load_balancers:
    - id: alb-web
      zone_ids: [cn-hangzhou-g]
      cross_zone: false
      listeners: [{port: 80, protocol: HTTP, server_group: sgp-web}]
nlb: {server_groups: [{id: sgp-any, any_port: true}]}
roles: [{name: slb-registration}]
quotas: [{published: true}, {product: slb, action: AddBackendServers, per_minute: 10}]
faults: [{preset: throttled, action: AddBackendServers, times: 3}]
clock: {behind_seconds: 3600}
read_lag_seconds: 2
data_plane: {ports: {lb-web/tcp:80: 18000}, lag_seconds: 5}
changes: [{groups/busy: {group: sgp-web, seconds: 60}}, {port: {seconds: 5}}]
```

`changes` are made before the first call: all that the control API takes, by the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mock_slb.account.account import Account
from mock_slb.alb_nlb.seed import read_fleet
from mock_slb.clb.seed import read_load_balancer
from mock_slb.control.changes import Change, read_change
from mock_slb.core.base import METADATA_MODES
from mock_slb.core.documents import read_yaml
from mock_slb.core.fields import Fields, InputError
from mock_slb.core.resources import DEFAULT_VPC
from mock_slb.core.seed_parts import at
from mock_slb.data_plane.settings import Settings, read_settings
from mock_slb.gateway.fault_presets import read_rule
from mock_slb.gateway.faults import Rule
from mock_slb.gateway.known_actions import action_of_product


@dataclass(frozen=True)
class Seed:
    """An account, the faults in force, and what is to be changed once it is served."""

    account: Account
    rules: tuple[Rule, ...]
    changes: tuple[Change, ...]
    data_plane: Settings | None = None
    """None where nothing is forwarded."""


def load(path: Path) -> Seed:
    """Read what a file describes. Raises InputError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None
    try:
        document = read_yaml(text)
    except InputError as error:
        raise InputError(f"{path} {error}") from None
    try:
        return read(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read(document: object) -> Seed:
    """Make what a parsed document describes. Raises InputError."""
    top = Fields({} if document is None else document)
    account = Account(
        region=top.text("region", "cn-hangzhou"),
        already_there=top.choice("already_there", ("ignore", "error"), "ignore"),
    )
    account.change_seconds = top.number("change_seconds", account.change_seconds)
    account.read_lag_seconds = top.number("read_lag_seconds", 0.0)
    account.metadata_mode = top.choice("metadata_mode", METADATA_MODES, "both")
    clock = top.child("clock")
    if clock is not None:
        ahead, behind = clock.number("ahead_seconds", 0.0), clock.number("behind_seconds", 0.0)
        clock.done()
        account.clock_offset_seconds = ahead - behind
    for fields in top.children("quotas"):
        _quota(account, fields)
    for fields in top.children("keys"):
        _key(account, fields)
    for fields in top.children("instances"):
        _instance(account, fields)
    for fields in top.children("roles"):
        _role(account, fields)
    for fields in top.children("load_balancers"):
        read_load_balancer(account.clb, fields)
    for fleet, name in ((account.alb, "alb"), (account.nlb, "nlb")):
        product = top.child(name)
        if product is not None:
            read_fleet(fleet, product)
    rules = tuple(read_rule(fields) for fields in top.children("faults"))
    changes = tuple(read_change(fields) for fields in top.children("changes"))
    data_plane = read_settings(top.mapping("data_plane")) if "data_plane" in top else None
    top.done()
    return Seed(account, rules, changes, data_plane)


def _quota(account: Account, fields: Fields) -> None:
    if fields.flag("published", False):
        account.quotas.set_published()
    else:
        product, action = action_of_product(fields)
        account.quotas.set(product, action, fields.number("per_minute", high=1_000_000))
    fields.done()


def _key(account: Account, fields: Fields) -> None:
    id_, secret = fields.text("id"), fields.text("secret")
    token, lifetime = fields.optional_text("security_token"), fields.optional_number("lifetime")
    fields.done()
    expires_at = None if lifetime is None else account.now() + lifetime
    account.add_key(id_, secret, security_token=token, expires_at=expires_at)


def _role(account: Account, fields: Fields) -> None:
    name, on_instances = fields.text("name"), fields.flag("on_instances", True)
    lifetime = fields.number("lifetime", 6 * 3600.0)
    fields.done()
    account.add_role(name, on_instances=on_instances, lifetime_seconds=lifetime)


def _instance(account: Account, fields: Fields) -> None:
    id_, host = fields.text("id"), fields.text("host", "127.0.0.1")
    ports, private_ip = fields.ports("ports"), fields.optional_text("private_ip")
    type_ = fields.choice("type", ("ecs", "eni"), "ecs")
    running, is_self = fields.flag("running", True), fields.flag("self", False)
    zone_id, eni_id = fields.optional_text("zone_id"), fields.optional_text("eni_id")
    vpc_id, other_ips = fields.text("vpc_id", DEFAULT_VPC), fields.names("other_ips")
    fields.done()
    at(
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
            vpc_id=vpc_id,
            eni_id=eni_id,
            other_ips=other_ips,
        ),
    )
