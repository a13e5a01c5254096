"""`tools/release.py sbom`: what the tarball carries, as others read and import it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from tests.paths import ROOT

from bosh_release.build.building import build_release
from bosh_release.cli import main

MakeRelease = Callable[[Mapping[str, Any]], Path]
VENDORED = "aliyunsdkcore.vendored"
MODULES = {
    "requests": f"{VENDORED}.requests",
    "urllib3": f"{VENDORED}.requests.packages.urllib3",
    "chardet": f"{VENDORED}.requests.packages.chardet",
    "certifi": f"{VENDORED}.requests.packages.certifi",
    "six": f"{VENDORED}.six",
}

ASK = """
import importlib, sys
for name in sys.argv[1:]:
    version = importlib.import_module(name).__version__
    print(getattr(version, "__version__", version))  # that of requests is a module, too
"""


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This release's own."""
    output = tmp_path_factory.mktemp("release") / "e2e-test.tgz"
    build_release(ROOT / "release", version="1.2.3", output=output, force=True)
    return output


@pytest.fixture(scope="module")
def document(tarball: Path) -> dict[str, Any]:
    assert main(["sbom", "--quiet", str(tarball)]) == 0
    found: dict[str, Any] = json.loads(tarball.with_suffix(".cdx.json").read_text())
    return found


