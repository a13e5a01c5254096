/* A server in a group: one row, and below it, when it is opened, what can be done to it. */

import { change, numberIn, onClick, onSubmit } from "./control.js";
import { copy, element, list, show, state } from "./dom.js";
import { flowOf, perSecond } from "./traffic.js";

let rows = 0;

/** What tells a server of a group from the others. */
export function serverKey(server) {
  return JSON.stringify([server.server_id, server.port ?? 0, server.server_ip]);
}

/** The row of a server that is new in its group. */
export function makeServer(group, server) {
  const row = copy("server");
  const more = row.root.querySelector(".more");
  more.id = `more-${(rows += 1)}`;
  row.opens.setAttribute("aria-controls", more.id);
  row.opens.disabled = Boolean(group.fixed);
  row.opens.addEventListener("click", () => {
    more.hidden = !more.hidden;
    row.edited = false;
    row.opens.setAttribute("aria-expanded", String(!more.hidden));
  });
  more.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    row.opens.click();
    row.opens.focus();
  });
  show(row.id, server.server_id);
  row.field = row.root.querySelector("input[name=weight]");
  row.field.addEventListener("input", () => (row.edited = true));
  letAct(row, group, server);
  return row;
}

function letAct(row, group, server) {
  const entry = { group: group.id, server_id: server.server_id, server_ip: server.server_ip };
  if (server.port) entry.port = server.port;
  const weigh = async (weight) => {
    const done = `${server.server_id} in ${group.id} has weight ${weight}.`;
    await change(done, "POST", "servers/weight", { ...entry, weight });
    row.edited = false;
  };
  const form = row.root.querySelector("form");
  onSubmit(form, () => weigh(numberIn(row.field)));
  onClick(row.zero, () => weigh(0));
  onClick(row.full, () => weigh(100));
  onClick(row.remove, () =>
    change(`${server.server_id} was removed from ${group.id}.`, "POST", "servers/remove", entry),
  );
  row.told.setAttribute("aria-label", `Health of ${server.server_id}`);
  for (const button of row.told.querySelectorAll("button")) {
    onClick(button, () => {
      const fields = { server_id: server.server_id, status: button.value };
      const done = `Health of ${server.server_id} is told ${button.textContent}.`;
      return change(done, "POST", "health", fields);
    });
  }
}

/** Show how a server is. `shares` is what the weights of its group add up to. */
export function updateServer(row, server, { account, group, shares }) {
  show(row.port, server.port ? `:${server.port}` : "");
  show(row.ip, server.server_ip);
  state(row.status, server.status && server.status !== "Available" ? server.status : "");
  show(row.description, server.description);
  show(row.weight, server.weight);
  row.share.style.setProperty("--share", shares ? server.weight / shares : 0);
  if (!row.edited) row.field.value = server.weight;
  health(row.health, server, group.routes);
  row.traffic.hidden = !account.data_plane;
  traffic(row, server, group);
  const told = account.forced_health[server.server_id] ?? "probe";
  for (const button of row.told.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === told));
  }
}

function health(place, server, routes) {
  const each = Object.entries(server.health).map(([name, status]) => ({ name, status }));
  list(
    place,
    each,
    (one) => one.name,
    (one) => {
      const item = { root: element("li"), status: element("span", "state"), name: element("bdi", "muted") };
      item.root.append(item.status, " ", item.name);
      show(item.name, routes.find((route) => route.name === one.name)?.short ?? one.name);
      return item;
    },
    (item, one) => state(item.status, one.status),
  );
}

function traffic(row, server, { routes }) {
  const flows = routes.map((route) => flowOf(route.listener, route.name, server)).filter(Boolean);
  const sum = (name) => flows.reduce((total, flow) => total + flow[name], 0);
  show(row.rate, flows.length ? perSecond(sum("rate")) : "", { quiet: true });
  show(row.total, flows.length ? `${sum("total")} in all` : "", { quiet: true });
}
