"""The BackendServers parameter of CLB: a JSON list, read as the service reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mock_slb.clb import errors
from mock_slb.clb.resources import Backend
from mock_slb.core.digits import whole_number
from mock_slb.core.documents import list_or_none
from mock_slb.core.resources import BackendKey

MAX_SERVERS_PER_CALL = 20
TYPES = ("ecs", "eni", "eci")
# The documentation: 1 to 80 letters, digits, Chinese characters and - / . _
DESCRIPTION = re.compile(r"[A-Za-z0-9\u4e00-\u9fff\-/._]{1,80}")


def to_add(params: Mapping[str, str], name: str, *, ports: bool) -> list[Backend]:
    """The servers of an Add, Set or Modify call. Raises ApiError."""
    return [_backend(entry, ports=ports) for entry in _entries(params, name)]


def to_remove(params: Mapping[str, str], name: str, *, ports: bool) -> list[BackendKey]:
    """The servers of a Remove call: weight and description do not matter. Raises ApiError."""
    return [
        BackendKey(_server_id(entry), str(entry.get("ServerIp") or ""), _port(entry, ports=ports))
        for entry in _entries(params, name)
    ]


def _entries(params: Mapping[str, str], name: str) -> list[Mapping[str, object]]:
    text = params.get(name)
    if not text:
        return []  # where it must be given, the contract says so
    entries = list_or_none(text)
    if not entries:
        raise errors.backend_servers_malformed()
    # Older callers name the servers to remove by id alone.
    entries = [{"ServerId": e} if isinstance(e, str) else e for e in entries]
    if not all(isinstance(entry, dict) for entry in entries):
        raise errors.backend_servers_malformed()
    if len(entries) > MAX_SERVERS_PER_CALL:
        raise errors.too_many_backend_servers()
    return entries


def _backend(entry: Mapping[str, object], *, ports: bool) -> Backend:
    type_ = entry.get("Type", "ecs")
    if type_ not in TYPES:
        raise errors.invalid_parameter("The type is invalid.")
    return Backend(
        server_id=_server_id(entry),
        port=_port(entry, ports=ports),
        weight=_weight(entry),
        type=str(type_),
        server_ip=str(entry.get("ServerIp") or ""),
        description=_description(entry),
    )


def _server_id(entry: Mapping[str, object]) -> str:
    server_id = entry.get("ServerId")
    if not isinstance(server_id, str) or not server_id:
        raise errors.backend_servers_malformed()
    return server_id


def _port(entry: Mapping[str, object], *, ports: bool) -> int:
    if not ports:
        return 0  # a default group has none: the listener knows
    port = _whole_number(entry.get("Port"))
    if port is None or not 1 <= port <= 65535:
        raise errors.backend_port_invalid()
    return port


def _weight(entry: Mapping[str, object]) -> int:
    weight = _whole_number(entry.get("Weight", 100))
    if weight is None or not 0 <= weight <= 100:
        raise errors.weight_malformed()
    return weight


def _description(entry: Mapping[str, object]) -> str:
    description = entry.get("Description", "")
    if description == "":
        return ""
    if not isinstance(description, str) or not DESCRIPTION.fullmatch(description):
        raise errors.backend_servers_malformed()
    return description


def _whole_number(value: object) -> int | None:
    """Numbers come as JSON numbers and, in the documentation's examples, as strings."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return whole_number(value) if isinstance(value, str) else None
