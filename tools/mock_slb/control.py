"""What tests and the demo do to the account from outside: the API under /_mock/.

Reading: GET account, calls (`?since=N`), faults. Changing: POST with a JSON object, DELETE calls,
faults, faults/N.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from mock_slb.errors import ApiError
from mock_slb.fault_presets import read_rule
from mock_slb.fields import Fields, InputError
from mock_slb.gateway import Gateway, WireAnswer
from mock_slb.groups import ServerGroup
from mock_slb.load_balancer import ABNORMAL, NORMAL, UNAVAILABLE
from mock_slb.model import METADATA_MODES, Account
from mock_slb.snapshot import snapshot

PREFIX = "/_mock/"
MANY = 1_000_000_000
Result = dict[str, object] | list[dict[str, object]]
NO_RESULT: dict[str, object] = {}


class Control:
    """Answers requests under /_mock/."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def answer(
        self, method: str, path: str, query: Mapping[str, str], content_type: str, body: bytes
    ) -> WireAnswer:
        """One request; what is wrong with it comes back as {"error": …} with 400."""
        name = path.removeprefix(PREFIX).rstrip("/")
        try:
            if method == "GET":
                return self._read(name, query)
            if method == "DELETE":
                return self._delete(name)
            if method == "POST" and name in CHANGES:
                # A web page in someone's browser cannot send this type without being asked first.
                if not content_type.startswith("application/json"):
                    raise InputError("send Content-Type: application/json")
                return _json(200, CHANGES[name](self._gateway, Fields(_parse(body))))
        except (InputError, ApiError) as error:
            return _json(400, {"error": str(error)})
        except KeyError as error:
            return _json(400, {"error": f"there is no {error.args[0]} in the account"})
        return _not_found()

    def _read(self, name: str, query: Mapping[str, str]) -> WireAnswer:
        if name == "account":
            return _json(200, snapshot(self._gateway.account))
        if name == "calls":
            since = query.get("since", "0")
            if not (since.isascii() and since.isdigit()):
                raise InputError(f"since must be the number of a call, not {since!r}")
            return _json(200, self._gateway.calls.view(int(since)))
        if name == "faults":
            return _json(200, self._gateway.faults.view())
        return _not_found()

    def _delete(self, name: str) -> WireAnswer:
        if name == "calls":
            self._gateway.calls.clear()
        elif name == "faults":
            self._gateway.faults.clear()
        elif name.startswith("faults/") and name[7:].isascii() and name[7:].isdigit():
            if not self._gateway.faults.remove(int(name[7:])):
                return _not_found()
        else:
            return _not_found()
        return _json(200, NO_RESULT)


def add_server(gateway: Gateway, fields: Fields) -> Result:
    """{group, server_id, port?, weight?, description?}: as another operator would."""
    group = _group(gateway.account, fields)
    server_id = fields.text("server_id")
    port = _port(fields, group)
    weight = fields.whole("weight", 100, high=100)
    description = fields.optional_text("description") or ""
    fields.done()
    group.add_server(server_id, port=port, weight=weight, description=description)
    return NO_RESULT


def remove_server(gateway: Gateway, fields: Fields) -> Result:
    """{group, server_id, port?}: as another operator would."""
    group = _group(gateway.account, fields)
    server_id, port = fields.text("server_id"), _port(fields, group)
    fields.done()
    group.remove_server(server_id, port=port)
    return NO_RESULT


def set_weight(gateway: Gateway, fields: Fields) -> Result:
    """{group, server_id, port?, weight}: as another operator would."""
    group = _group(gateway.account, fields)
    server_id, port = fields.text("server_id"), _port(fields, group)
    weight = fields.whole("weight", high=100)
    fields.done()
    group.set_weight(server_id, weight, port=port)
    return NO_RESULT


