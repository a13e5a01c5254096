"""Reads whom the link slb-backend is of, and so where port and path of the service come from."""

from __future__ import annotations

from typing import Any

from slb_registration.config.reader import Section
from slb_registration.model.configuration import Backend, Config

_GIVEN_BY = {
    "this_vm": "link slb-backend, of a job on this VM",
    "manifest": "link slb-backend, as the manifest gives it",
    "other_vms": "link slb-backend, of other VMs",
}
"""Who tells what is in the link, as the job's template has found it."""

IGNORED = "the link slb-backend is not used: the job that provides it is on other VMs"


def backend(
    link: Section, linked_check: Section, properties: Section, check: Section, check_type: str
) -> Backend:
    """Return where port and path come from; properties go before the link."""
    given_by = link.choice("given_by", "this_vm", _GIVEN_BY)

    def origin(name: str, own: Section, linked: Section) -> str:
        key = name.rpartition(".")[2]
        if own.given(key):
            return f"property {name}"
        return _GIVEN_BY[given_by] if linked.given(key) else "default"

    is_http = check_type == "http"
    return Backend(
        port_from=origin("port", properties, link),
        path_from=origin("health_check.path", check, linked_check) if is_http else None,
        ignored=IGNORED if given_by == "other_vms" else None,
    )


def described(config: Config) -> dict[str, Any]:
    """Port and path of the service and where they come from, as plain data; null without a path."""
    backend = config.backend
    return {
        "port": config.port,
        "port_from": backend.port_from,
        "path": None if backend.path_from is None else config.health_check.path,
        "path_from": backend.path_from,
        "ignored": backend.ignored,
    }
