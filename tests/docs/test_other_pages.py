"""What the other documents list is what the code has: warnings, the mocked cloud, files."""

from __future__ import annotations

import argparse
import re

import yaml
from tests.docs import said
from tests.docs.pages import Block, Table, section, spans, tables
from tests.paths import ROOT

from mock_slb import __main__ as mock_main
from mock_slb.control.changes import CHANGES, read_change
from mock_slb.core.fields import Fields
from mock_slb.gateway.fault_presets import EFFECTS, PRESETS
from slb_registration.commands.orphans import Verdict

DOCS = ROOT / "docs"


def test_every_code_of_a_warning_is_told_and_no_other() -> None:
    rules = said.literals(said.module("preflight.rules"), 1)
    codes = {text for text in rules if re.fullmatch(r"[a-z]+(_[a-z]+)+", text)}
    assert len(codes) > 15
    page = DOCS / "load-balancers.md"
    told = {
        cell.spans[0]
        for table in tables(page)
        if table.rows[0][-1].text == "code"
        for row in table.rows[1:]
        for cell in row[-1:]
    }
    told |= {
        block.spans[0]
        for block in section(page, "What to set")
        if isinstance(block, Block) and block.text.startswith("Code: ")
    }
    told |= {"settings_unread"} & set(spans(page))
    assert told == codes


def test_every_verdict_on_an_orphan_is_told_and_no_other() -> None:
    (table,) = (
        one
        for one in section(DOCS / "operate.md", "Servers whose VM is gone")
        if isinstance(one, Table)
    )
    told = {row[0].text for row in table.rows[1:]}
    assert told == {one.value for one in Verdict} - {Verdict.ALIVE.value}


def test_the_mocked_clouds_changes_are_told_and_no_others() -> None:
    (table,) = (o for o in section(DOCS / "mock.md", "The control API") if isinstance(o, Table))
    assert {span for row in table.rows[1:] for span in row[0].spans} == set(CHANGES)


def test_the_fields_of_the_changes_are_those_of_their_docstrings() -> None:
    (table,) = (o for o in section(DOCS / "mock.md", "The control API") if isinstance(o, Table))
    for row in table.rows[1:]:
        for name in row[0].spans:
            told = set(re.findall(r"\w+\??", row[1].text))
            braces = re.match(r"\{([^}]*)\}", CHANGES[name].__doc__ or "")
            fields = set(re.findall(r"\w+\??", braces[1] if braces else ""))
            assert fields <= told, name


def test_the_mocked_clouds_faults_are_told_and_no_others() -> None:
    _, presets = (one for one in section(DOCS / "mock.md", "Faults") if isinstance(one, Table))
    assert {span for row in presets.rows[1:] for span in row[0].spans} == set(PRESETS)
    told = {s for b in section(DOCS / "mock.md", "Faults") if isinstance(b, Block) for s in b.spans}
    assert {re.sub(r"^effect: ", "", span) for span in told} >= set(EFFECTS)


def test_the_mocked_clouds_options_are_told() -> None:
    parser: argparse.ArgumentParser = mock_main._parser()
    options = {one for action in parser._actions for one in action.option_strings} - {
        "-h",
        "--help",
    }
    told = " ".join(spans(DOCS / "mock.md"))
    assert {one for one in options if one not in told} == set()


def test_the_pages_example_of_a_seed_is_one() -> None:
    (code,) = (
        one
        for one in section(DOCS / "mock.md", "The control API")
        if isinstance(one, Block) and one.text.startswith("yaml\n")
    )
    for change in yaml.safe_load(code.text.removeprefix("yaml\n"))["changes"]:
        read_change(Fields(change))


def test_every_file_of_the_agent_is_in_the_table_of_modes() -> None:
    """Of those that modules name as theirs."""
    names = {
        text
        for tree in said.modules().values()
        for node, scopes in said.walked(tree)
        if isinstance(node, said.ast.Assign)
        and said.ast.unparse(node.targets[0]) in ("FILE_NAME", "LOCK_NAME")
        for text in said.words(node.value, scopes)
    }
    assert {"journal.json", "readiness", "warnings.json", "agent.lock"} <= names
    told = " ".join(spans(DOCS / "security.md"))
    assert {name for name in names if name not in told} == set()
