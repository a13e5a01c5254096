"""Hostile inputs: real documents with something wrong in them, and values that fit nowhere."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

ODD_TEXTS = (
    *("", " ", "0", "-1", "1e9", "null", "true", "../../etc/passwd", "/dev/zero", "a" * 70_000),
    *(
        "\0",
        "\n",
        "\r\n\r\n",
        "\x1b]0;title\x07\x1b[2J",
        "\u202eevil",
        "\u2028",
        "\ud800",
        "\udcff",
    ),
    *("'", '"', "\\", "%00%0a", "${x}", "{{x}}", "((x))", "①", "🦊", "\x85"),
)
_MOST_PLACES = 2000
"""So that lists in lists, each repeated, do not make the input itself too large."""

ODD_NUMBERS = (
    *(0, -1, 1, 100, 65535, 65536, 2**31, 2**63, 2**64, -(2**63), 10**400),
    *(0.5, -0.0, 1e308, float("inf"), float("-inf"), float("nan")),
)

odd_scalars: SearchStrategy[Any] = st.one_of(
    st.sampled_from((None, True, False, *ODD_NUMBERS, *ODD_TEXTS)),
    st.integers(),
    st.text(max_size=12),
)


def nested(depth: int) -> list[Any]:
    """A list in a list, `depth` times."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


# Copies, since an input is changed further: what is drawn again must be as it was.
odd_values: SearchStrategy[Any] = st.one_of(
    odd_scalars,
    st.sampled_from(([], {}, [[]], [{}], [None], {"": None}, nested(60), [{}] * 300)),
    st.recursive(
        odd_scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
        ),
        max_leaves=6,
    ),
).map(copy.deepcopy)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside of a document."""
    if isinstance(document, dict):
        steps: Any = document.items()
    elif isinstance(document, list):
        steps = enumerate(document)
    else:
        return
    for key, value in steps:
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def broken(draw: DrawFn, documents: Sequence[Any], most: int = 4) -> Any:
    """One of the documents with up to `most` changes at any depth."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(0, most))):
        document = _change(draw, document)
    return document


def _change(draw: DrawFn, document: Any) -> Any:
    known = list(islice(places(document), _MOST_PLACES))
    if not known or draw(st.integers(0, 60)) == 0:
        return draw(odd_values)
    *path, key = draw(st.sampled_from(known))
    holder = document
    for step in path:
        holder = holder[step]
    change = draw(st.sampled_from((_replace, _replace, _nearly, _nearly, _drop, _wrap, _repeat)))
    if draw(st.integers(0, 9)) == 0:
        holder[key] = copy.deepcopy(_at(document, draw(st.sampled_from(known))))
    elif isinstance(holder, dict) and draw(st.integers(0, 9)) == 0:
        holder[draw(st.text(max_size=8) | st.sampled_from(ODD_TEXTS))] = draw(odd_values)
    else:
        change(draw, holder, key)
    return document


def _replace(draw: DrawFn, holder: Any, key: Any) -> None:
    holder[key] = draw(odd_values)


def _nearly(draw: DrawFn, holder: Any, key: Any) -> None:
    """A change that only who reads closely notices."""
    value = holder[key]
    if isinstance(value, str):
        holder[key] += draw(st.sampled_from(ODD_TEXTS))
    elif isinstance(value, (int, float)):
        holder[key] = draw(st.sampled_from((*ODD_NUMBERS, str(value), None)))
    else:
        holder[key] = draw(st.sampled_from(([], {}, None, "")))


def _drop(draw: DrawFn, holder: Any, key: Any) -> None:
    del holder[key]


def _wrap(draw: DrawFn, holder: Any, key: Any) -> None:
    holder[key] = [holder[key]]


def _repeat(draw: DrawFn, holder: Any, key: Any) -> None:
    size = sum(1 for _ in islice(places(holder[key]), _MOST_PLACES)) + 1
    times = min(draw(st.sampled_from((2, 30, 300))), _MOST_PLACES // size)
    holder[key] = holder[key] * times if isinstance(holder[key], list) else [holder[key]] * times


def _at(document: Any, path: Sequence[Any]) -> Any:
    for step in path:
        document = document[step]
    return document


@st.composite
def mutated(draw: DrawFn, seeds: Sequence[bytes], most: int = 6) -> bytes:
    """One of the seeds with bytes flipped, put in, taken out, repeated or cut off."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.sampled_from((1, 2, 8, 64, 512)))
        what = draw(st.sampled_from(("flip", "set", "insert", "delete", "repeat", "cut")))
        if what == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif what == "set":
            data[at : at + length] = draw(st.binary(min_size=1, max_size=12))
        elif what == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=64))
        elif what == "delete":
            del data[at : at + length]
        elif what == "repeat":
            data[at:at] = data[at : at + length] * draw(st.sampled_from((1, 50)))
        else:
            del data[at:]
    return bytes(data)


def as_json(documents: SearchStrategy[Any]) -> SearchStrategy[bytes]:
    """Documents as JSON of any maker: NaN and Infinity, lone surrogates, numbers without end."""
    return documents.map(lambda document: json.dumps(document).encode())


def texts(document: Any) -> list[str]:
    """Every text in a document, keys included."""
    if isinstance(document, str):
        return [document]
    if isinstance(document, Mapping):
        return [one for pair in document.items() for part in pair for one in texts(part)]
    return [one for part in document for one in texts(part)] if isinstance(document, list) else []
