"""What the data plane forwards is on the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
from tests.data_plane.backends import NEEDS_HAPROXY, backends, get
from tests.page import scene
from tests.page.browser import Page

from mock_slb.data_plane.settings import Settings
from mock_slb.server import serve

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = [pytest.mark.thorough, NEEDS_HAPROXY]


LISTENER = "lb-shop/http:80"
REQUESTS = 6


def test_what_went_where_is_shown_by_server_and_by_listener(driver: Chrome) -> None:
    with (
        backends("service", http=True) as services,
        serve(scene.account(services["service"].port), data_plane=Settings()) as server,
    ):
        page = Page(driver, server.url).open()
        assert server.data_plane is not None
        host, port = server.data_plane.address(LISTENER)
        group = page.group("lb-shop")
        for name in scene.SERVERS[:2]:
            page.until(lambda name=name: group.part(name, "health").text.count("normal") == 2)
        for _ in range(REQUESTS):
            assert get((host, port)) == (200, "service")

        def in_all(places: Iterable[WebElement]) -> int:
            """What the group's servers got, from texts like `1.5/s 3 in all`."""
            return sum(int(one.text.split()[-3]) for one in places)

        page.until(
            lambda: in_all(group.part(name, "traffic") for name in scene.SERVERS[:2]) == REQUESTS
        )
        (card,) = (one for one in page.all("#traffic .group") if LISTENER in one.text)
        totals = card.find_elements("css selector", "[data-is=total]")
        assert sum(int(one.text) for one in totals) == REQUESTS
        assert f"{host}:{port}, layer 7" in card.text
        assert page.mistakes() == []
        driver.get("about:blank")
