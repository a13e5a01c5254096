/* Looks at the account once a second, and at once after each change made here. */

import { showCalls } from "./calls.js";
import { show, state } from "./dom.js";
import { letFaultsBeAdded, showFaults } from "./faults.js";
import { showGroups } from "./groups.js";
import { showInstances } from "./instances.js";
import { noteTraffic, showTraffic } from "./traffic.js";

const EVERY_MS = 1000;
const TIMEOUT_MS = 10_000;
const [CHANGED, THE_SAME, NO_ANSWER] = ["changed", "the same", "no answer"];

let overview;
let version = "";
let wake = () => {};

document.addEventListener("account-changed", () => wake());
document.addEventListener("visibilitychange", () => wake());
watch().catch((error) => {
  state(document.getElementById("live"), "This page has failed: reload it", "bad");
  throw error;
});

async function watch() {
  let offersFaults = false;
  for (;;) {
    const woken = new Promise((resolve) => (wake = resolve));
    const found = await look();
    const answered = found !== NO_ANSWER;
    state(
      document.getElementById("live"),
      answered ? "Live" : "No answer, asking again",
      answered ? "good" : "bad",
    );
    document.body.classList.toggle("stale", !answered);
    // where nothing has changed, all that does is how fast the data plane forwards
    if (found === CHANGED || (found === THE_SAME && overview.account.data_plane)) showAll();
    if (answered && !offersFaults) {
      offersFaults = await letFaultsBeAdded().then(() => true, () => false);
    }
    await Promise.race([woken, document.hidden ? woken : after(EVERY_MS)]);
  }
}

/** Have the newest overview: one of the three above. */
async function look() {
  try {
    const headers = version ? { "If-None-Match": version } : {};
    const response = await fetch("/_mock/overview", {
      headers,
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 304) return THE_SAME;
    if (!response.ok) return NO_ANSWER;
    overview = await response.json();
    version = response.headers.get("ETag");
    return CHANGED;
  } catch {
    return NO_ANSWER; // refused, cut off, too late, or no JSON: the next look is soon
  }
}

function showAll() {
  noteTraffic(overview, performance.now());
  show(document.getElementById("region"), overview.account.region);
  showGroups(overview);
  showTraffic(overview);
  showFaults(overview);
  showCalls(overview);
  showInstances(overview);
}

function after(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
