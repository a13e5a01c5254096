"""The front door of the API: authenticate, apply faults, dispatch, write down. Knows no sockets."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from xml.sax.saxutils import escape

from mock_slb.account.account import Account
from mock_slb.contract import contracts
from mock_slb.core import errors
from mock_slb.data_plane.settings import Settings
from mock_slb.data_plane.traffic import ListenerTraffic
from mock_slb.gateway import checking, products
from mock_slb.gateway.calls import CallLog
from mock_slb.gateway.faults import Cut, Delay, Fault, Faults, Refuse, Reply, Reset
from mock_slb.gateway.idempotence import ClientTokens, Token
from mock_slb.gateway.shapes import Reshape
from mock_slb.http.wire import AnswerCutError, ConnectionCutError, WireAnswer, WireRequest
from mock_slb.signing import signature, signature_v3
from mock_slb.signing.claims import Claim, Verifier

READS = ("Describe", "List", "Get")


class Line(Protocol):
    """The line that the account is reached over, as far as it can go wrong."""

    def close_for(self, seconds: float) -> None:
        """Refuse connections for so long, from the end of the request under way on.

        Raises ValueError where they are refused already.
        """
        ...

    def go_by(self, names: Sequence[str]) -> None:
        """Show a certificate for these names. Raises ValueError where there is no TLS."""
        ...


class Forwarding(Protocol):
    """The part that sends on to the servers what comes to the listeners."""

    settings: Settings
    """May be replaced at any time."""

    def view(self) -> dict[str, object]:
        """The listeners, and what went where; for JSON. Not with the account's lock held."""
        ...

    def traffic(self) -> dict[str, ListenerTraffic]:
        """Traffic so far, by listener. Not with the account's lock held."""
        ...


class Gateway:
    """Answers calls of the API for one account.

    `wait` takes seconds; tests hand in one that does not.
    """

    def __init__(self, account: Account, *, wait: Callable[[float], object] = time.sleep) -> None:
        self.account = account
        self.calls = CallLog()
        self.faults = Faults(now=account.real_now)
        self.line: Line | None = None
        """Set by a server, None where there is no socket."""
        self.data_plane: Forwarding | None = None
        """Set by a server that has one."""
        self.wait = wait
        self._verifier = Verifier(account)
        self._tokens = ClientTokens(account.now)

    def answer(self, request: WireRequest) -> WireAnswer:
        """Carry out one call. Raises ConnectionCutError where a fault says so."""
        request = request.with_common_parameters()
        action = request.params.get("Action", "")
        faults = self.faults.take(action, request.params)
        names = ",".join(fault.name for fault in faults) or None
        request_id = str(uuid.uuid4()).upper()
        code: str | None = None
        try:
            with self._tokens.processing(_client_token(request.params)):
                answer = self._answer(request, faults, request_id)
        except errors.ApiError as error:
            code = error.code
            answer = _refusal(error, request, request_id)
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
        result = self._call(request, faults)
        self.delay(after)
        replaced = _spoil(after, transport=True)
        if replaced is not None:
            return replaced
        _spoil(after, transport=False)
        told: dict[str, object] = {"RequestId": request_id, **result}
        for shape in _shapes(faults):
            told = shape.answer(told)
        answer = _json(200, told)
        for fault in faults:
            if isinstance(fault.effect, Cut):
                raise AnswerCutError(answer, fault.effect.share)
        return answer

    def _call(self, request: WireRequest, faults: list[Fault]) -> dict[str, object]:
        params = request.params
        if not _wants_json(params):
            raise errors.ApiError(
                "InvalidParameter.Format",
                "Specified parameter format is not valid; the mocked cloud speaks JSON only.",
            )
        product, action = products.find(params.get("Version"), params.get("Action"))
        key = self._verifier.check(_claim(request))
        region = params.get("RegionId") or self.account.region
        with self.account.lock:
            self.account.quotas.take(product.name, params["Action"], region)
        # A refusal that is injected comes after authentication: it must not hide a bad signature.
        _spoil([fault for fault in faults if not fault.after_change], transport=False)
        params = {**params, "AccessKeyId": key.id}  # a newer signature has it in a header
        for shape in _shapes(faults):
            params = shape.request(params)
        checking.check(contracts(product.name)[params["Action"]], params)
        lagging = params["Action"].startswith(READS)
        with self.account.stale_reading() if lagging else self.account.lock:
            return self._tokens.once(
                _client_token(params),
                params,
                lambda: action(self.account, params),
                product.token_reused,
            )

    def _log(
        self, request: WireRequest, action: str, status: int, code: str | None, fault: str | None
    ) -> None:
        self.calls.add(
            self.account.now(),
            action,
            request.params,
            status=status,
            code=code,
            fault=fault,
            product=products.name_of(request.params.get("Version")),
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


def _shapes(faults: list[Fault]) -> list[Reshape]:
    return [fault.effect for fault in faults if isinstance(fault.effect, Reshape)]


def _claim(request: WireRequest) -> Claim:
    if request.is_signed_in_headers:
        return signature_v3.claim(request)
    return signature.claim(request.method, request.params)


def _client_token(params: Mapping[str, str]) -> Token | None:
    token, action = params.get("ClientToken"), params.get("Action", "")
    product = products.PRODUCTS.get(params.get("Version", ""))
    if not token or product is None or action not in product.idempotent:
        return None
    return product.name, action, token


def _refusal(error: errors.ApiError, request: WireRequest, request_id: str) -> WireAnswer:
    product = products.name_of(request.params.get("Version")) or ""
    body = {
        "RequestId": request_id,
        "HostId": request.host,
        "Code": error.code,
        "Message": error.message,
        "Recommend": "https://api.alibabacloud.com/troubleshoot"
        f"?q={error.code}&product={product.capitalize()}&requestId={request_id}",
    }
    return (_json if _wants_json(request.params) else _xml)(error.status, body)


def _wants_json(params: Mapping[str, str]) -> bool:
    return params.get("Format", "XML").upper() == "JSON"  # XML is the API's default


def _xml(status: int, body: Mapping[str, str]) -> WireAnswer:
    fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in body.items())
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error>{fields}</Error>"
    return WireAnswer(status, text.encode(), "text/xml;charset=utf-8")


def _json(status: int, body: Mapping[str, object]) -> WireAnswer:
    return WireAnswer(status, json.dumps(body, ensure_ascii=False).encode())
