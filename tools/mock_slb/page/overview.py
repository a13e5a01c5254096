"""The page's data, as one document, so that what is in it fits together."""

from __future__ import annotations

from mock_slb.account.snapshot import snapshot
from mock_slb.gateway.calls import Call
from mock_slb.gateway.fault_presets import PRESETS
from mock_slb.gateway.gateway import Gateway
from mock_slb.gateway.known_actions import API_ACTIONS, METADATA_ACTIONS

MAX_CALLS = 60
"""Of all calls, and of those that failed, the last so many."""
MAX_TEXT = 300
"""Characters of a call's text; a body may be as long as the server takes it."""

View = dict[str, object]


def account_view(gateway: Gateway) -> View:
    """The account with what the data plane has counted, if there is one."""
    view, plane = snapshot(gateway.account), gateway.data_plane
    return view if plane is None else {**view, "data_plane": plane.view()}


def overview(gateway: Gateway) -> View:
    """The account, the faults in force, and the last calls, each list with the newest first."""
    calls = gateway.calls.all()
    failed = [call for call in calls if call.failed]
    return {
        "account": account_view(gateway),
        "faults": gateway.faults.view(),
        "calls": [_call(call) for call in reversed(calls[-MAX_CALLS:])],
        "failed_calls": [_call(call) for call in reversed(failed[-MAX_CALLS:])],
    }


def choices() -> View:
    """Choices that a form can offer: presets of faults, and the actions that they can be for."""
    return {
        "presets": [
            {"name": name, "action": rule.action, "does": rule.in_words()}
            for name, rule in PRESETS.items()
        ],
        "actions": [*API_ACTIONS, *METADATA_ACTIONS],
    }


def _call(call: Call) -> View:
    return {
        "number": call.number,
        "time": call.time,
        "product": call.product,
        "action": _short(call.action),
        "params": {_short(name): _short(value) for name, value in call.params.items()},
        "status": call.status,
        "code": call.code,
        "fault": call.fault,
    }


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
