"""For unit tests: the mocked cloud behind the real SDK, without a socket.

```python
with responses.RequestsMock(target=SDK_SEND) as mock:
    gateway = attach(mock, account)
```
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import responses
from aliyunsdkcore.vendored.requests.exceptions import ConnectionError as SdkConnectionError

from mock_slb.account.account import Account
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import ConnectionCutError, WireRequest

# The SDK carries its own copy of requests, which `responses` does not look at by itself.
SDK_SEND = "aliyunsdkcore.vendored.requests.adapters.HTTPAdapter.send"


Callback = tuple[int, dict[str, str], bytes] | Exception


def attach(
    mock: responses.RequestsMock,
    account: Account,
    *,
    wait: Callable[[float], object] = lambda _seconds: None,
) -> Gateway:
    """Answer every HTTP call that `mock` catches from `account`; its log and faults are returned.

    `wait` is told the seconds of a slow answer; by default they pass at once.
    """
    gateway = Gateway(account, wait=wait)

    # The request is the SDK's own class, not the one that `responses` is typed for.
    def respond(request: Any) -> Callback:
        try:
            answer = gateway.answer(_wire(request))
        except ConnectionCutError:
            cut: Exception = SdkConnectionError("Connection reset by peer", request=request)
            return cut
        return answer.status, {"Content-Type": answer.content_type}, answer.body

    mock.assert_all_requests_are_fired = False
    for method in (responses.GET, responses.POST):
        mock.add_callback(method, re.compile(r"https?://[^/]+/(\?.*)?$"), callback=respond)
    return gateway


def _wire(request: Any) -> WireRequest:
    parts = urlsplit(request.url)
    body = request.body or b""
    raw = body if isinstance(body, bytes) else str(body).encode()
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    params = {**query, **dict(parse_qsl(raw.decode(), keep_blank_values=True))}
    return WireRequest(request.method, params, parts.netloc, dict(request.headers), query, raw)
