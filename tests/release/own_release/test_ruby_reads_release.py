"""The release's YAML, read by Ruby: the director's reader, for which some texts are something else.

A plain scalar that begins with `:` is a Symbol to it (ruby/psych#669), `1,000` is an integer.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bosh_release.yaml.untyped import read_yaml
from demo.workshop import ROOT

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="ruby is missing")

RELEASE = ROOT / "release"
FILES = sorted(
    {
        *RELEASE.glob("*/**/spec"),
        *(path for path in RELEASE.glob("*/**/*.y*ml") if "dev_releases" not in path.parts),
    }
)

# As cloudfoundry/bosh does (models/release_job.rb); before psych 4 aliases were always taken. A
# value that JSON has no word for is given as the name of its class beside what it looks like.
READ_AS_THE_DIRECTOR = r"""
require 'yaml'
require 'json'

def plain(value)
  case value
  when Hash then value.map { |key, item| [plain(key), plain(item)] }
  when Array then value.map { |item| plain(item) }
  when String, Integer, Float, true, false, nil then value
  else "#{value.class} #{value.inspect}"
  end
end

puts JSON.generate(ARGV.map do |path|
  begin
    plain(YAML.load_file(path, aliases: true))
  rescue ArgumentError
    plain(YAML.load_file(path))
  end
end)
"""


def read_by_ruby(*paths: Path) -> list[Any]:
    done = subprocess.run(
        ["ruby", "-e", READ_AS_THE_DIRECTOR, *map(str, paths)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return list(json.loads(done.stdout))


def pairs(value: Any) -> Any:
    """Write maps as the lists of pairs that the Ruby above makes of them: keys keep their types."""
    if isinstance(value, dict):
        return [[pairs(key), pairs(item)] for key, item in value.items()]
    if isinstance(value, list):
        return [pairs(item) for item in value]
    return value


def text(value: Any) -> str:
    """Tell types apart as well: 1, 1.0 and true are equal in Python."""
    return json.dumps(value, indent=1)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(RELEASE)))
def test_the_director_reads_what_go_reads(path: Path) -> None:
    (by_ruby,) = read_by_ruby(path)

    assert text(by_ruby) == text(pairs(read_yaml(path)))


def test_every_yaml_file_of_the_release_is_among_them() -> None:
    names = {str(path.relative_to(RELEASE)) for path in FILES}

    assert names >= {
        "jobs/slb-registration-test/spec",
        "packages/aliyun_py/spec",
        "packages/aliyun_python_sdk_slb/spec",
        "config/blobs.yml",
        "config/final.yml",
        "manifests/slb-registration.yml",
        "manifests/operations/nlb.yml",
    }


@pytest.mark.parametrize(
    ("text", "read"), [("::1/128", 'Symbol :":1/128"'), (":a", "Symbol :a"), ("1,000", 1000)]
)
def test_this_reader_shows_what_ruby_takes_for_something_else(
    tmp_path: Path, text: str, read: str | int
) -> None:
    path = tmp_path / "spec"
    path.write_text(f"default: {text}\n")

    assert read_by_ruby(path) == [[["default", read]]]
