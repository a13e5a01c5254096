"""Requests and answers of the API as they are on the wire, without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class WireRequest:
    """A request to the API as it came in; query and form parameters already decoded."""

    method: str
    params: Mapping[str, str]
    host: str = "slb.aliyuncs.com"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    """Those of `params` that came in the query string; only a newer signature looks at it."""
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header's value, whatever the case of its name; empty where there is none."""
        return next((v for k, v in self.headers.items() if k.lower() == name), "")

    @property
    def is_signed_in_headers(self) -> bool:
        """Tell whether it is of the newer kind, which the newer SDKs send."""
        return self.header("authorization").startswith("ACS3-")

    def with_common_parameters(self) -> WireRequest:
        """The same with Action, Version and Format among its parameters, where they belong."""
        if not self.is_signed_in_headers:
            return self
        common = {
            "Action": self.header("x-acs-action"),
            "Version": self.header("x-acs-version"),
            "Format": "JSON",  # the newer SDKs ask for nothing else
        }
        return replace(self, params={**self.params, **common})


@dataclass(frozen=True)
class WireAnswer:
    """An answer as it goes back."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=utf-8"


class ConnectionCutError(Exception):
    """A fault wants the connection to end without an answer."""


class AnswerCutError(ConnectionCutError):
    """A fault wants the connection to end in the middle of this answer's body."""

    def __init__(self, answer: WireAnswer, share: float) -> None:
        super().__init__()
        self.answer = answer
        self.sent = answer.body[: int(len(answer.body) * share)]
