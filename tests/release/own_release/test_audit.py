"""`make audit`: what it makes of pip-audit's answers, which it cannot have without the network."""

from __future__ import annotations

import json
import sys

import pytest

import audit

WEAK = {
    "name": "requests",
    "version": "2.18.3",
    "vulns": [
        {"id": "PYSEC-2018-28", "fix_versions": ["2.20.0"], "aliases": [], "description": ""}
    ],
}
WELL = {"name": "six", "version": "1.16.0", "vulns": []}
SKIPPED = {"name": "urllib3", "skip_reason": "Dependency not found on PyPI and could not be …"}


@pytest.mark.parametrize(
    ("entries", "code", "told"),
    [
        ([WELL], 0, ["0 known weaknesses in 1 packages"]),
        ([WELL, WEAK], 1, ["1 known weaknesses in 2", "requests 2.18.3: PYSEC-2018-28, fixed in"]),
        (
            [WEAK, SKIPPED],
            3,
            ["1 of 2 packages could not", "urllib3, or cannot be reached", "PYSEC"],
        ),
        ([SKIPPED], 3, ["1 of 1 packages could not be asked after"]),
        (None, 3, ["PyPI could not be asked: ConnectionError: no network"]),
    ],
)
def test_the_exit_code_is_0_only_where_every_package_was_asked_after_and_is_well(
    entries: list[dict[str, object]] | None,
    code: int,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = (
        "print(sys.argv[1])" if entries else "sys.exit('Traceback …\\nConnectionError: no network')"
    )
    stand_in = (
        sys.executable,
        "-c",
        f"import sys; {answer}",
        json.dumps({"dependencies": entries}),
    )
    monkeypatch.setattr(audit, "_PIP_AUDIT", stand_in)

    assert audit.main([]) == code

    said = capsys.readouterr()
    for text in told:
        assert text in said.out + said.err
    assert ("known weaknesses" in said.out) == (entries is not None and entries != [SKIPPED])