def add_instance(gateway: Gateway, fields: Fields) -> Result:
    """{id, host?, ports?, running?, self?}: start an instance."""
    id_ = fields.text("id")
    host, ports = fields.text("host", "127.0.0.1"), fields.ports("ports")
    running, is_self = fields.flag("running", True), fields.flag("self", False)
    fields.done()
    try:
        gateway.account.add_instance(id_, host=host, ports=ports, running=running, is_self=is_self)
    except ValueError as error:
        raise InputError(str(error)) from None
    return NO_RESULT


def set_running(gateway: Gateway, fields: Fields) -> Result:
    """{id, running}: stop or start an instance."""
    id_, running = fields.text("id"), fields.flag("running")
    fields.done()
    gateway.account.set_running(id_, running)
    return NO_RESULT


def release_instance(gateway: Gateway, fields: Fields) -> Result:
    """{id}: delete an instance, as BOSH does when it replaces a VM."""
    id_ = fields.text("id")
    fields.done()
    gateway.account.release_instance(id_)
    return NO_RESULT


def set_tags(gateway: Gateway, fields: Fields) -> Result:
    """{load_balancer_id, tags?, remove?}: tag a load balancer."""
    balancer = gateway.account.load_balancer(fields.text("load_balancer_id"))
    tags, remove = fields.texts("tags"), fields.names("remove")
    fields.done()
    balancer.set_tags(tags, remove=remove)
    return NO_RESULT


def force_health(gateway: Gateway, fields: Fields) -> Result:
    """{server_id, status}: report this health whatever the probes say; status `probe` ends it."""
    server_id = fields.text("server_id")
    status = fields.choice("status", (NORMAL, ABNORMAL, UNAVAILABLE, "probe"))
    fields.done()
    gateway.account.force_health(server_id, None if status == "probe" else status)
    return NO_RESULT


def set_metadata(gateway: Gateway, fields: Fields) -> Result:
    """{mode?, self?}: the metadata service's protocol, and the instance it answers for."""
    mode = fields.choice("mode", METADATA_MODES, gateway.account.metadata_mode)
    self_id = fields.optional_text("self")
    fields.done()
    gateway.account.metadata_mode = mode
    if self_id is not None:
        gateway.account.set_self(self_id)
    return NO_RESULT


def set_clock(gateway: Gateway, fields: Fields) -> Result:
    """{ahead_seconds?, behind_seconds?}: let the servers' clock differ from everyone else's."""
    ahead, behind = fields.number("ahead_seconds", 0.0), fields.number("behind_seconds", 0.0)
    fields.done()
    gateway.account.clock_offset_seconds = ahead - behind
    return NO_RESULT


def add_fault(gateway: Gateway, fields: Fields) -> Result:
    """A fault rule, see fault_presets.read_rule; the answer has its id."""
    return {"id": gateway.faults.add(read_rule(fields))}


CHANGES: Mapping[str, Callable[[Gateway, Fields], Result]] = {
    "servers/add": add_server,
    "servers/remove": remove_server,
    "servers/weight": set_weight,
    "instances/add": add_instance,
    "instances/running": set_running,
    "instances/release": release_instance,
    "tags": set_tags,
    "health": force_health,
    "metadata": set_metadata,
    "clock": set_clock,
    "faults": add_fault,
}


def _group(account: Account, fields: Fields) -> ServerGroup:
    """`group` is a vServer group's id, or a load balancer's for its default group."""
    id_ = fields.text("group")
    if id_ in account.load_balancers:
        return account.load_balancers[id_].default_group
    return account.group(id_)


def _port(fields: Fields, group: ServerGroup) -> int:
    return fields.whole("port", None if group.ports else 0, high=65535)


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise InputError(f"the body is not JSON: {error}") from None


def _json(status: int, value: Result) -> WireAnswer:
    return WireAnswer(status, json.dumps(value).encode() + b"\n")


def _not_found() -> WireAnswer:
    known = ", ".join(f"POST {PREFIX}{name}" for name in CHANGES)
    return _json(404, {"error": f"not found; known: GET {PREFIX}account, calls, faults; {known}"})
