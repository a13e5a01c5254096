"""What the documents name is there: files, make targets, properties, series, options."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from tests.docs.pages import each_page, texts
from tests.paths import ROOT

import property_docs

FOLDERS = ("release/", "tools/", "tests/", "docs/", "src/", "ci/", ".github/")
MADE = ("release/blobs", "release/config/private.yml", "release/releases", "release/.final_builds")
"""What comes only with a release."""


def typed(page: Path) -> list[str]:
    """What stands in code: spans, and the lines of blocks."""
    found: list[str] = []
    for block in texts(page):
        found += block.text.splitlines()[1:] if block.kind == "code" else block.spans
    return found


@each_page
def test_files_are_there(page: Path) -> None:
    for text in typed(page):
        for path in re.findall(r"(?<![\w./*-])[\w.*-]+(?:/[\w.*-]+)*/?", text):
            if path.startswith(FOLDERS) and not path.startswith(MADE):
                assert any(ROOT.glob(path.rstrip("/"))), path


@each_page
def test_make_targets_are_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    named = {name for text in typed(page) for name in re.findall(r"^make ([a-z][a-z-]*)", text)}
    assert named <= targets


@each_page
def test_properties_are_there(page: Path) -> None:
    properties = yaml.safe_load(property_docs.SPEC.read_text())["properties"]
    prefixes = {name.partition(".")[0] for name in properties if "." in name}
    for block in texts(page):
        for span in block.spans:
            name = re.sub(r":.*|\.\*$", "", span)
            if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name) and name.split(".")[0] in prefixes:
                known = any(one == name or one.startswith(f"{name}.") for one in properties)
                assert known or name.endswith((".yml", ".md", ".log", ".json")), name


@each_page
def test_series_are_there(page: Path) -> None:
    table = {span for block in texts(ROOT / "docs/metrics.md") for span in block.spans}
    named = {
        name
        for text in typed(page)
        for name in re.findall(r"\bslb_registration_[a-z_]+\b(?!\.json|/)", text)
    }
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} <= table


@each_page
def test_commands_of_the_agent_are_there(page: Path) -> None:
    """`slb-registration COMMAND --option`: as the parser takes them."""
    from slb_registration.commands import cli

    commands = cli._parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    for text in typed(page):
        for name, rest in re.findall(r"slb-registration ([a-z]+)\b([^|;&'\n]*)", text):
            assert name in commands, text
            known = {one for action in commands[name]._actions for one in action.option_strings}
            assert set(re.findall(r"--[a-z-]+", rest)) <= known, text
