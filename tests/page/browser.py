"""A person at the page, with Chromium: looks for what is shown, waits for it, types and clicks."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from tests.waiting import eventually

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

ELSEWHERE = "elsewhere.example.org"
"""A name that leads to this machine in the browser alone."""
WIDE, NARROW = (1280, 900), (360, 740)
T = TypeVar("T")


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """A browser that keeps all of its own in a folder. Skips the test where there is none."""
    how = "`make test-page` brings it"
    webdriver = pytest.importorskip("selenium.webdriver", reason=f"selenium is missing: {how}")
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    for name, path in programs.items():
        if path is None:
            pytest.skip(f"{name} is missing: {how}")
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (
        "--headless=new",
        "--no-sandbox",  # which root cannot have
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--force-color-profile=srgb",
        f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
        f"--user-data-dir={folder}",
    ):
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=programs["chromedriver"])
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """What is open in the browser."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver, self.url = driver, url
        self.emulate(*WIDE)

    def open(self) -> Page:
        """Load it, and wait until it has looked once."""
        self.driver.get_log("browser")  # what others left
        self.driver.get(self.url)
        self.until(lambda: self.text("#live") == "Live")
        self.until(lambda: self.run("return document.querySelector('select').length"))
        return self

    def emulate(self, width: int, height: int, *, dark: bool = False, still: bool = False) -> None:
        """Be a window of this size, of a person who likes it dark, or still."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def until(self, what: Callable[[], T]) -> T:
        """What `what` gives once that is true, whatever is replaced in between."""
        from selenium.common.exceptions import (
            NoSuchElementException,
            StaleElementReferenceException,
        )

        def tried() -> T | None:
            try:
                return what()
            except (LookupError, NoSuchElementException, StaleElementReferenceException):
                return None

        found = eventually(tried)
        assert found is not None
        return found

    def run(self, script: str, *arguments: object) -> Any:
        """The value of a script."""
        return self.driver.execute_script(script, *arguments)

    def ask(self, method: str, url: str, **options: object) -> Any:
        """What a script of what is open gets for a request: its status, or the error's name."""
        return self.driver.execute_async_script(
            "const [method, url, options, done] = arguments;"
            "fetch(url, {method, ...options}).then((a) => done(a.status), (e) => done(e.name))",
            method, url, options,
        )  # fmt: skip

    def find(self, css: str) -> WebElement:
        """The first element of a kind."""
        return self.driver.find_element("css selector", css)

    def all(self, css: str) -> list[WebElement]:
        """All elements of a kind."""
        return self.driver.find_elements("css selector", css)

    def text(self, css: str) -> str:
        """What a person reads there; empty where there is nothing."""
        return "\n".join(one.text for one in self.all(css))

    def group(self, id_: str) -> Group:
        """The card of a server group, or of a CLB's default group."""
        return Group(self, id_)

    def press(self, *keys: str) -> None:
        """Press keys, where the focus is: their names, or a text."""
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.keys import Keys

        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(getattr(Keys, key, key))
        actions.perform()

    def focused(self) -> WebElement:
        """What has the focus."""
        return self.driver.switch_to.active_element

    def tab_to(self, wanted: Callable[[WebElement], bool]) -> WebElement:
        """Press Tab until that has the focus, once around at most."""
        for _ in self.all("a, button, input, select, summary"):
            self.press("TAB")
            if wanted(self.focused()):
                return self.focused()
        raise AssertionError("Tab does not lead there")

    def is_wider_than_the_window(self) -> bool:
        """Whether a person has to scroll sideways."""
        return self.run(
            "const page = document.documentElement;"
            "return page.scrollWidth > window.innerWidth || page.scrollWidth > page.clientWidth"
        )

    def mistakes(self) -> list[str]:
        """What the browser has complained of, but for answers that say no."""
        told = self.driver.get_log("browser")
        return [one["message"] for one in told if one["source"] != "network"]


class Group:
    """The card of a server group."""

    def __init__(self, page: Page, id_: str) -> None:
        self.page, self.id = page, id_

    @property
    def card(self) -> WebElement:
        """The whole of it."""
        found = {_text(one, "h3"): one for one in self.page.all(".group")}
        return found[self.id]

    def rows(self) -> list[str]:
        """What the rows of its servers say."""
        return [row.text for row in self.card.find_elements("css selector", ".server")]

    def server(self, id_: str) -> WebElement:
        """The rows of a server."""
        found = self.card.find_elements("css selector", ".server")
        return {_text(one, "bdi[data-is=id]"): one for one in found}[id_]

    def part(self, server: str, name: str) -> WebElement:
        """A part of a server's rows by its name."""
        return self.server(server).find_element("css selector", f"[data-is={name}]")

    def field(self, server: str) -> WebElement:
        """The field for a server's weight."""
        return self.server(server).find_element("css selector", "input[name=weight]")

    def open(self, server: str) -> None:
        """Show what can be done to a server."""
        self.part(server, "opens").click()

    def add(self, **fields: object) -> None:
        """Fill the form for a new server, and send it."""
        form = self.card.find_element("css selector", ".add")
        if form.get_attribute("open") is None:
            form.find_element("css selector", "summary").click()
        for name, value in fields.items():
            field = form.find_element("css selector", f"[name={name}]")
            field.clear()
            field.send_keys(str(value))
        form.find_element("css selector", "button").click()

    def error(self) -> str:
        """What its forms say is wrong."""
        return "".join(one.text for one in self.card.find_elements("css selector", ".error"))


def _text(place: WebElement, css: str) -> str:
    return place.find_element("css selector", css).text
