"""The front door of the API: authenticate, apply faults, dispatch, write down. Knows no sockets."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mock_slb import clb, errors
from mock_slb.calls import CallLog
from mock_slb.faults import Delay, Fault, Faults, Refuse, Reply, Reset
from mock_slb.model import Account
from mock_slb.signature import Verifier

# (Version, Action) -> what carries it out; another product adds its own table here.
PRODUCTS: Mapping[str, Mapping[str, clb.Action]] = {clb.VERSION: clb.ACTIONS}


@dataclass(frozen=True)
class WireRequest:
    """A request to the API as it came in; query and form parameters already decoded."""

    method: str
    params: Mapping[str, str]
    host: str = "slb.aliyuncs.com"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WireAnswer:
    """What goes back."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=utf-8"


class ConnectionCutError(Exception):
    """A fault wants the connection to end without an answer."""


class Gateway:
    """Answers calls of the API for one account.

    `wait` takes seconds; tests hand in one that does not.
    """

    def __init__(self, account: Account, *, wait: Callable[[float], object] = time.sleep) -> None:
        self.account = account
        self.calls = CallLog()
        self.faults = Faults()
        self.wait = wait
        self._verifier = Verifier(account)

    def answer(self, request: WireRequest) -> WireAnswer:
        """Carry out one call. Raises ConnectionCutError where a fault says so."""
        action = request.params.get("Action", "")
        faults = self.faults.take(action, request.params)
        names = ",".join(fault.name for fault in faults) or None
        request_id = str(uuid.uuid4()).upper()
        code: str | None = None
        try:
            answer = self._answer(request, faults, request_id)
        except errors.ApiError as error:
            code = error.code
            answer = _refusal(error, request.host, request_id)
        except ConnectionCutError:
            self._log(request, action, 0, None, names)
            raise
        self._log(request, action, answer.status, code, names)
        return answer

    def delay(self, faults: list[Fault]) -> None:
        """Wait for as long as the faults say."""
        for fault in faults:
            if isinstance(fault.effect, Delay):
                self.wait(fault.effect.seconds)

    def _answer(self, request: WireRequest, faults: list[Fault], request_id: str) -> WireAnswer:
        before = [fault for fault in faults if not fault.after_change]
        after = [fault for fault in faults if fault.after_change]
        self.delay(before)
        replaced = _spoil(before, transport=True)
        if replaced is not None:
            return replaced
        result = self._call(request, before)
        self.delay(after)
        replaced = _spoil(after, transport=True)
        if replaced is not None:
            return replaced
        _spoil(after, transport=False)
        return _json(200, {"RequestId": request_id, **result})

    def _call(self, request: WireRequest, faults: list[Fault]) -> dict[str, object]:
        params = request.params
        if params.get("Format", "XML").upper() != "JSON":
            raise errors.ApiError(
                "InvalidParameter.Format",
                "Specified parameter format is not valid; the mocked cloud speaks JSON only.",
            )
        if not params.get("Action"):
            raise errors.missing_common_parameter("Action")
        if params.get("Version") not in PRODUCTS:
            raise errors.invalid_common_parameter("Version")
        action = PRODUCTS[params["Version"]].get(params["Action"])
        if action is None:
            raise errors.action_not_found()
        self._verifier.check(request.method, params)
        # A refusal that is injected comes after authentication: it must not hide a bad signature.
        _spoil(faults, transport=False)
        with self.account.lock:
            return action(self.account, params)

    def _log(
        self, request: WireRequest, action: str, status: int, code: str | None, fault: str | None
    ) -> None:
        self.calls.add(
            self.account.now(), action, request.params, status=status, code=code, fault=fault
        )


def _spoil(faults: list[Fault], *, transport: bool) -> WireAnswer | None:
    for fault in faults:
        effect = fault.effect
        if transport and isinstance(effect, Reset):
            raise ConnectionCutError
        if transport and isinstance(effect, Reply):
            return WireAnswer(effect.status, effect.body, effect.content_type)
        if not transport and isinstance(effect, Refuse):
            raise errors.ApiError(effect.code, effect.message, effect.status)
    return None


def _refusal(error: errors.ApiError, host: str, request_id: str) -> WireAnswer:
    return _json(
        error.status,
        {
            "RequestId": request_id,
            "HostId": host,
            "Code": error.code,
            "Message": error.message,
            "Recommend": "https://api.alibabacloud.com/troubleshoot"
            f"?q={error.code}&product=Slb&requestId={request_id}",
        },
    )


def _json(status: int, body: Mapping[str, object]) -> WireAnswer:
    return WireAnswer(status, json.dumps(body, ensure_ascii=False).encode())
