"""The page is for all: by keyboard, by name, in the dark, in a narrow window, with weak eyes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from tests.page.browser import NARROW, WIDE, Page
from tests.page.scene import SERVERS
from tests.waiting import eventually

from mock_slb.account.account import Account
from mock_slb.server import MockServer

pytestmark = pytest.mark.thorough

LOOKS = [
    pytest.param(size, dark, id=f"{size[0]} px, {'dark' if dark else 'light'}")
    for size, dark in itertools.product((WIDE, NARROW), (False, True))
]
ENOUGH = 4.5
"""Contrast of text with what is behind it: WCAG 2.2, 1.4.3."""
CONTRASTS = """
function luminance(parts) {
  const [r, g, b] = parts.map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const parse = (color) => color.match(/[\\d.]+/g).map(Number);
function behind(element) {
  for (let one = element; one; one = one.parentElement) {
    const [r, g, b, alpha = 1] = parse(getComputedStyle(one).backgroundColor);
    if (alpha === 1) return [r, g, b];
    if (alpha !== 0) throw new Error(`half seen through: ${one.className}`);
  }
}
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  if (element.closest(".hidden, option, noscript")) continue;
  const text = luminance(parse(getComputedStyle(element).color).slice(0, 3));
  const back = luminance(behind(element));
  const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
  found.push([ratio, walker.currentNode.data.trim()]);
}
return found;
"""


def filled(page: Page, server: MockServer, account: Account) -> None:
    """Something of everything that the page can show."""
    page.group("lb-shop").open(SERVERS[1])
    page.group("sgp-shop-tcp").add(server_id="i-nobody", port=80)
    page.find("#new-fault button").click()
    for health in ("normal", "abnormal"):
        account.force_health(SERVERS[0], health)
    account.set_running(SERVERS[2], False)
    account.nlb.group("sgp-shop-tcp").fail_next_change()
    server.calls.add(0.0, "AddBackendServers", {"A": "b" * 200}, status=200, product="slb")
    server.calls.add(0.0, "X", {}, status=400, code="InvalidParameter.Format", fault="slow")
    page.until(lambda: "i-nobody" in page.text(".error") or page.group("sgp-shop-tcp").error())
    page.until(lambda: "InvalidParameter.Format" in page.text("#calls"))
    page.until(lambda: "stopped" in page.text("#instances"))


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_every_text_can_be_read(
    page: Page, server: MockServer, account: Account, size: tuple[int, int], dark: bool
) -> None:
    page.emulate(*size, dark=dark, still=True)
    filled(page, server, account)
    contrasts = page.run(CONTRASTS)
    assert len(contrasts) > 50
    assert [one for one in contrasts if one[0] < ENOUGH] == []
    (back,) = {page.run("return getComputedStyle(document.documentElement).backgroundColor")}
    assert (back == "rgb(19, 22, 26)") == dark


@pytest.mark.parametrize("width", [320, 360, 600, 768, 1023, 1024, 1920])
def test_nothing_is_wider_than_the_window(
    page: Page, server: MockServer, account: Account, width: int
) -> None:
    endless = "x" * 200
    account.load_balancer("lb-shop").set_tags({endless: endless})
    account.load_balancer("lb-shop").default_group.add_server(SERVERS[2], description=endless)
    account.add_nlb_server_group(f"sgp-{endless}").add_server(SERVERS[2], port=1)
    account.add_instance(f"i-{endless}")
    server.calls.add(0.0, endless, {endless: endless}, status=400, code=endless, fault=endless)
    filled(page, server, account)
    page.until(lambda: endless in page.text("#nlb"))
    page.emulate(width, 800)
    assert not page.is_wider_than_the_window()
    cut = page.run(
        "return [...document.querySelectorAll('main *, header *')].filter((one) =>"
        " one.checkVisibility() && !one.closest('.hidden, svg, output') &&"
        " one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML)"
    )
    assert cut == []


def test_a_weight_is_set_by_keyboard_alone(page: Page, account: Account) -> None:
    page.press("TAB")
    assert page.focused().text == "Skip to the account"
    page.press("ENTER")
    group = page.group("lb-shop")
    page.tab_to(lambda one: one == group.part(SERVERS[1], "opens"))
    page.press("ENTER")
    assert group.part(SERVERS[1], "opens").get_attribute("aria-expanded") == "true"
    page.press("TAB")
    assert page.focused() == group.field(SERVERS[1])
    page.run("arguments[0].select()", page.focused())
    page.press("8", "ENTER")
    servers = account.load_balancer("lb-shop").default_group
    eventually(lambda: servers.servers()[1].weight == 8)
    page.until(lambda: group.part(SERVERS[1], "weight").text == "8")
    assert page.focused() == group.field(SERVERS[1])
    page.press("ESCAPE")
    assert page.focused() == group.part(SERVERS[1], "opens")
    assert not group.field(SERVERS[1]).is_displayed()


def test_servers_faults_and_all_that_is_wrong_are_seen_to_by_keyboard(
    page: Page, server: MockServer, account: Account
) -> None:
    page.tab_to(lambda one: one.text == "Add a server\nto sgp-shop-tcp")
    page.press("ENTER", "TAB", SERVERS[0], "TAB", "8080", "TAB", "TAB", "TAB", "ENTER")
    eventually(lambda: len(account.nlb.group("sgp-shop-tcp").servers()) == 2)
    page.until(lambda: page.focused().get_attribute("name") == "server_id")
    page.tab_to(lambda one: one.get_attribute("name") == "preset")
    page.press("ARROW_DOWN", "TAB", "TAB", "TAB", "TAB", "ENTER")
    (rule,) = eventually(server.faults.view)
    assert rule["name"] == "busy"
    page.until(lambda: page.find("#faults [data-is=lift]"))
    page.tab_to(lambda one: one.text.startswith("Lift"))
    page.press("SPACE")
    eventually(lambda: server.faults.view() == [])


def test_where_the_focus_is_can_be_seen_at_every_stop(
    page: Page, server: MockServer, account: Account
) -> None:
    filled(page, server, account)
    page.run("document.querySelector('.skip').focus()")
    stops = []
    while True:
        page.press("TAB")
        stop = page.focused()
        if stop.tag_name == "body":
            break
        stops.append(stop)
        style = stop.value_of_css_property
        assert style("outline-style") == "solid", stop.get_attribute("outerHTML")
        assert style("outline-width") == "3px"
        box = page.run("return arguments[0].getBoundingClientRect()", stop)
        assert box["bottom"] > 0
        assert box["top"] < WIDE[1]
    assert len(stops) > 30


def test_everything_that_can_be_acted_on_has_a_name(
    page: Page, server: MockServer, account: Account
) -> None:
    filled(page, server, account)
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    acted_on = {
        "button",
        "textbox",
        "spinbutton",
        "combobox",
        "checkbox",
        "link",
        "table",
        "region",
    }
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in acted_on
    ]
    assert [one for one in named if not one[1].strip()] == []
    assert ("button", "Lift throttled of *") in named
    assert ("spinbutton", "Weight") in named
    assert ("table", "Servers of lb-shop") in named
    assert {"combobox", "checkbox", "link", "region"} <= {role for role, _ in named}


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_axe_has_nothing_to_complain_of(
    page: Page, server: MockServer, account: Account, size: tuple[int, int], dark: bool
) -> None:
    package = pytest.importorskip("axe_core_python", reason="axe is missing: `make test-page`")
    page.emulate(*size, dark=dark, still=True)
    filled(page, server, account)
    axe = Path(package.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    page.run(f"{axe}; window.axe = axe")
    found = page.driver.execute_async_script(
        "axe.run().then(arguments[0], (error) => arguments[0]({error: String(error)}))"
    )
    assert "error" not in found
    assert [(one["help"], one["nodes"]) for one in found["violations"]] == []
    assert len(found["passes"]) > 30


def test_nothing_moves_for_a_person_who_likes_it_still(page: Page, account: Account) -> None:
    page.emulate(*WIDE, still=True)
    account.load_balancer("lb-shop").default_group.set_weight(SERVERS[0], 3)
    changed = page.until(lambda: page.find(".changed"))
    assert changed.value_of_css_property("animation-name") == "none"
    assert changed.value_of_css_property("background-color") == "rgba(255, 237, 171, 1)"
