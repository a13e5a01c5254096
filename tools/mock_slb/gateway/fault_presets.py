"""Faults by name, and fault rules as JSON or YAML."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import replace

from mock_slb.contract import documented_status
from mock_slb.core.fields import Fields, InputError
from mock_slb.gateway.faults import HTML_502, Cut, Delay, Effect, Refuse, Reply, Reset, Rule
from mock_slb.gateway.known_actions import action_pattern
from mock_slb.gateway.products import PRODUCTS
from mock_slb.gateway.shapes import EMPTY_FORMS, Reshape

MANY = 1_000_000
EFFECTS = ("refuse", "reply", "reset", "cut", "delay", "reshape")

PRESETS: Mapping[str, Rule] = {
    "throttled": Rule(
        Refuse("Throttling.User", 400, "Request was denied due to user flow control."),
        name="throttled",
    ),
    "busy": Rule(
        Refuse(
            "BackendServer.configuring",
            409,
            "A previous configuration of the load balancer is pending; please try again later.",
        ),
        action="*BackendServers",
        name="busy",
    ),
    "unavailable": Rule(
        Refuse(
            "ServiceUnavailable",
            503,
            "The request has failed due to a temporary failure of the server now.",
        ),
        name="unavailable",
    ),
    "forbidden": Rule(
        Refuse("Forbidden", 403, "User not authorized to operate on the specified resource."),
        name="forbidden",
    ),
    "expired_token": Rule(
        Refuse("InvalidSecurityToken.Expired", 400, "Specified SecurityToken is expired."),
        name="expired_token",
    ),
    "bad_gateway": Rule(Reply(502, HTML_502), name="bad_gateway"),
    "empty": Rule(Reply(200, b"", "application/json"), name="empty"),
    "truncated": Rule(Reply(200, b'{"RequestId":"4C2E', "application/json"), name="truncated"),
    "not_utf8": Rule(Reply(500, b'{"Code":"\xff\xfe"}', "application/json"), name="not_utf8"),
    "cut_off": Rule(Cut(), name="cut_off"),
    "reset": Rule(Reset(), name="reset"),
    "lost_answer": Rule(Reset(), after_change=True, name="lost_answer"),
    "slow": Rule(Delay(1.0), name="slow"),
    **{f"empty_{form}": Rule(Reshape(empty=form), name=f"empty_{form}") for form in EMPTY_FORMS},
    "numbers_as_text": Rule(Reshape(numbers_as_text=True), name="numbers_as_text"),
    "same_next_token": Rule(
        Reshape(next_token="FFmyTO70tTagain"),  # noqa: S106 - no secret
        name="same_next_token",
    ),
    "no_token_endpoint": Rule(
        Reply(404, b"<html><title>404 - Not Found</title></html>"),
        action="metadata:token",
        name="no_token_endpoint",
    ),
    "metadata_gone": Rule(Reset(), action="metadata:*", name="metadata_gone"),
}


def preset(
    name: str,
    action: str | None = None,
    *,
    times: int | None = None,
    skip: int = 0,
    match: Mapping[str, str] | None = None,
) -> Rule:
    """A fault by name, for some action only where one is given. Raises InputError."""
    if name not in PRESETS:
        raise InputError(f"preset must be one of {', '.join(PRESETS)}: {name!r}")
    rule = PRESETS[name]
    return replace(
        rule, action=action or rule.action, times=times, skip=skip, match=dict(match or {})
    )


def read_rule(fields: Fields) -> Rule:
    """A rule from its fields. Raises InputError."""
    if "preset" in fields:
        rule = preset(fields.choice("preset", tuple(PRESETS)))
        if isinstance(rule.effect, Delay):
            rule = replace(rule, effect=Delay(fields.number("seconds", rule.effect.seconds)))
        rule = replace(rule, action=action_pattern(fields, rule.action))
    else:
        read_effect = _EFFECTS[fields.choice("effect", EFFECTS)]
        rule = Rule(Reset(), action=action_pattern(fields, "*"), match=fields.texts("match"))
        rule = replace(rule, effect=read_effect(fields, rule))
    rule = replace(
        rule,
        name=fields.text("name", rule.name or "fault"),
        match=rule.match or fields.texts("match"),
        times=fields.optional_whole("times", low=1, high=MANY),
        lasts=fields.optional_number("lasts"),
        skip=fields.whole("skip", 0, high=MANY),
        probability=fields.number("probability", 1.0, high=1.0),
        after_change=fields.flag("after_change", rule.after_change),
    )
    fields.done()
    return rule


def _refuse(fields: Fields, rule: Rule) -> Effect:
    code = fields.text("code")
    return Refuse(
        code,
        fields.whole("status", _status_of(code, rule), low=400, high=599),
        fields.text("message", Refuse("").message),
    )


def _status_of(code: str, rule: Rule) -> int:
    """As the code is documented for the action; 400 where it is not."""
    product = PRODUCTS.get(rule.match.get("Version", ""))
    names = [one.name for one in PRODUCTS.values()] if product is None else [product.name]
    return documented_status(names, rule.action, code) or Refuse(code).status


def _reply(fields: Fields, _: Rule) -> Effect:
    text, encoded = fields.optional_text("body"), fields.optional_text("body_base64")
    if text is not None and encoded is not None:
        raise InputError(f"{fields.place('body_base64')}: give this or body, not both")
    try:
        body = (text or "").encode() if encoded is None else b64decode(encoded, validate=True)
    except ValueError as error:
        raise InputError(f"{fields.place('body_base64')} is not Base64: {error}") from None
    return Reply(
        fields.whole("status", 502, low=200, high=599),
        body,
        fields.text("content_type", "text/html"),
    )


def _reshape(fields: Fields, _: Rule) -> Effect:
    shape = Reshape(
        empty=fields.choice("empty", EMPTY_FORMS) if "empty" in fields else None,
        numbers_as_text=fields.flag("numbers_as_text", False),
        without=fields.names("without"),
        next_token=fields.optional_text("next_token"),
    )
    if shape == Reshape():
        known = f"empty ({', '.join(EMPTY_FORMS)}, each a text), numbers_as_text, without"
        raise InputError(f"{fields.place('effect')}: reshape needs {known} or next_token")
    return shape


_EFFECTS: Mapping[str, Callable[[Fields, Rule], Effect]] = {
    "refuse": _refuse,
    "reply": _reply,
    "reset": lambda *_: Reset(),
    "cut": lambda fields, _: Cut(fields.number("share", Cut().share, high=1.0)),
    "reshape": _reshape,
    "delay": lambda fields, _: Delay(fields.number("seconds")),
}
