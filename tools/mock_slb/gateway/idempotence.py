"""ClientToken: a call that is repeated with its token is not carried out again.

The API reference: a token is good for one call; another call with the same token is refused. How
long a token is remembered is not documented for ALB and NLB; 24 hours is what ECS documents.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mock_slb.core import errors

KEEP_SECONDS = 24 * 3600.0
MAX_KEPT = 10_000

Answer = dict[str, object]
Token = tuple[str, str, str]
"""Product, action, ClientToken; not the key, which may have been renewed in between."""

# What differs from one sending of a call to the next.
NOT_COMPARED = frozenset(
    {
        "AccessKeyId",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
    }
)


@dataclass(frozen=True)
class _First:
    params: Mapping[str, str]
    answer: Answer
    until: float


class ClientTokens:
    """Answers to calls with a token. `now` gives seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._processing: set[Token] = set()
        self._answered: OrderedDict[Token, _First] = OrderedDict()

    @contextlib.contextmanager
    def processing(self, token: Token | None) -> Iterator[None]:
        """While a call is under way, the same again is refused with IdempotenceProcessing."""
        if token is None:
            yield
            return
        with self._lock:
            if token in self._processing:
                raise errors.client_token_processing()
            self._processing.add(token)
        try:
            yield
        finally:
            with self._lock:
                self._processing.discard(token)

    def once(
        self,
        token: Token | None,
        params: Mapping[str, str],
        carry_out: Callable[[], Answer],
        reused: Callable[[], errors.ApiError],
    ) -> Answer:
        """The first answer if there is one, else carry the call out. A refusal is not kept.

        Raises `reused()` where the token came with other parameters before.
        """
        if token is None:
            return carry_out()
        compared = {name: value for name, value in params.items() if name not in NOT_COMPARED}
        with self._lock:
            self._forget()
            first = self._answered.get(token)
        if first is not None:
            if first.params != compared:
                raise reused()
            return first.answer
        answer = carry_out()
        with self._lock:
            self._answered[token] = _First(compared, answer, self._now() + KEEP_SECONDS)
        return answer

    def _forget(self) -> None:
        now = self._now()
        while self._answered:
            token, first = next(iter(self._answered.items()))
            if first.until > now and len(self._answered) <= MAX_KEPT:
                return
            del self._answered[token]