def works(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is not ours, by name."""
    return {one["name"]: one for one in document["components"] if one["type"] == "library"}


def licence(component: Mapping[str, Any]) -> str:
    return str(component["licenses"][0]["license"]["id"])


def test_it_is_valid_by_the_schema_of_cyclonedx(document: dict[str, Any]) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    text = json.dumps(document)

    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"Apache-2.0"', '"Apache 2"')) is not None


def test_every_wheel_is_there_with_the_digest_that_the_blobs_have(document: dict[str, Any]) -> None:
    blobs = yaml.safe_load((ROOT / "release/config/blobs.yml").read_text())

    listed = {
        one["evidence"]["occurrences"][0]["location"].rpartition("/")[2]: one["hashes"]
        for one in works(document).values()
        if "hashes" in one
    }

    assert listed == {
        path.rpartition("/")[2]: [
            {"alg": "SHA-256", "content": blob["sha"].removeprefix("sha256:")}
        ]
        for path, blob in blobs.items()
    }


def test_copies_have_the_versions_that_they_say_when_imported(document: dict[str, Any]) -> None:
    (wheel,) = (ROOT / "release/blobs/wheels").glob("aliyun_python_sdk_core-*.whl")
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK, *MODULES.values()],
        env={**os.environ, "PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=True,
    )
    versions = dict(zip(MODULES, said.stdout.split(), strict=True))

    assert {name: works(document)[name]["version"] for name in MODULES} == versions
    for name, version in versions.items():
        assert works(document)[name]["purl"] == f"pkg:pypi/{name}@{version}"


def test_the_notice_names_every_work_with_its_licence(document: dict[str, Any]) -> None:
    notice = (ROOT / "NOTICE").read_text()

    named = dict(re.findall(r"^  (\S+) {2,}(\S+)$", notice, re.MULTILINE))

    assert named == {name: licence(one) for name, one in works(document).items()}


def test_whatever_a_wheel_needs_or_copies_hangs_below_it(document: dict[str, Any]) -> None:
    needs = {one["ref"]: set(one.get("dependsOn", [])) for one in document["dependencies"]}
    refs = {name: one["bom-ref"] for name, one in works(document).items()}

    assert needs["release"] == {
        "job/slb-registration-test",
        "package/aliyun_py",
        "package/aliyun_python_sdk_slb",
    }
    assert needs["package/aliyun_py"] == {"package/aliyun_python_sdk_slb"}
    assert {refs["tenacity"], refs["jmespath"]} < needs["package/aliyun_python_sdk_slb"]
    assert needs[refs["aliyun-python-sdk-nlb"]] == {refs["aliyun-python-sdk-core"]}
    assert needs[refs["aliyun-python-sdk-core"]] >= {refs["jmespath"], refs["six"], refs["chardet"]}
    assert refs["six"] not in needs["package/aliyun_python_sdk_slb"]


@pytest.mark.usefixtures("document")
def test_the_bytes_are_the_same_whenever_and_wherever_it_is_made(
    tarball: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "other.tgz"
    elsewhere.write_bytes(tarball.read_bytes())
    subprocess.run(
        [sys.executable, ROOT / "tools/release.py", "sbom", elsewhere],
        env={**os.environ, "PYTHONHASHSEED": "1"},  # the order of sets here is another
        capture_output=True,
        check=True,
    )

    made = (tmp_path / "other.cdx.json").read_bytes()
    assert made == tarball.with_suffix(".cdx.json").read_bytes()
    assert b"timestamp" not in made


# Tarballs of others


def wheel(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


METADATA = "Metadata-Version: 2.1\nName: App.Kit\nVersion: 4.5\nLicense-Expression: MIT OR ISC\n"


@pytest.fixture
def carrying(make_release: MakeRelease, tmp_path: Path) -> Callable[[bytes], Path]:
    """Build a release whose one package has this wheel."""

    def build(content: bytes) -> Path:
        folder = make_release(
            {
                "packages/app/spec": "name: app\nfiles: ['*.whl']\n",
                "packages/app/packaging": "",
                "src/app_kit-4.5-py3-none-any.whl": content,
            }
        )
        output = tmp_path / "others.tgz"
        build_release(folder, version="1", output=output)
        return output

    return build


def listed(tarball: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[Any], str]:
    """The works that --json tells, and what is remarked on."""
    assert main(["sbom", "--json", str(tarball)]) == 0
    said = capsys.readouterr()
    found: list[Any] = json.loads(said.out)["result"]["works"]
    return found, said.err


def test_copies_are_found_wherever_they_are_kept_and_told_apart(
    carrying: Callable[[bytes], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    tarball = carrying(
        wheel(
            {
                "app_kit-4.5.dist-info/METADATA": METADATA,
                "app_kit/__init__.py": "__version__ = '4.5'\n",
                "app_kit/packages/__init__.py": "__version__ = '0'\n",
                "app_kit/_vendor/toml/__init__.py": "from .v import *\n",
                "app_kit/_vendor/toml/deep/er.py": "__version__ = '8'\n",
                "app_kit/_vendor/toml/v.py": "__version__ = '1.0'\n__license__ = 'MIT'\n",
                "app_kit/_vendor/six.py": "__version__ = '1.1'\n",
                "app_kit/extern/lib/vendored/six.py": "__version__ = '1.2'\n",
                "app_kit/extern/lib/__init__.py": "'''Apache 2.0'''\n",
            }
        )
    )

    found, remarks = listed(tarball, capsys)

    assert [(one["name"], one["version"], one["licence"], one["places"]) for one in found] == [
        ("App.Kit", "4.5", "MIT OR ISC", []),
        ("lib", None, "Apache-2.0", ["app_kit/extern/lib"]),
        ("six", "1.1", None, ["app_kit/_vendor/six.py"]),
        ("six", "1.2", None, ["app_kit/extern/lib/vendored/six.py"]),
        ("toml", "1.0", "MIT", ["app_kit/_vendor/toml"]),
    ]
    assert remarks.count("six in app_kit-4.5-py3-none-any.whl: its licence is not known") == 2
    written = tarball.with_suffix(".cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no wheel", "it is not a wheel: File is not a zip file"),
        (wheel({"x.py": ""}), "it has 0 files NAME.dist-info/METADATA instead of one"),
        (wheel({"a.dist-info/METADATA": "Name: a\n"}), "has no Name or no Version"),
    ],
)
def test_what_is_no_wheel_is_refused_by_name(
    content: bytes,
    reason: str,
    carrying: Callable[[bytes], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sbom", str(carrying(content))]) == 1
    said = capsys.readouterr().err
    assert "Reading 'app_kit-4.5-py3-none-any.whl' of package 'app'" in said
    assert reason in said


def test_a_tarball_that_is_wrong_or_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.tgz"
    broken.write_bytes(b"x" * 4096)
    for path, reason in ((broken, "not a tar archive"), (tmp_path, "no file")):
        assert main(["sbom", str(path)]) == 1
        assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [broken]
