/* A server in a group: one row, and below it, when it is opened, what can be done to it. */

import { change, numberIn, onClick, onSubmit } from "./control.js";
import { copy, element, list, show, state } from "./dom.js";
import { flowOf, perSecond } from "./traffic.js";

let opened = 0;

/** What tells a server of a group from the others. */
export function serverKey(server) {
  return JSON.stringify([server.server_id, server.port ?? 0, server.server_ip]);
}

/** The row of a server that is new in its group. */
export function makeServer(group, server) {
  const row = copy("server");
  row.opens.disabled = Boolean(group.fixed);
  row.opens.addEventListener("click", () => {
    row.more ??= makeMore(row, group, server);
    const open = row.more.root.hidden;
    row.more.root.hidden = !open;
    row.more.edited = false;
    row.root.classList.toggle("open", open);
    row.opens.setAttribute("aria-expanded", String(open));
    row.update();
  });
  show(row.id, server.server_id);
  return row;
}

/** What can be done to a server; made when it is first opened, for there may be a thousand. */
function makeMore(row, group, server) {
  const more = copy("server-more");
  more.root.id = `more-${(opened += 1)}`;
  more.root.hidden = true;
  row.opens.setAttribute("aria-controls", more.root.id);
  row.root.append(more.root);
  more.root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    row.opens.click();
    row.opens.focus();
  });
  more.field.addEventListener("input", () => (more.edited = true));
  const entry = { group: group.id, server_id: server.server_id, server_ip: server.server_ip };
  if (server.port) entry.port = server.port;
  const weigh = async (weight) => {
    const done = `${server.server_id} in ${group.id} has weight ${weight}.`;
    await change(done, "POST", "servers/weight", { ...entry, weight });
    more.edited = false;
  };
  onSubmit(more.form, () => weigh(numberIn(more.field)));
  onClick(more.zero, () => weigh(0));
  onClick(more.full, () => weigh(100));
  onClick(more.remove, () =>
    change(`${server.server_id} was removed from ${group.id}.`, "POST", "servers/remove", entry),
  );
  more.told.setAttribute("aria-label", `Health of ${server.server_id}`);
  for (const button of more.told.querySelectorAll("button")) {
    onClick(button, () => {
      const fields = { server_id: server.server_id, status: button.value };
      const done = `Health of ${server.server_id} is told ${button.textContent}.`;
      return change(done, "POST", "health", fields);
    });
  }
  return more;
}

function updateMore(more, server, account) {
  if (!more.edited) more.field.value = server.weight;
  const told = account.forced_health[server.server_id] ?? "probe";
  for (const button of more.told.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === told));
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
  health(row.health, server, group.routes);
  row.traffic.hidden = !account.data_plane;
  traffic(row, server, group);
  row.update = () => row.more && updateMore(row.more, server, account);
  row.update();
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
