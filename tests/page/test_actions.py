"""What can be done on the page changes the account."""

from __future__ import annotations

import pytest
from tests.page.browser import Page
from tests.page.scene import SERVERS
from tests.waiting import eventually

from mock_slb.account.account import Account
from mock_slb.server import MockServer

pytestmark = pytest.mark.thorough

GROUPS = ("lb-shop", "rsp-shop-api", "sgp-shop-web", "sgp-shop-tcp")
"""One of each kind that can be changed; SERVERS[member] is in it, SERVERS[other] is not."""
MEMBER = {"lb-shop": 1, "rsp-shop-api": 2, "sgp-shop-web": 1, "sgp-shop-tcp": 1}
OTHER = {"lb-shop": 2, "rsp-shop-api": 0, "sgp-shop-web": 0, "sgp-shop-tcp": 0}


def weights(account: Account, group: str) -> dict[str, int]:
    found = {
        "lb-shop": account.load_balancer("lb-shop").default_group,
        "rsp-shop-api": account.group("rsp-shop-api"),
        "sgp-shop-web": account.alb.group("sgp-shop-web"),
        "sgp-shop-tcp": account.nlb.group("sgp-shop-tcp"),
    }
    if group not in found:
        found[group] = account.nlb.group(group)
    return {one.server_id: one.weight for one in found[group].servers()}


@pytest.mark.parametrize("group", GROUPS)
def test_a_weight_is_set(page: Page, account: Account, group: str) -> None:
    server, card = SERVERS[MEMBER[group]], page.group(group)
    card.open(server)
    field = card.field(server)
    field.clear()
    field.send_keys("17")
    card.part(server, "set").click()
    eventually(lambda: weights(account, group)[server] == 17)
    page.until(lambda: card.part(server, "weight").text == "17")
    assert page.text("#said") == f"{server} in {group} has weight 17."
    card.part(server, "zero").click()
    eventually(lambda: weights(account, group)[server] == 0)
    page.until(lambda: field.get_attribute("value") == "0")
    card.part(server, "full").click()
    eventually(lambda: weights(account, group)[server] == 100)


@pytest.mark.parametrize("group", GROUPS)
def test_a_server_is_removed_and_another_is_added(page: Page, account: Account, group: str) -> None:
    card, old, new = page.group(group), SERVERS[MEMBER[group]], SERVERS[OTHER[group]]
    card.open(old)
    card.part(old, "remove").click()
    eventually(lambda: old not in weights(account, group))
    page.until(lambda: old not in card.card.text)
    port = {} if group == "lb-shop" else {"port": 8081}
    card.add(server_id=new, weight=5, description="by hand", **port)
    eventually(lambda: weights(account, group).get(new) == 5)
    page.until(lambda: "by hand" in card.server(new).text)
    assert (":8081" in card.server(new).text) == (group != "lb-shop")


def test_a_group_that_forwards_all_ports_takes_servers_without_one(
    page: Page, account: Account
) -> None:
    account.add_nlb_server_group("sgp-any", any_port=True)
    page.until(lambda: page.group("sgp-any").card)
    card = page.group("sgp-any")
    card.add(server_id=SERVERS[0])
    page.until(lambda: card.server(SERVERS[0]))
    card.open(SERVERS[0])
    card.part(SERVERS[0], "zero").click()
    eventually(lambda: weights(account, "sgp-any") == {SERVERS[0]: 0})


def test_a_network_interface_is_added_weighed_and_removed_by_its_address(
    page: Page, account: Account
) -> None:
    group = account.group("rsp-shop-api")
    instance = account.instance(SERVERS[0])
    assert instance is not None
    card = page.group(group.id)
    card.add(server_id=instance.eni_id, port=80)
    page.until(lambda: card.server(instance.eni_id))
    card.open(instance.eni_id)
    card.part(instance.eni_id, "zero").click()
    eventually(lambda: weights(account, group.id)[instance.eni_id] == 0)
    card.part(instance.eni_id, "remove").click()
    eventually(lambda: instance.eni_id not in weights(account, group.id))


