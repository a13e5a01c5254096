"""The instance metadata service, in the plain protocol and in the one with a token.

Source: facts of the ECS documentation: `PUT /latest/api/token` with a time to live of 1 to 21600
seconds, then the token in a header; hardened instances answer 403 without one, old ones have no
token endpoint.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping

from mock_slb.core.digits import whole_number
from mock_slb.core.resources import Instance
from mock_slb.gateway.faults import Cut, Fault, Refuse, Reply, Reset
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import AnswerCutError, ConnectionCutError, WireAnswer
from mock_slb.metadata.tree import read, tree

PREFIX = "/latest/"
TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
TTL_HEADER = "x-aliyun-ecs-metadata-token-ttl-seconds"
TOKEN_HEADER = "x-aliyun-ecs-metadata-token"  # noqa: S105 - a name
MAX_TTL_SECONDS = 21600


class MetadataService:
    """Answers for one VM: `self_id`, or else the instance that the account marks as `self`."""

    def __init__(self, gateway: Gateway, self_id: str | None = None) -> None:
        self._gateway = gateway
        self._account = gateway.account
        self._self_id = self_id
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> WireAnswer:
        """One request. Raises ConnectionCutError where a fault says so."""
        action = f"metadata:{'token' if path == TOKEN_PATH else path.removeprefix(PREFIX)}"
        faults = self._gateway.faults.take(action, {})
        names = ",".join(fault.name for fault in faults) or None
        try:
            self._gateway.delay(faults)
            answer = _spoilt(faults) or self._answer(method, path, headers)
            for fault in faults:
                if isinstance(fault.effect, Cut):
                    raise AnswerCutError(answer, fault.effect.share)
        except ConnectionCutError:
            self._log(action, 0, names)
            raise
        self._log(action, answer.status, names)
        return answer

    def _answer(self, method: str, path: str, headers: Mapping[str, str]) -> WireAnswer:
        lowered = {name.lower(): value for name, value in headers.items()}
        if path == TOKEN_PATH:
            return self._token(method, lowered.get(TTL_HEADER, ""))
        if method != "GET":
            return _page(405, "Method Not Allowed")
        token = lowered.get(TOKEN_HEADER)
        if self._account.metadata_mode != "old":
            if token is None and self._account.metadata_mode == "hardened":
                return _page(403, "Forbidden")
            if token is not None and not self._is_valid(token):
                return _page(401, "Unauthorized")
        return self._read(path)

    def _token(self, method: str, ttl: str) -> WireAnswer:
        if self._account.metadata_mode == "old":
            return _page(404, "Not Found")
        if method != "PUT":
            return _page(405, "Method Not Allowed")
        seconds = whole_number(ttl)
        if seconds is None or not 1 <= seconds <= MAX_TTL_SECONDS:
            return _page(400, "Bad Request")
        token = secrets.token_urlsafe(32)
        now = self._account.now()
        with self._lock:
            self._tokens = {t: until for t, until in self._tokens.items() if until > now}
            self._tokens[token] = now + seconds
        return _text(token)

    def _is_valid(self, token: str) -> bool:
        with self._lock:
            return self._tokens.get(token, 0.0) > self._account.now()

    def _read(self, path: str) -> WireAnswer:
        instance = self._instance()
        folder, _, rest = path.removeprefix(PREFIX).partition("/")
        if instance is None or folder != "meta-data":
            return _page(404, "Not Found")
        found = read(tree(self._account, instance), rest)
        return _text(found) if found is not None else _page(404, "Not Found")

    def _instance(self) -> Instance | None:
        if self._self_id is not None:
            return self._account.instance(self._self_id)
        return self._account.self_instance()

    def _log(self, action: str, status: int, fault: str | None) -> None:
        self._gateway.calls.add(self._account.now(), action, {}, status=status, fault=fault)


def _spoilt(faults: list[Fault]) -> WireAnswer | None:
    for fault in faults:
        effect = fault.effect
        if isinstance(effect, Reset):
            raise ConnectionCutError
        if isinstance(effect, Reply):
            return WireAnswer(effect.status, effect.body, effect.content_type)
        if isinstance(effect, Refuse):
            return _page(effect.status, effect.code)
    return None


def _text(text: str) -> WireAnswer:
    return WireAnswer(200, text.encode(), "text/plain")


def _page(status: int, title: str) -> WireAnswer:
    """The service's errors are HTML, not text: a client must look at the status."""
    body = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        f"<html><head><title>{status} - {title}</title></head>"
        f"<body><h1>{status} - {title}</h1></body></html>\n"
    )
    return WireAnswer(status, body.encode(), "text/html")
