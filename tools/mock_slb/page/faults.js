/* Faults: adding one by its preset, lifting it; what is made to go wrong, and healing all of it. */

import { ask, change, numberIn, onClick, onSubmit } from "./control.js";
import { copy, element, list, show, state, tags } from "./dom.js";
import { products } from "./products.js";

/** Fill the form with what there is to choose from, and let it act. Throws as `ask`. */
export async function letFaultsBeAdded() {
  const form = document.getElementById("new-fault");
  const { preset, action, times, lasts } = form.elements;
  const { presets, actions } = await ask("GET", "choices");
  onClick(document.getElementById("heal"), () => change("All is healed.", "POST", "heal", {}));
  preset.append(...presets.map((one) => new Option(one.name)));
  document.getElementById("actions").append(
    ...actions.map((one) => Object.assign(element("option"), { value: one })),
  );
  const explain = () => {
    const chosen = presets[preset.selectedIndex];
    action.placeholder = chosen.action;
    document.getElementById("preset-does").textContent = `A call ${chosen.does}.`;
  };
  preset.addEventListener("change", explain);
  explain();
  onSubmit(form, async () => {
    const fields = { preset: preset.value };
    if (action.value) fields.action = action.value;
    if (times.value) fields.times = numberIn(times);
    if (lasts.value) fields.lasts = numberIn(lasts);
    await change(`The fault ${preset.value} is in force.`, "POST", "faults", fields);
  });
}

/** Show the fault rules, and all else that is made to go wrong. */
export function showFaults({ account, faults }) {
  const table = document.querySelector("#faults table");
  table.hidden = faults.length === 0;
  document.querySelector("#faults .none").hidden = faults.length > 0;
  show(document.getElementById("faults-count"), faults.length);
  list(table, faults, (fault) => fault.id, makeFault, updateFault);
  const wrong = inForce(account, faults);
  document.getElementById("in-force").dataset.tone = wrong.length ? "bad" : "";
  tags(
    document.querySelector("#in-force ul"),
    wrong.length ? wrong.map((text) => ({ text })) : [{ text: "Nothing is made to go wrong" }],
  );
}

function makeFault(fault) {
  const row = copy("fault");
  show(row.name, fault.name);
  show(row.which, ` ${fault.name} of ${fault.action}`);
  onClick(row.lift, () => change(`${fault.name} is lifted.`, "DELETE", `faults/${fault.id}`));
  return row;
}

function updateFault(row, fault) {
  state(row.spent, fault.spent ? "over" : "");
  show(row.does, `${fault.action} ${fault.does}${limits(fault)}`);
  show(row.hits, fault.hits);
}

function limits({ match, times, lasts }) {
  const where = Object.entries(match).map(([name, value]) => `, where ${name} is ${value}`);
  return [
    ...where,
    times === null ? "" : `, ${times} ${times === 1 ? "time" : "times"}`,
    lasts === null ? "" : `, for ${lasts} s`,
  ].join("");
}

function inForce(account, faults) {
  const { clock_offset_seconds: clock, read_lag_seconds: lag, ecs_access: ecs } = account;
  const groups = Object.values(products(account)).flat();
  return [
    ...faults.filter((one) => !one.spent).map((one) => `Fault ${one.name} of ${one.action}`),
    ...Object.entries(account.forced_health).map(([id, status]) => `${id} is told ${status}`),
    ...groups.flatMap((one) => one.troubles.map((text) => `${one.id}: ${text}`)),
    ...(clock ? [`The clock is ${Math.abs(clock)} s ${clock > 0 ? "ahead" : "behind"}`] : []),
    ...(lag ? [`Reads are ${lag} s old`] : []),
    ...(ecs.denied ? ["ECS lists no instance"] : []),
    ...(ecs.hidden.length ? [`ECS hides ${ecs.hidden.join(", ")}`] : []),
  ];
}
