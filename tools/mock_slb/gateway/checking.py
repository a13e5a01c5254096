"""Parameters are checked by the contract, before an action sees them.

What is not in the contract is ignored, as the API does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mock_slb.alb_nlb import errors as group_errors
from mock_slb.alb_nlb.product import ALB, NLB
from mock_slb.clb import errors as clb_errors
from mock_slb.contract import ARRAY, BOOLEAN, INTEGER, Contract, Parameter
from mock_slb.contract.exceptions import REFUSED
from mock_slb.core import errors
from mock_slb.core.digits import whole_number
from mock_slb.core.errors import ApiError
from mock_slb.core.filters import MAX_TAG_KEY

_BOOLEANS = frozenset({"true", "false", "1", "0"})
_ELEMENT = re.compile(r"(?P<list>\w+)\.(?P<number>[1-9][0-9]{0,4})(?:\.(?P<field>\w+))?")

Params = Mapping[str, str]
Elements = Mapping[int, Mapping[str, str]]
"""The elements of a list by their number: fields by name, a plain element under ""."""


@dataclass(frozen=True)
class _Wording:
    """A product's refusals where it documents no code for this very parameter."""

    missing: Callable[[str], ApiError]
    illegal: Callable[[str], ApiError]


_WORDINGS: Mapping[str, _Wording] = {
    "slb": _Wording(clb_errors.missing_parameter, lambda _: clb_errors.invalid_parameter()),
    "alb": _Wording(lambda name: group_errors.missing(ALB, name), group_errors.illegal),
    "nlb": _Wording(lambda name: group_errors.missing(NLB, name), group_errors.illegal),
    "sts": _Wording(
        errors.missing_common_parameter,
        lambda name: ApiError(f"InvalidParameter.{name}", ""),
    ),
    "ecs": _Wording(
        lambda name: ApiError(f"MissingParameter.{name}", ""),
        lambda name: ApiError(f"InvalidParameter.{name}", ""),
    ),
}
_MISSING = ("MissingParam.{}", "MissingParameter.{}")
_ILLEGAL = ("IllegalParam.{}", "InvalidParam.{}", "InvalidParameter.{}")
_TOO_MANY = ("IllegalParamSize.{}", "SizeLimitExceeded.{}", *_ILLEGAL)


def check(contract: Contract, params: Params) -> None:
    """Raises ApiError for the first parameter that the reference does not allow."""
    lists = _lists(params)
    for name, parameter in contract.parameters.items():
        if parameter.type == ARRAY:
            _check_list(contract, parameter, lists.get(name, {}))
        else:
            _check_value(contract, parameter, params.get(name), name)
        given = params.get(name) or name in lists
        if given and (why := REFUSED.get((contract.product, contract.action, name))) is not None:
            raise _refusal(
                contract, _ILLEGAL, name, f"the mocked cloud does not filter by {name}: {why}"
            )


def _lists(params: Params) -> Mapping[str, Elements]:
    lists: dict[str, dict[int, dict[str, str]]] = {}
    for name, value in params.items():
        match = _ELEMENT.fullmatch(name)
        if match is not None:
            elements = lists.setdefault(match["list"], {})
            elements.setdefault(int(match["number"]), {})[match["field"] or ""] = value
    return lists


def _check_list(contract: Contract, parameter: Parameter, elements: Elements) -> None:
    name = parameter.name
    if parameter.required and not elements:
        raise _missing(contract, name, name)
    if parameter.most is not None and len(elements) > parameter.most:
        text = f"it takes {parameter.most} at most, not {len(elements)}"
        raise _refusal(contract, _TOO_MANY, name, f"{name}: {text}")
    for number, element in sorted(elements.items()):
        for field in parameter.fields:
            _check_value(contract, field, element.get(field.name), f"{name}.{number}.{field.name}")
        if name == "Tag":
            _check_tag(contract, element, number)


def _check_tag(contract: Contract, element: Mapping[str, str], number: int) -> None:
    key = element.get("Key", "")
    if not key:
        raise _missing(contract, "TagKey", f"Tag.{number}.Key")
    if len(key) > MAX_TAG_KEY:
        text = f"it takes {MAX_TAG_KEY} characters at most, not {len(key)}"
        raise _refusal(contract, _ILLEGAL, "TagKey", f"Tag.{number}.Key: {text}")


def _check_value(contract: Contract, parameter: Parameter, value: str | None, place: str) -> None:
    if not value:
        if parameter.required:
            raise _missing(contract, parameter.name, place)
        return
    for why in _wrong(parameter, value):
        raise _refusal(contract, _ILLEGAL, parameter.name, f"{place}: {why}")


def _wrong(parameter: Parameter, value: str) -> Iterator[str]:
    shown = value if len(value) <= 40 else f"{value[:40]}…"
    if parameter.type == BOOLEAN and value.lower() not in _BOOLEANS:
        yield f"it must be true or false, not {shown}"
    if parameter.choices and value not in parameter.choices:
        yield f"it must be one of {', '.join(parameter.choices)}, not {shown}"
    if parameter.type != INTEGER:
        return
    number = _number(value)
    if number is None:
        yield f"it must be a whole number, not {shown}"
    elif parameter.low is not None and number < parameter.low:
        yield f"it must be {parameter.low} at least, not {number}"
    elif parameter.high is not None and number > parameter.high:
        yield f"it must be {parameter.high} at most, not {number}"


def _number(value: str) -> int | None:
    # Moments in milliseconds have more digits than other numbers.
    if re.fullmatch(r"[0-9]{10,18}", value):
        return int(value)
    return whole_number(value)


def _missing(contract: Contract, name: str, place: str) -> ApiError:
    code = _documented(contract, _MISSING, name)
    if code is not None:
        return ApiError(code, f"The parameter {place} is missing.")
    return _WORDINGS[contract.product].missing(name)


def _refusal(contract: Contract, codes: tuple[str, ...], name: str, text: str) -> ApiError:
    """A refusal under the most exact code that the action documents for this parameter."""
    code = _documented(contract, codes, name) or _WORDINGS[contract.product].illegal(name).code
    return ApiError(code, f"The specified parameter is not valid; {text}.")


def _documented(contract: Contract, codes: tuple[str, ...], name: str) -> str | None:
    exact = (code.format(name) for code in codes)
    return next((code for code in exact if code in contract.codes), None)
