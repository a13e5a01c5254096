"""A private /var/vcap with the rendered job in it; skipped where namespaces or Ruby are missing."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import interpreter, workshop
from demo.compilation import unpack
from demo.installation import install
from demo.sandbox import Sandbox, SandboxError, private_vcap
from demo.vm import Vm, booted

SECRETS = {"access_key": "access-key-of-the-test", "secret_key": "secret-key-of-the-test"}
Render = Callable[..., Path]


@pytest.fixture(scope="session")
def python() -> interpreter.Interpreter:
    """Return the interpreter, where all that a sandbox needs is there."""
    if shutil.which("ruby") is None:
        pytest.skip("ruby is missing")
    found = interpreter.find()
    try:
        with private_vcap(found):
            return found
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory, python: interpreter.Interpreter) -> Path:
    """Return our release, built and unpacked."""
    folder = tmp_path_factory.mktemp("release")
    workshop.build(folder / "release.tgz")
    return unpack(folder / "release.tgz", folder / "unpacked")


@pytest.fixture
def sandbox(python: interpreter.Interpreter) -> Iterator[Sandbox]:
    with private_vcap(python) as sandbox:
        yield sandbox


@pytest.fixture
def vm(sandbox: Sandbox) -> Iterator[Vm]:
    with booted(sandbox) as vm:
        yield vm


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render the README's manifest with more properties; the same ones only once."""

    @functools.cache
    def rendered(properties: str) -> Path:
        folder = tmp_path_factory.mktemp("render")
        manifest, variables = folder / "manifest.yml", folder / "secrets.yml"
        workshop.write_manifest(manifest, json.loads(properties))
        workshop.write_secrets(variables, SECRETS)
        return workshop.render(manifest, variables, "demo", folder / "rendered")

    return lambda **properties: rendered(json.dumps(properties))


@pytest.fixture
def installed(vm: Vm, render: Render) -> Vm:
    """Return a VM with the job on it, and no package."""
    install(vm.sandbox, render())
    return vm
