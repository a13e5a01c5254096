"""The network of the bench of traffic: what happens to one VM disturbs no other."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.paths import ROOT

COME_AND_GO = """
import json, subprocess
from tests.bench.traffic.namespaces import Namespace, set_up

def told():
    shown = subprocess.check_output(["ip", "-json", "link", "show", "bench"])
    print(json.loads(shown)[0]["address"])

set_up()
told()
vms = [Namespace(number) for number in range(4)]
told()
for vm in vms:
    vm.close()
    told()
"""


@pytest.mark.usefixtures("namespaced")
def test_the_address_that_all_send_to_stays_whoever_comes_and_goes() -> None:
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-c", COME_AND_GO],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"tools:src:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    addresses = done.stdout.split()
    assert len(addresses) == 6
    assert len(set(addresses)) == 1
