"""The Prometheus text form.

https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4). It is small enough to
be written here; the client library would be one more blob to patch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from slb_registration.cloud.call_counter import Timed

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def gauge(name: str, help_text: str, samples: Iterable[Sample]) -> str:
    """A family of values that go up and down."""
    return _family(name, "gauge", help_text, (_line(name, *sample) for sample in samples))


def counter(name: str, help_text: str, samples: Iterable[Sample]) -> str:
    """A family of values that only grow."""
    return _family(name, "counter", help_text, (_line(name, *sample) for sample in samples))


def histogram(
    name: str, help_text: str, bounds: Sequence[float], samples: Iterable[tuple[Labels, Timed]]
) -> str:
    """A family of distributions with these bounds."""
    lines = []
    for labels, timed in samples:
        for bound, number in zip(bounds, timed.cumulative, strict=True):
            lines.append(_line(f"{name}_bucket", {**labels, "le": f"{bound:g}"}, number))
        lines.append(_line(f"{name}_bucket", {**labels, "le": "+Inf"}, timed.count))
        lines.append(_line(f"{name}_sum", labels, timed.seconds))
        lines.append(_line(f"{name}_count", labels, timed.count))
    return _family(name, "histogram", help_text, lines)


def _family(name: str, kind: str, help_text: str, lines: Iterable[str]) -> str:
    head = [f"# HELP {_full(name)} {help_text}", f"# TYPE {_full(name)} {kind}"]
    return "\n".join([*head, *lines]) + "\n"


def _line(name: str, labels: Labels, value: float) -> str:
    text = ",".join(f'{key}="{_escape(item)}"' for key, item in labels.items())
    return f"{_full(name)}{{{text}}} {value:.15g}" if text else f"{_full(name)} {value:.15g}"


def _full(name: str) -> str:
    return f"slb_registration_{name}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
