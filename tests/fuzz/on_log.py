"""log.py: one line for each event, without secrets, and nothing that a terminal would act on."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from tests.fuzz.strategies import ODD_TEXTS, odd_values
from tests.fuzz.target import Target

from slb_registration.support.logs.event_log import FORMATS, EventLog

SECRETS = ("LTAI5tAccessKeyOfFuzz", "sEcReT/Of+FuZz=sEcReT", "CAIS8gF1q6Ft5B2yfSjIr5bR&x\"'\\")
AROUND = st.sampled_from(
    (
        "",
        "https://slb.aliyuncs.com/?AccessKeyId=LTAIother&Signature=a%2Fb%3D&Action=x",
        '{"SecurityToken": "CAISother/secret+x=", "AccessKeySecret":"othersecret"}',
        "POST&%2F&AccessKeyId%3DLTAIother%26Action%3DDescribe",
    )
)
texts: SearchStrategy[str] = st.one_of(
    st.text(max_size=30),
    st.sampled_from(ODD_TEXTS),
    st.sampled_from(SECRETS),
    AROUND,
    st.lists(st.sampled_from((*ODD_TEXTS[:6], *SECRETS, "x", "%", "&")), max_size=4).map("".join),
)
events = st.tuples(
    texts,
    st.dictionaries(
        st.sampled_from(("time", "level", "message", "dropped", "error", "group")),
        st.one_of(texts, odd_values, st.lists(texts, max_size=3)),
        max_size=3,
    ),
)


def holds(event: tuple[str, dict[str, Any]]) -> None:
    """See the module."""
    message, fields = event
    for form in FORMATS:
        stream = io.StringIO()
        log = EventLog(stream, format=form, now=lambda: 1_700_000_000.0)
        for secret in SECRETS:
            log.add_secret(secret)
        log.info(message, **fields)
        line = stream.getvalue()
        assert line.endswith("\n")
        assert line[:-1].isprintable(), repr(line)
        line.encode()
        for secret in (*SECRETS, "LTAIother", "CAISother", "othersecret", "a%2Fb%3D"):
            assert secret not in line, line
            assert json.dumps(secret)[1:-1] not in line, line
        if form == "json":
            assert json.loads(line)["level"] == "info"


TARGETS = (Target("log", events, holds, examples=120),)