def test_what_is_refused_is_said_where_it_was_asked(page: Page, account: Account) -> None:
    card = page.group("sgp-shop-web")
    card.add(server_id="i-nobody", port=80)
    page.until(lambda: "ResourceNotFound" in card.error())
    assert "i-nobody" not in weights(account, "sgp-shop-web")
    card.add(server_id=SERVERS[0], port=80)
    page.until(lambda: card.error() == "")
    assert SERVERS[0] in weights(account, "sgp-shop-web")


def test_an_active_standby_group_offers_no_change(page: Page) -> None:
    card = page.group("rsp-shop-pair")
    assert not card.part(SERVERS[0], "opens").is_enabled()
    assert "Add a server" not in card.card.text


def test_health_is_told_by_force_and_as_probed_again(page: Page, account: Account) -> None:
    card = page.group("lb-shop")
    card.open(SERVERS[1])

    def choice(status: str) -> object:
        choices = card.part(SERVERS[1], "told")
        return choices.find_element("css selector", f"button[value={status}]")

    assert choice("probe").get_attribute("aria-pressed") == "true"
    choice("abnormal").click()
    eventually(lambda: account.forced_health == {SERVERS[1]: "abnormal"})
    page.until(lambda: choice("abnormal").get_attribute("aria-pressed") == "true")
    page.until(lambda: "abnormal http:80" in card.server(SERVERS[1]).text)
    assert f"{SERVERS[1]} is told abnormal" in page.text("#in-force")
    choice("probe").click()
    eventually(lambda: account.forced_health == {})


def test_a_fault_is_added_by_its_preset_counted_and_lifted(page: Page, server: MockServer) -> None:
    page.find("#new-fault [name=preset]").send_keys("throttled")
    assert page.text("#preset-does") == "A call is refused with 400 Throttling.User."
    page.find("#new-fault [name=action]").send_keys("AddBackendServers")
    page.find("#new-fault [name=times]").send_keys("3")
    page.find("#new-fault button").click()
    (rule,) = eventually(server.faults.view)
    assert (rule["name"], rule["action"], rule["times"]) == ("throttled", "AddBackendServers", 3)
    row = page.until(lambda: page.find("#faults tbody"))
    assert "AddBackendServers is refused with 400 Throttling.User, 3 times" in row.text
    server.faults.take("AddBackendServers", {})
    page.until(lambda: page.text("#faults [data-is=hits]") == "1")
    page.find("#faults [data-is=lift]").click()
    eventually(lambda: server.faults.view() == [])
    page.until(lambda: "No faults in force." in page.text("#faults"))


def test_a_fault_that_cannot_be_is_said_in_the_form(page: Page, server: MockServer) -> None:
    page.find("#new-fault [name=action]").send_keys("AddBackendServer")
    page.find("#new-fault button").click()
    page.until(lambda: "did you mean AddBackendServers?" in page.text("#new-fault .error"))
    assert server.faults.view() == []


def test_all_that_was_made_to_go_wrong_is_shown_and_healed(
    page: Page, server: MockServer, account: Account
) -> None:
    assert page.text("#in-force li") == "Nothing is made to go wrong"
    account.force_health(SERVERS[0], "abnormal")
    account.clock_offset_seconds, account.read_lag_seconds = -3600.0, 2.0
    account.alb.group("sgp-shop-web").fail_next_change()
    page.find("#new-fault button").click()
    wrong = [
        "Fault throttled of *",
        f"{SERVERS[0]} is told abnormal",
        "sgp-shop-web: the next change fails",
        "The clock is 3600 s behind",
        "Reads are 2 s old",
    ]
    page.until(lambda: [one.text for one in page.all("#in-force li")] == wrong)
    page.find("#heal").click()
    page.until(lambda: page.text("#in-force li") == "Nothing is made to go wrong")
    assert server.faults.view() == []
    assert account.forced_health == {}
    assert account.clock_offset_seconds == account.read_lag_seconds == 0


def test_an_instance_is_stopped_and_started(page: Page, account: Account) -> None:
    def running() -> bool:
        instance = account.instance(SERVERS[0])
        assert instance is not None
        return instance.running

    for word, is_running in (("Stop", False), ("Start", True)):
        button = page.find("#instances [data-is=switch]")
        page.until(lambda button=button, word=word: button.text == word)
        button.click()
        eventually(lambda is_running=is_running: running() is is_running)
    page.until(lambda: page.find("#instances [data-is=state]").text == "running")
