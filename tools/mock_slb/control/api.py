"""The API under /_mock/, by which tests, the demo and the page act on the account from outside.

Reading: GET account, calls (`?since=N`), faults; overview and choices are what the page shows and
offers. Changing: POST with a JSON object, DELETE calls, faults, faults/N.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mock_slb.control.changes import CHANGES, Change
from mock_slb.control.changes_account import NO_RESULT
from mock_slb.core.digits import whole_number
from mock_slb.core.documents import read_json
from mock_slb.core.fields import Fields, InputError
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import WireAnswer
from mock_slb.page.overview import account_view, choices, overview

PREFIX = "/_mock/"
READ = ("account", "calls", "faults", "overview", "choices")
Result = dict[str, object] | list[dict[str, object]]


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
                return _json(200, Change(name, Fields(_parse(body))).make(self._gateway))
        except InputError as error:
            return _json(400, {"error": str(error)})
        return _not_found()

    def _read(self, name: str, query: Mapping[str, str]) -> WireAnswer:
        if name == "account":
            return _json(200, account_view(self._gateway))
        if name == "calls":
            since = whole_number(query.get("since", "0"))
            if since is None:
                raise InputError(f"since must be the number of a call, not {query['since']!r}")
            return _json(200, self._gateway.calls.view(since))
        if name == "faults":
            return _json(200, self._gateway.faults.view())
        if name == "overview":
            return _json(200, overview(self._gateway))
        if name == "choices":
            return _json(200, choices())
        return _not_found()

    def _delete(self, name: str) -> WireAnswer:
        if name == "calls":
            self._gateway.calls.clear()
        elif name == "faults":
            self._gateway.faults.clear()
        elif (number := whole_number(name.removeprefix("faults/"))) is not None:
            if not self._gateway.faults.remove(number):
                return _not_found()
        else:
            return _not_found()
        return _json(200, NO_RESULT)


def refused(why: str) -> WireAnswer:
    """The answer to somebody who may not ask."""
    return _json(403, {"error": f"refused: {why}"})


def _parse(body: bytes) -> object:
    try:
        return read_json(body)
    except InputError as error:
        raise InputError(f"the body {error}") from None


def _json(status: int, value: Result) -> WireAnswer:
    return WireAnswer(status, json.dumps(value).encode() + b"\n")


def _not_found() -> WireAnswer:
    known = ", ".join(f"POST {PREFIX}{name}" for name in CHANGES)
    return _json(404, {"error": f"not found; known: GET {PREFIX}{', '.join(READ)}; {known}"})
