/* The last calls: what was asked, and what came of it. */

import { copy, list, show, state } from "./dom.js";

const PRODUCTS = { slb: "CLB", alb: "ALB", nlb: "NLB", sts: "STS", ecs: "ECS" };
const CUT_OFF = 0;

const onlyFailed = document.getElementById("only-failed");
let last;

onlyFailed.addEventListener("change", () => showCalls(last, { quiet: true }));

/** Show the last calls, or of those that failed the last. */
export function showCalls(overview, { quiet = false } = {}) {
  last = overview;
  const calls = onlyFailed.checked ? overview.failed_calls : overview.calls;
  const table = document.querySelector("#calls table");
  table.hidden = calls.length === 0;
  document.querySelector("#calls .none").hidden = calls.length > 0;
  show(document.getElementById("calls-count"), overview.calls[0]?.number ?? 0, { quiet: true });
  list(table, calls, (call) => call.number, makeCall, () => {}, { quiet });
}

function makeCall(call) {
  const row = copy("call");
  const at = new Date(call.time * 1000);
  row.time.dateTime = at.toISOString();
  show(row.time, at.toLocaleTimeString("en-GB"));
  show(row.action, call.action || "no action");
  show(row.product, PRODUCTS[call.product] ?? "");
  const params = Object.entries(call.params).map(([name, value]) => `${name}=${value}`);
  show(row.params, params.join(" "));
  const status = call.status === CUT_OFF ? "cut off" : String(call.status);
  state(row.status, status, call.status === 200 ? "good" : "bad");
  show(row.code, call.code ?? "");
  row.fault.hidden = call.fault === null;
  show(row.fault, `fault: ${call.fault}`);
  return row;
}
