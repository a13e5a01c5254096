"""The create-env context against what the BOSH CLI's own renderer made of the same templates."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from tests.paths import ROOT

from bosh_release.render.ruby.erb import CREATE_ENV, Filled, JobTemplates, Template, fill_in

pytestmark = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)

GOLDEN = json.loads((ROOT / "tests/release/golden/render.json").read_text())
CASES: list[dict[str, Any]] = GOLDEN["cases"]


@pytest.fixture(scope="module")
def filled() -> dict[str, Filled]:
    jobs = [
        JobTemplates(
            case["name"],
            case["context"],
            [Template("$SRC", "$SRC", case["template"].encode())],
        )
        for case in CASES
    ]
    results = fill_in(jobs, CREATE_ENV)
    return {case["name"]: files[0] for case, files in zip(CASES, results, strict=True)}


@pytest.fixture(scope="module")
def same_ruby() -> bool:
    version = subprocess.run(
        ["ruby", "--version"], capture_output=True, text=True, check=True
    ).stdout
    golden: str = GOLDEN["ruby"]
    return version.split()[1].split(".")[:2] == golden.split()[1].split(".")[:2]


def across_rubies(text: str) -> str:
    """Drop what differs between versions of Ruby: how it quotes and words its own errors."""
    text = re.sub(r'^( *)"([yn])":', r"\1\2:", text, flags=re.M)
    text = re.sub(r"`(\w+)'", r"'\1'", text).replace('" => ', '"=>')
    text = re.sub(r"(undefined method '\w+' for ).*", r"\1", text)
    return re.sub(r"(#<SyntaxError:).*", r"\1", text)


def test_all_cases_are_there() -> None:
    assert len(CASES) == 26


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_create_env_renders_like_the_cli(
    case: dict[str, Any], filled: dict[str, Filled], same_ruby: bool
) -> None:
    result = filled[case["name"]]
    if case["rc"] == 0:
        assert result.error is None
        found, expected = result.content.decode(), case["output"]
    else:
        # the CLI shows the first line of what Ruby prints for an uncaught RuntimeError
        assert result.error is not None
        found, expected = result.error.split("\n")[0], case["error"].removesuffix(" (RuntimeError)")
    if not same_ruby:
        found, expected = across_rubies(found), across_rubies(expected)
    assert found == expected
