/* The instances, which can be stopped and started. */

import { change, onClick } from "./control.js";
import { copy, element, list, show, state } from "./dom.js";

/** Show all instances. */
export function showInstances({ account }) {
  const instances = Object.entries(account.instances);
  const table = document.querySelector("#instances table");
  table.hidden = instances.length === 0;
  document.querySelector("#instances .none").hidden = instances.length > 0;
  show(document.getElementById("instances-count"), instances.length);
  list(table, instances, ([id]) => id, makeInstance, (row, [id, one]) =>
    updateInstance(row, one, account.forced_health[id]),
  );
  list(
    document.getElementById("server-ids"),
    instances,
    ([id]) => id,
    ([id]) => ({ root: Object.assign(element("option"), { value: id }) }),
    () => {},
  );
}

function makeInstance([id]) {
  const row = copy("instance");
  show(row.id, id);
  onClick(row.switch, () => {
    const running = row.state.textContent !== "running";
    const done = `${id} is ${running ? "running" : "stopped"}.`;
    return change(done, "POST", "instances/running", { id, running });
  });
  return row;
}

function updateInstance(row, instance, told) {
  const ports = Object.entries(instance.ports).map(([port, real]) => `${port} → ${instance.host}:${real}`);
  row.self.hidden = !instance.self;
  show(row.place, [instance.private_ip, instance.zone_id, ...ports].join(", "));
  state(row.state, instance.running ? "running" : "stopped");
  state(row.told, told ? `told ${told}` : "", "bad");
  show(row.switch, instance.running ? "Stop" : "Start", { quiet: true });
}
