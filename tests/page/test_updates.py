"""The page follows the account, and leaves alone what a person is at."""

from __future__ import annotations

import pytest
from tests.page.browser import Page
from tests.page.scene import SERVERS

from mock_slb.account.account import Account
from mock_slb.server import MockServer

pytestmark = pytest.mark.thorough


def test_each_product_has_its_own_part(page: Page) -> None:
    titles = {part: page.text(f"#{part} h3").split() for part in ("clb", "alb", "nlb")}
    assert titles == {
        "clb": ["lb-shop", "rsp-shop-api", "rsp-shop-pair"],
        "alb": ["sgp-shop-web", "sgp-shop-images"],
        "nlb": ["sgp-shop-tcp"],
    }
    assert page.text("nav").split("\n") == [
        "CLB 5", "ALB 3", "NLB 1", "Instances 3", "Faults 0", "Calls 0",
    ]  # fmt: skip


def test_a_server_shows_its_weight_its_health_and_by_which_listener(
    page: Page, account: Account
) -> None:
    clb = account.load_balancer("lb-shop")
    backend = clb.default_group.server(SERVERS[0])
    assert backend is not None
    clb.report_health(clb.listeners["http:80"], backend, "normal")
    group = page.group("lb-shop")
    wanted = ["normal http:80", "unavailable tcp:443"]
    page.until(lambda: group.part(SERVERS[0], "health").text.split("\n") == wanted)
    row = group.server(SERVERS[0]).text
    assert "bosh/web-0" in row
    assert "100" in row
    assert "unavailable" not in page.group("rsp-shop-pair").server(SERVERS[0]).text.split()[:2]
    rule = page.group("sgp-shop-images").part(SERVERS[2], "health").text
    assert rule == "Initial rule-alb-shop-80-http-1"


def test_what_a_person_is_at_outlives_every_update(page: Page, account: Account) -> None:
    group = page.group("lb-shop")
    group.open(SERVERS[1])
    field = group.field(SERVERS[1])
    field.clear()
    field.send_keys("42")
    page.run("window.sameDocument = true")
    page.run("getSelection().selectAllChildren(arguments[0])", group.part(SERVERS[1], "id"))
    focused = page.focused()

    servers = account.load_balancer("lb-shop").default_group
    servers.set_weight(SERVERS[0], 1)
    servers.set_weight(SERVERS[1], 7)
    servers.add_server(SERVERS[2], weight=9)
    page.until(lambda: group.part(SERVERS[1], "weight").text == "7")
    assert group.part(SERVERS[0], "weight").text == "1"
    assert group.part(SERVERS[2], "weight").text == "9"

    assert page.focused() == focused == field
    assert field.get_attribute("value") == "42"
    assert field.is_displayed()
    assert page.run("return String(getSelection())") == SERVERS[1]
    assert page.run("return window.sameDocument")


def test_what_has_changed_stands_out_and_nothing_else(page: Page, account: Account) -> None:
    assert page.all(".changed") == []
    account.alb.group("sgp-shop-web").set_weight(SERVERS[1], 33, port=8080)
    page.until(lambda: page.group("sgp-shop-web").part(SERVERS[1], "weight").text == "33")
    assert [one.text for one in page.all(".changed")] == ["33"]
    plain, news = "rgba(0, 0, 0, 0)", page.find(".changed").value_of_css_property
    assert news("background-color") != plain
    page.until(lambda: page.all(".changed") == [])
    account.nlb.group("sgp-shop-tcp").add_server(SERVERS[2], port=8443)
    (row,) = page.until(lambda: page.all("tbody.changed"))
    assert SERVERS[2] in row.text


def test_the_focus_of_a_server_that_leaves_goes_to_its_neighbour(
    page: Page, account: Account
) -> None:
    group = page.group("lb-shop")
    page.run("arguments[0].focus()", group.part(SERVERS[0], "opens"))
    servers = account.load_balancer("lb-shop").default_group
    servers.remove_server(SERVERS[0])
    page.until(lambda: len(group.rows()) == 1)
    assert page.focused() == group.part(SERVERS[1], "opens")
    servers.remove_server(SERVERS[1])
    page.until(lambda: "No servers." in group.card.text)
    assert page.focused().text.split("\n") == ["Add a server", "to lb-shop"]


def test_calls_come_in_with_their_errors(page: Page, server: MockServer) -> None:
    for number in range(3):
        server.calls.add(0.0, f"Good{number}", {"A": "b"}, status=200, product="slb")
    server.calls.add(0.0, "Bad", {"X": "y"}, status=400, code="Throttling", fault="throttled")
    server.calls.add(0.0, "Cut", {}, status=0, fault="reset")
    rows = page.until(lambda: [one.text for one in page.all("#calls tbody")])
    assert [row.split()[1] for row in rows] == ["Cut", "Bad", "Good2", "Good1", "Good0"]
    assert "cut off fault: reset" in " ".join(rows[0].split())
    assert "X=y 400 Throttling fault: throttled" in " ".join(rows[1].split())
    assert "CLB A=b 200" in " ".join(rows[2].split())
    page.find("#only-failed").click()
    assert [row.text.split()[1] for row in page.all("#calls tbody")] == ["Cut", "Bad"]


def test_an_outage_is_said_and_ends_by_itself(page: Page, server: MockServer) -> None:
    server.close_for(2.0)
    page.ask("GET", "/_mock/faults")  # it ends with the request under way
    page.until(lambda: page.text("#live") == "No answer, asking again")
    server.account.load_balancer("lb-shop").default_group.set_weight(SERVERS[0], 11)
    page.until(lambda: page.text("#live") == "Live")
    page.until(lambda: page.group("lb-shop").part(SERVERS[0], "weight").text == "11")
