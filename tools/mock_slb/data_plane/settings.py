"""Choices about the data plane, also where nobody documents what the products do."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mock_slb.core.fields import Fields, InputError

MAX_LAG_SECONDS = 20.0
LISTENER = "BALANCER/LISTENER"
"""How a listener is named here: lb-web/tcp:80, alb-web/lsn-alb-web-80-http."""


@dataclass(frozen=True)
class Settings:
    """Defaults are what the documentation says, or else what hides no request that is lost."""

    address: str = "127.0.0.1"
    """Where the listeners' ports are."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """By listener (see LISTENER); the others get free ones."""
    command: tuple[str, ...] = ()
    """What HAProxy is started with, e.g. ip netns exec NAME; it must become HAProxy by exec."""
    layer_7_source: str = ""
    """The address that listeners of layer 7 connect from, one of the machine's; empty: any.

    CLB's and older ALBs' are in 100.64.0.0/10. At layer 4 the products keep the client's address,
    which is not played: to a server, the client is HAProxy.
    """
    lag_seconds: float = 0.0
    """How long it takes until a change of a server group has come to the data plane."""
    unchecked: str = "waits"
    """A server whose first check has no result yet `serves`, or `waits` for it.

    Not documented. keepalived, of which LVS's users know it, lets it serve; Tengine's check module
    (`default_down`) lets it wait.
    """
    without_draining: str = "cut"
    """The connections of a removed server where connection draining is off: `cut` or `finish`.

    ALB's page on connection draining has said both: that they are "terminated abruptly", and that
    sessions are closed "when all existing requests are processed" (September 2024). Of CLB,
    articles on removing servers say that they are cut.
    """
    round_robin_zero: str = "stops"
    """Weight 0 under CLB's scheduler rr `stops` new connections, or is `ignored`.

    Documented is only that weights have no effect there.
    """

    def changed(self, fields: Fields) -> Settings:
        """The same with what may be changed at any time. Raises InputError."""
        return replace(
            self,
            lag_seconds=fields.number("lag_seconds", self.lag_seconds, high=MAX_LAG_SECONDS),
            unchecked=fields.choice("unchecked", ("serves", "waits"), self.unchecked),
            without_draining=fields.choice(
                "without_draining", ("cut", "finish"), self.without_draining
            ),
            round_robin_zero=fields.choice(
                "round_robin_zero", ("stops", "ignored"), self.round_robin_zero
            ),
        )


def read_settings(fields: Fields) -> Settings:
    """The `data_plane` of a seed. Raises InputError."""
    fixed = Settings(
        address=fields.text("address", Settings.address),
        ports=fields.ports_by_name("ports"),
        command=fields.names("command"),
        layer_7_source=_address(fields, "layer_7_source"),
    )
    settings = fixed.changed(fields)
    fields.done()
    return settings


def _address(fields: Fields, name: str) -> str:
    text = fields.optional_text(name)
    if text is None:
        return ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InputError(f"{fields.place(name)} must be an IP address, not {text!r}") from None
