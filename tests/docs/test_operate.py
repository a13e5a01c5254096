"""docs/operate.md tells of every state and message of the code, in the words of the code.

The messages are read from the source (tests/docs/said.py), so that a new one, or one that is
worded anew, fails here until the page has it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from tests.docs import said
from tests.docs.pages import Block, Table, section, spans
from tests.docs.said import HOLE
from tests.paths import ROOT

from slb_registration.commands import status_table
from slb_registration.reporting import overall

PAGE = ROOT / "docs/operate.md"
TEMPLATES = ROOT / "release/jobs/slb-registration-test/templates"
MESSAGES = "Messages that end a deploy: "

REASONS = (
    "agent.readiness_address",
    "cloud.credentials_file",
    "cloud.ram_role",
    "cloud.sdk_errors",
    "commands.errand",
    "commands.post_start",
    "config.job_files",
    "discovery.job_file_groups",
    "discovery.selection",
    "instance.journal",
    "instance.own_server",
    "membership.startup",
    "reporting.reasons",
    "server_groups.alb_nlb",
    "server_groups.answers",
    "server_groups.clb_active_standby",
    "support.files.trust",
)
"""Modules that say nothing but what a person reads: why a VM is out, and what hinders."""

ELSEWHERE = {
    "carries the tags …",  # why something is joined, which is no trouble
    "named in the manifest or by a co-located job",
    "mode is observe: nothing would be changed in any server group",
    "this VM is in no server group",
    "at weight 0",
    "not in it",
    "for a while",
    "in it with weight …",
    "the primary one",
    "in service in every server group",
    "it takes longer: see status",
    # what follows `the journal …` and `the answer …`
    "is not believed",
    "still cannot be read",
    "no whole number",
    # two texts of one name in the code, of which this is the end of another
    "is false: then give load_balancer_id, server_groups or dynamic_config_globs them and turn "
    "discovery off",
}
"""Parts of other messages, and what tells of no trouble."""


def names_in(heading: str) -> set[str]:
    """The first column of the tables below a heading."""
    tables = [one for one in section(PAGE, heading) if isinstance(one, Table)]
    return {span for table in tables for row in table.rows[1:] for span in row[0].spans}


def missing(messages: Iterable[str]) -> list[str]:
    """Those that no code span of the page says, with holes or filled in."""
    told = spans(PAGE)
    whole = [said.pattern(span) for span in told if said.is_told(span)]

    def is_there(text: str) -> bool:
        pattern = said.pattern(text.strip(f" .,;:{HOLE}"))
        return any(map(pattern.search, told)) or any(one.fullmatch(text) for one in whole)

    wanted = (
        text
        for text in messages
        if said.is_told(text) and text not in ELSEWHERE and text.strip(": …") not in ELSEWHERE
    )
    return sorted(text for text in wanted if not is_there(text))


def test_every_state_of_the_vm_is_told_and_no_other() -> None:
    table = next(one for one in section(PAGE, "State of the VM") if isinstance(one, Table))
    assert [row[0].text for row in table.rows[1:]] == list(overall.STATES)


def test_every_state_of_a_server_group_is_told_and_no_other() -> None:
    states = {
        text
        for node, scopes in said.walked(said.module("reporting.group_word"))
        if isinstance(node, ast.Return) and node.value is not None
        for text in said.words(node.value, scopes)
    }
    states |= said.named_argument("state") - {HOLE}
    states.discard(HOLE)
    (table, *_) = (o for o in section(PAGE, "State in one server group") if isinstance(o, Table))
    assert {row[0].text for row in table.rows[1:]} == states
    assert len(states) > 15


def test_what_is_waited_for_is_told() -> None:
    waits = {text for text in status_table._WAITS.values() if text is not None}
    assert waits <= names_in("State in one server group")


def test_every_problem_of_the_configuration_is_told() -> None:
    problems = said.given_to("problem", 1) | said.returned("_wrong_secret", "config.reader")
    assert len(problems) > 40
    assert missing(problems) == []


def test_every_error_and_warning_that_is_logged_is_told() -> None:
    messages = said.logged(("error", "warning"))
    assert len(messages) > 40
    assert missing(messages) == []


def test_every_failure_that_ends_a_command_is_told() -> None:
    assert missing(said.raised("Failure")) == []


def test_every_reason_is_told() -> None:
    texts = set().union(*(said.literals(said.module(name)) for name in REASONS))
    assert len(texts) > 60
    assert missing(texts) == []


def test_every_advice_on_a_refusal_is_told() -> None:
    advice = said.literals(said.assigned("_ADVICE", "model.errors"))
    for name in ("advice", "_missing_permission"):
        advice |= said.returned(name, "model.errors")
    assert len(advice) > 5
    assert missing(advice) == []


def test_every_trouble_of_a_connection_is_told_with_its_cure() -> None:
    module = said.module("cloud.connection_errors")
    reasons = said.given_to("Trouble", 1)
    cures = {text for name in ("_advice", "_way") for text in said.within(name, module)}
    assert len(reasons) > 10
    assert missing(reasons | cures) == []


def test_what_the_scripts_say_is_told() -> None:
    says = re.compile(r'(?:say|echo) "([^"]*)"(?: >&2|\n|$)')
    texts = {
        re.sub(r"\$(\w|\{[^}]*\})", HOLE, text)
        for path in TEMPLATES.glob("*.erb")
        for text in says.findall(path.read_text())
    }
    texts = {text for text in texts if text.startswith(("run", "drain")) and "already" not in text}
    assert len(texts) >= 5
    assert (
        missing(texts - {"run: '…' is not start or stop; without arguments it is the errand"}) == []
    )


def test_the_page_says_nothing_that_the_code_does_not() -> None:
    """Of what stands where messages do: the first column of their tables."""
    code = said.everything()
    for block in (f"{MESSAGES}pre-start", f"{MESSAGES}post-start", f"{MESSAGES}pre-stop and drain",
                  "What the errand says", "Refusals of the API", "What the agent's log warns of",
                  "Why a VM is not in service", "Hold and resume"):  # fmt: skip
        told = names_in(block)
        assert told
        unknown = {one for one in told if not any(p.search(one) for p in code)}
        assert unknown == set(), block
    assert not any(pattern.search("drain: it went wrong, nobody knows why") for pattern in code)


def test_the_headings_of_messages_are_those_of_the_scripts() -> None:
    """pre-start, post-start, pre-stop and drain: what may fail a deploy."""
    page = {
        b.text for b in section(PAGE, "Operate") if isinstance(b, Block) and b.kind == "heading"
    }
    scripts = {path.name.removesuffix(".erb") for path in TEMPLATES.glob("p*-st*.erb")} | {"drain"}
    told = " ".join(text for text in page if text.startswith(MESSAGES))
    # It fails nothing: it always ends with 0.
    assert {name for name in scripts if name not in told} == {"post-stop"}
