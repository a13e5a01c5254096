"""tools/setup in a small checkout of its own, without network: what it installs is one wheel."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from tests.paths import ROOT

KILLS = int(os.environ.get("SETUP_KILLS", "2"))


def write_wheel(folder: Path) -> Path:
    """A wheel with one module; its files are big enough for an installation to take a moment."""
    path = folder / "sample-1.0-py3-none-any.whl"
    info = "sample-1.0.dist-info"
    files = {f"sample/m{n}.py": f"VALUE = {n}\n" * 2000 for n in range(100)}
    files |= {
        "sample/__init__.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            lines.append(f"{name},sha256={digest.decode().rstrip('=')},{len(text)}\n")
        wheel.writestr(f"{info}/RECORD", "".join(lines) + f"{info}/RECORD,,\n")
    return path


class Checkout:
    """The parts of a checkout that tools/setup looks at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tools/bosh_release").mkdir(parents=True)
        shutil.copy2(ROOT / "tools/setup", folder / "tools/setup")
        wheel = write_wheel(folder.parent)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        requirements = folder / "tools/requirements.txt"
        requirements.write_text(f"sample==1.0 --hash=sha256:{digest}\n")
        # works only where the whole of the wheel is there
        imports = "".join(f"import sample.m{n}\n" for n in range(100))
        (folder / "tools/release.py").write_text(imports)
        self.environment = {
            **os.environ,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(folder.parent),
            "PIP_CONFIG_FILE": os.devnull,
        }

    def change_requirements(self) -> None:
        with (self.folder / "tools/requirements.txt").open("a") as file:
            file.write("# changed\n")

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.folder / "tools/setup", "release"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def set_up(self) -> str:
        with self.start() as process:
            said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        return said


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a checkout")


@pytest.mark.thorough
def test_what_is_there_is_not_done_again_and_a_checkout_may_move(checkout: Checkout) -> None:
    assert "installing" in checkout.set_up()
    assert checkout.set_up() == ""
    moved = checkout.folder.with_name("moved")
    checkout.folder.rename(moved)
    checkout.folder = moved
    assert checkout.set_up() == ""
    checkout.change_requirements()
    assert "installing" in checkout.set_up()


@pytest.mark.thorough
def test_two_at_once_wait_for_one_another(checkout: Checkout) -> None:
    processes = [checkout.start() for _ in range(3)]
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert sum("installing" in text for text in said) == 1
    assert sum("waiting for another one" in text for text in said) == 2


@pytest.mark.thorough
def test_an_interrupted_one_does_not_break_the_next(checkout: Checkout) -> None:
    """Also by hand, more often: SETUP_KILLS=50."""
    started = time.monotonic()
    checkout.set_up()
    whole = time.monotonic() - started
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for number in range(KILLS):
        if number % 2:  # another state to begin from: all is there and one line has changed
            checkout.set_up()
            checkout.change_requirements()
        else:
            shutil.rmtree(checkout.folder / ".venv", ignore_errors=True)
        with checkout.start() as process:
            try:
                process.wait(rng.uniform(0, whole))
            except subprocess.TimeoutExpired:
                kind = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
                os.killpg(process.pid, kind)
            process.communicate(timeout=300)
        assert process.returncode in (0, 130, -signal.SIGINT, -signal.SIGTERM, -signal.SIGKILL)
        checkout.set_up()
