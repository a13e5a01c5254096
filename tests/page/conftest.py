"""One browser for all tests of the page, and a mocked cloud for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.page import scene
from tests.page.browser import Page, chromium

from mock_slb.account.account import Account
from mock_slb.server import MockServer, serve

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def account() -> Account:
    return scene.account()


@pytest.fixture
def server(account: Account) -> Iterator[MockServer]:
    with serve(account, probe=False) as server:
        yield server


@pytest.fixture
def page(driver: Chrome, server: MockServer) -> Iterator[Page]:
    page = Page(driver, server.url).open()
    yield page
    mistakes = page.mistakes()
    driver.get("about:blank")  # nobody asks while the server ends
    assert mistakes == []
