"""The addresses that this VM has: connections are counted at no other."""

from __future__ import annotations

import pytest

from slb_registration.instance.local_ends import is_here


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("203.0.113.9", False),
        ("fd00:dead::9", False),
        ("0.0.0.0", False),
        ("::", False),
        ("not an address", False),
    ],
)
def test_whether_an_address_is_of_this_vm_is_the_kernels_word(address: str, here: bool):
    assert is_here(address) is here
