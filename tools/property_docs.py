"""`make properties`: docs/properties.md, from the spec of the job.

What a description says stands in the spec alone. There a blank line begins a paragraph, and `- ` at
the beginning of a line an item of a list.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "release/jobs/slb-registration-test/spec"
PAGE = ROOT / "docs/properties.md"

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Keys": (
        "credential_source",
        "access_key",
        "secret_key",
        "security_token",
        "credentials_file",
        "ram_role_name",
        "role_arn",
        "session_name",
        "duration",
    ),
    "This VM": ("region", "ecs_region", "instance_id"),
    "Server groups": (
        "load_balancer_id",
        "server_groups",
        "port",
        "dynamic_config_globs",
        "discovery",
    ),
    "Endpoints": ("network", "endpoints", "ca_bundle"),
    "What the agent does": ("register", "mode", "reconcile_interval", "fleet_size"),
    "Health check": ("health_check", "on_unhealthy", "panic_threshold"),
    "Drain": ("drain", "readiness"),
    "Deploy": ("post_start", "dns"),
    "Logs and metrics": ("log", "metrics"),
}
"""Which properties stand below which heading: by name, or by what stands before the first dot."""

HEAD = """\
# Properties

<!-- Made by `make properties` from release/jobs/slb-registration-test/spec: change that. -->

Durations are in seconds, 0.1 at least (`drain.min_wait`: 0) and a day at most. Addresses and \
networks that begin with `::` (`::1`, `::/0`) can be written as they are: the director's YAML \
makes `:1` of them, quoted or not, and the agent takes that for `::1`.

`pre-start` refuses what is wrong, all at once: [operate.md]\
(operate.md#messages-that-end-a-deploy-pre-start).
"""

_CODE = re.compile(
    r"""
    \(\(\w+\)\)                            # a variable
    | (?<![\w`])[/:]{1,2}[\w*](?:[\w./*:-]*[\w/*])?  # a path, ::1
    | \b\w[\w-]*(?:[._/][\w-]+)+           # drain.timeout, access_key, 10.0.0.0/8
    | \b\w+:\ (?:true|false|alb|nlb)\b     # register: false
    """,
    re.VERBOSE,
)
_NAMED = re.compile(r"^([a-z]+):")
"""What an item of a list is about."""

_PLAIN = re.compile(r"[A-Za-z]+/[A-Za-z]+|[0-9]+\.[0-9]+")
"""Two words, such as active/standby, or a number."""


def page(spec: Mapping[str, Any]) -> str:
    """The whole page. Raises ValueError for a property that is in no section, or in two."""
    properties: Mapping[str, Mapping[str, Any]] = spec["properties"]
    placed = {title: [n for n in properties if _is_in(n, of)] for title, of in SECTIONS.items()}
    where = [name for names in placed.values() for name in names]
    if sorted(where) != sorted(properties):
        odd = {name for name in properties if where.count(name) != 1}
        raise ValueError(f"in no section of {__file__}, or in two: {', '.join(sorted(odd))}")
    parts = [HEAD, _index(placed, properties)]
    for title, names in placed.items():
        parts.append(f"## {title}\n")
        parts += [_one(name, properties[name]) for name in names]
    return "\n".join(parts)


def _is_in(name: str, section: tuple[str, ...]) -> bool:
    return name in section or name.partition(".")[0] in section


def _index(placed: Mapping[str, list[str]], properties: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| property | default |", "|---|---|"]
    for title, names in placed.items():
        lines.append(f"| **{title}** | |")
        for name in names:
            default = properties[name].get("default")
            shown = "" if default is None else f"`{_flow(default)}`"
            lines.append(f"| [`{name}`](#{anchor(name)}) | {shown} |")
    return "\n".join(lines) + "\n"


def anchor(heading: str) -> str:
    """As GitHub names a heading in links."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _one(name: str, told: Mapping[str, Any]) -> str:
    default, example = told.get("default"), told.get("example")
    facts = [f"{told['type']}"]
    facts.append("no default" if default is None else f"default `{_flow(default)}`")
    block = ""
    if isinstance(example, (dict, list)) and len(_flow(example)) > 60:
        block = f"\nFor example:\n\n```yaml\n{_block({name: example})}```\n"
    elif example is not None:
        facts.append(f"for example `{_flow(example)}`")
    text = "\n\n".join(_paragraphs(told["description"]))
    return f"### {name}\n\n{'; '.join(facts)}\n\n{text}\n{block}"


def _paragraphs(description: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", description.strip()):
        items = re.split(r"^- ", paragraph, flags=re.MULTILINE)
        before, *rest = (_marked(" ".join(item.split())) for item in items)
        if before:
            yield before
        if rest:
            yield "\n".join("- " + _NAMED.sub(r"`\1`:", item) for item in rest)


def _marked(text: str) -> str:
    """The text with what is typed as code."""

    def mark(found: re.Match[str]) -> str:
        return found[0] if _PLAIN.fullmatch(found[0]) else f"`{found[0]}`"

    return _CODE.sub(mark, text)


def _flow(value: object) -> str:
    """A value as it may stand in a manifest, on one line."""
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).strip()
    return text.removesuffix("...").strip()


def _block(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=False, sort_keys=False, indent=2)
    return text


def main() -> int:
    """Write the page."""
    try:
        PAGE.write_text(page(yaml.safe_load(SPEC.read_text())))
    except ValueError as error:
        print(f"property_docs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
