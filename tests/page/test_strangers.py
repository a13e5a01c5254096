"""What strangers have named is only text, and what their pages ask for is refused."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.page.browser import ELSEWHERE, Page
from tests.page.scene import SERVERS
from werkzeug.wrappers import Request, Response

from mock_slb.account.account import Account
from mock_slb.gateway.fault_presets import preset
from mock_slb.http.serving import HttpServer
from mock_slb.server import MockServer

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.thorough

HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script>&amp;\"'`${hacked=1}"
BACKWARDS = "\u202egnp.exe"
ODD_NAMES = ("__proto__", "constructor", "toString", HOSTILE, BACKWARDS, "a b#c", "\N{CAT FACE}")
JSON = {"Content-Type": "application/json"}


def test_hostile_names_are_texts(page: Page, server: MockServer, account: Account) -> None:
    account.add_instance(HOSTILE)
    clb = account.load_balancer("lb-shop")
    clb.set_tags({HOSTILE: HOSTILE})
    clb.default_group.add_server(HOSTILE, description=HOSTILE)
    group = account.add_nlb_server_group(HOSTILE, tags={HOSTILE: HOSTILE})
    group.add_server(HOSTILE, port=80, description=HOSTILE)
    group.fail_next_change()
    account.add_nlb(HOSTILE).add_listener(80, server_group=HOSTILE)
    account.force_health(HOSTILE, "abnormal")
    server.faults.add(preset("throttled", match={HOSTILE: HOSTILE}))
    server.calls.add(0.0, HOSTILE, {HOSTILE: HOSTILE}, status=400, code=HOSTILE, fault=HOSTILE)
    for part, times in {"#clb": 4, "#nlb": 6, "#instances": 1, "#calls": 5, "#faults": 2}.items():
        page.until(lambda part=part, times=times: page.text(part).count(HOSTILE) >= times)
    page.group(HOSTILE).open(HOSTILE)
    page.group(HOSTILE).part(HOSTILE, "zero").click()
    page.until(lambda: page.group(HOSTILE).part(HOSTILE, "weight").text == "0")
    assert HOSTILE in page.text("#said")
    assert page.all("main img, main script, output img") == []
    assert page.run("return typeof window.hacked") == "undefined"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_server_with_an_odd_name_is_shown_and_acted_on(
    page: Page, account: Account, name: str
) -> None:
    account.add_instance(name)
    account.add_nlb_server_group(name, tags={name: name}).add_server(name, port=80)
    page.until(lambda: page.group(name).server(name))
    card = page.group(name)
    card.open(name)
    card.part(name, "zero").click()
    page.until(lambda: card.part(name, "weight").text == "0")
    account.nlb.group(name).remove_server(name, port=80)
    page.until(lambda: "No servers." in card.card.text)


def test_a_text_that_runs_backwards_turns_nothing_else_around(page: Page, account: Account) -> None:
    account.load_balancer("lb-shop").default_group.add_server(SERVERS[2], description=BACKWARDS)
    row = page.until(lambda: page.group("lb-shop").server(SERVERS[2]))
    isolated = row.find_element("css selector", "[data-is=description]")
    assert isolated.value_of_css_property("unicode-bidi") == "isolate"


@contextlib.contextmanager
def elsewhere(host: str) -> Iterator[str]:
    """A page of somebody else's on this machine."""

    @Request.application
    def app(request: Request) -> Response:
        del request
        return Response("<title>elsewhere</title>", content_type="text/html")

    server = HttpServer("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{host}:{server.port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.cut_connections()


def attack(page: Page, url: str) -> list[object]:
    """What a script of the page that is open gets for changing things at a mocked cloud's URL."""
    weight = json.dumps({"group": "lb-shop", "server_id": SERVERS[0], "weight": 0})
    simple = {"body": weight, "headers": {"Content-Type": "text/plain"}}
    return [
        page.ask("POST", f"{url}/_mock/servers/weight", body=weight, headers=JSON),
        page.ask("POST", f"{url}/_mock/servers/weight", mode="no-cors", **simple),
        page.ask("POST", f"{url}/_mock/servers/weight", **simple),
        page.ask("DELETE", f"{url}/_mock/calls"),
        page.ask("GET", f"{url}/_mock/account"),
    ]


def untouched(server: MockServer) -> bool:
    group = server.account.load_balancer("lb-shop").default_group
    return group.servers()[0].weight == 100 and len(server.calls.all()) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])  # another site, and the same one
def test_a_page_elsewhere_can_neither_change_nor_read_anything(
    driver: Chrome, server: MockServer, host: str
) -> None:
    server.calls.add(0.0, "A", {}, status=200)
    page = Page(driver, server.url)
    with elsewhere(host) as url:
        driver.get(url)
        assert attack(page, server.url) == ["TypeError"] * 5
        page.run(
            "const form = document.body.appendChild(document.createElement('form'));"
            "form.method = 'POST'; form.enctype = 'text/plain'; form.action = arguments[0];"
            "const field = form.appendChild(document.createElement('input'));"
            "field.name = '{\"a\": \"'; field.value = '\"}'; form.submit()",
            f"{server.url}/_mock/heal",
        )
        page.until(lambda: "refused: its Origin is" in page.find("body").text)
    driver.get("about:blank")
    assert untouched(server)


def test_a_page_elsewhere_cannot_frame_the_page(driver: Chrome, server: MockServer) -> None:
    page = Page(driver, server.url)
    with elsewhere("localhost") as url:
        driver.get(url)
        page.run(
            "window.frame = document.body.appendChild(document.createElement('iframe'));"
            "frame.onload = () => { window.loaded = true }; frame.src = arguments[0]",
            server.url,
        )
        page.until(lambda: page.run("return window.loaded"))
        driver.switch_to.frame(page.find("iframe"))
        assert page.all("#live") == []
        driver.switch_to.default_content()
    driver.get("about:blank")


def test_a_name_that_is_made_to_lead_here_can_change_nothing(
    driver: Chrome, server: MockServer
) -> None:
    server.calls.add(0.0, "A", {}, status=200)
    page = Page(driver, server.url)
    url = f"http://{ELSEWHERE}:{server.port}"
    driver.get(url)  # from here on all is of one origin
    assert attack(page, url) == [403] * 5
    driver.get("about:blank")
    assert untouched(server)
