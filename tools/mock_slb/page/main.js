/* Looks at the account once a second, and at once after each change made here. */

import { showCalls } from "./calls.js";
import { show, state } from "./dom.js";
import { letFaultsBeAdded, showFaults } from "./faults.js";
import { showGroups } from "./groups.js";
import { showInstances } from "./instances.js";
import { noteTraffic, showTraffic } from "./traffic.js";

const EVERY_MS = 1000;
const TIMEOUT_MS = 10_000;

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
    const answered = await look();
    state(
      document.getElementById("live"),
      answered ? "Live" : "No answer, asking again",
      answered ? "good" : "bad",
    );
    document.body.classList.toggle("stale", !answered);
    if (answered) {
      showAll();
      if (!offersFaults) offersFaults = await letFaultsBeAdded().then(() => true, () => false);
    }
    await Promise.race([woken, document.hidden ? woken : after(EVERY_MS)]);
  }
}

/** Have the newest overview; false where there is no answer. */
async function look() {
  try {
    const headers = version ? { "If-None-Match": version } : {};
    const response = await fetch("/_mock/overview", {
      headers,
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status !== 304) {
      if (!response.ok) return false;
      overview = await response.json();
      version = response.headers.get("ETag");
    }
    return true;
  } catch {
    return false; // refused, cut off, too late, or no JSON: the next look is soon
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
