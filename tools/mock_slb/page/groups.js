/* CLB, ALB and NLB: a card for each server group, where servers are added. */

import { change, numberIn, onSubmit } from "./control.js";
import { copy, list, show, state, tags } from "./dom.js";
import { products } from "./products.js";
import { makeServer, serverKey, updateServer } from "./servers.js";

/** Show all groups of all products. */
export function showGroups({ account }) {
  for (const [product, groups] of Object.entries(products(account))) {
    const section = document.getElementById(product);
    list(section.querySelector(".groups"), groups, (one) => one.id, makeGroup, (card, group) =>
      updateGroup(card, group, account),
    );
    section.querySelector(":scope > .none").hidden = groups.length > 0;
    const servers = groups.reduce((sum, one) => sum + one.servers.length, 0);
    show(document.getElementById(`${product}-count`), servers);
  }
}

function makeGroup(group) {
  const card = copy("group");
  card.table = card.root.querySelector("table");
  card.none = card.root.querySelector(".none");
  show(card.title, group.id);
  show(card.kind, group.kind);
  show(card.caption, `Servers of ${group.id}`);
  show(card.to, ` to ${group.id}`);
  const form = card.adding.querySelector("form");
  card.adding.hidden = Boolean(group.fixed);
  card["port-field"].hidden = form.elements.port.disabled = !group.ports;
  onSubmit(form, async () => {
    const { server_id: server, port, weight, description } = form.elements;
    const fields = { group: group.id, server_id: server.value, weight: numberIn(weight) };
    if (group.ports) fields.port = numberIn(port);
    if (description.value) fields.description = description.value;
    if (server.value.startsWith("eni-")) fields.type = "eni";
    await change(`${server.value} was added to ${group.id}.`, "POST", "servers/add", fields);
    form.reset();
    server.focus();
  });
  return card;
}

function updateGroup(card, group, account) {
  state(card.status, group.status);
  tags(card.facts, [
    ...group.routes.map((route) => ({ text: route.label })),
    ...Object.entries(group.tags).map(([key, value]) => ({ text: `${key}=${value}`, tone: "own" })),
    ...group.troubles.map((text) => ({ text, tone: "bad" })),
  ]);
  card.table.hidden = group.servers.length === 0;
  card.none.hidden = group.servers.length > 0;
  card.forwards.hidden = !account.data_plane;
  const shares = group.servers.reduce((sum, server) => sum + server.weight, 0);
  list(
    card.table,
    group.servers,
    serverKey,
    (server) => makeServer(group, server),
    (row, server) => updateServer(row, server, { account, group, shares }),
  );
}
