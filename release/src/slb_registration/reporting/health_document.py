"""The health that SLB reports of a server as JSON, for the errand and the status."""

from __future__ import annotations

from typing import Any

from slb_registration.model.server_group import ListenerHealth


def health_document(item: ListenerHealth) -> dict[str, Any]:
    """Behind one listener; `reason` is null where SLB tells none."""
    return {
        "listener": item.listener,
        "port": item.port,
        "status": item.status if item.checked else "not checked",
        "reason": item.reason or None,
        "told_apart": item.told_apart,
    }
