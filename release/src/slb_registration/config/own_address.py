"""Reads an address of this VM at which the agent is to listen."""

from __future__ import annotations

from typing import TypeVar

from slb_registration.config.reader import ANY_TEXT, Section
from slb_registration.model.addresses import normal, unbracketed

D = TypeVar("D")


def own_address(section: Section, default: D) -> str | D:
    """Return the property `address` in its normal spelling."""
    text = section.text("address", None, ANY_TEXT, "an IP address")
    if text is None:
        return default
    try:
        return normal(unbracketed(text))
    except ValueError:
        shown = section.shown(text)
        section.problem("address", f"must be an IP address of this VM, without a port, not {shown}")
        return default
