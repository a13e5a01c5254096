"""The text for a person and the document for a program: what both tell of the entries."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from tests.unit.commands.orphans.operator_account import MARK, NLB, Operator
from tests.unit.driver import PORT

from mock_slb.core.resources import EcsAccess
from slb_registration.commands.orphans import report


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_the_text_fits_80_columns_and_tells_how_to_remove(operator: Operator):
    operator.gain("i-bp1abcdefghijklmnopqrst")
    operator.register("i-bp1abcdefghijklmnopqrst", f"{MARK}/{'后端服务器' * 6}")
    operator.lose("i-bp1abcdefghijklmnopqrst")
    operator.account.force_health("i-lives", "normal")
    operator.fault("Forbidden.RAM", 403, "ListServerGroups")
    operator.account.ecs_access = EcsAccess(denied=True)
    code, out, err = operator.text()
    assert (code, err) == (1, "")
    assert max(map(columns, out.splitlines())) <= 80
    assert "--remove i-gone" in out
    assert "guess" in out


@pytest.mark.parametrize("indent", [0, 4])
@pytest.mark.parametrize("letter", ["x", "后"])
def test_a_word_of_any_length_is_cut_without_a_space_and_fits(indent: int, letter: str):
    for length in range(30, 165):
        lines = report.wrapped(f"so {letter * length} on", indent)
        assert max(map(columns, lines)) <= 80
        told = "".join(line[indent:] if n == 0 else line.strip() for n, line in enumerate(lines))
        assert letter * length in told


def test_control_characters_do_not_reach_the_terminal(operator: Operator):
    evil = "bosh/x\x1b[2J\r\n\x07\u202e"
    operator.gain("i-evil")
    operator.nlb.add_server("i-evil", port=PORT, description="bosh/x")
    held = operator.nlb._members.now
    for key in [key for key in held if key.server_id == "i-evil"]:
        held[key] = replace(held[key], description=evil)
    operator.lose("i-evil")
    for arguments in ((), ("--remove", "i-evil\x1b[2J")):
        _, out, err = operator.text(*arguments, groups=(NLB,))
        assert "i-evil" in out
        assert all(c.isprintable() or c == "\n" for c in out + err)


FIELDS = [
    "schema", "ok", "complete", "error", "region", "instance_id", "ecs", "groups", "unmarked",
    "own", "alive", "entries", "refused", "problems",
]  # fmt: skip


def test_a_failure_is_a_document_too(operator: Operator):
    code, document = operator.run(instance_id="i-another")
    assert (code, list(document)) == (1, FIELDS)
    assert "i-another is given" in document["error"]
    code, document = operator.run(colour="red")
    assert (code, document["ok"], document["complete"]) == (1, False, False)
    assert "colour" in document["error"]


def test_the_document_has_these_fields(operator: Operator):
    _, document = operator.run("--remove", "i-gone", "--remove", "i-none")
    assert list(document) == FIELDS
    assert list(document["entries"][0]) == [
        "server_group", "server_id", "server_type", "server_ip", "port", "weight", "description",
        "spec_id", "health", "verdict", "because", "removed", "problem",
    ]  # fmt: skip
    assert document["entries"][0]["health"] == [{"listener": "tcp:80", "status": "abnormal"}]
    assert (document["schema"], document["alive"], document["groups"]) == (1, 4, 4)
    assert document["ecs"] is None
