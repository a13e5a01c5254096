/* What the data plane has forwarded: how much to each server, by listener, and how fast. */

import { copy, list, show, state } from "./dom.js";

const SAMPLES = 60;
const RATE_OVER = 4; // samples, so that a rate does not jump at each look

const flows = new Map();

/** Take note of what has been forwarded by now (in milliseconds of any clock). */
export function noteTraffic({ account }, now) {
  const present = new Set();
  for (const [listener, one] of Object.entries(account.data_plane?.listeners ?? {})) {
    for (const server of one.servers) {
      const key = keyOf(listener, server.pool, server);
      const flow = flows.get(key) ?? { samples: [] };
      const total = one.layer === 7 ? server.requests : server.connections;
      flow.samples = [...flow.samples, { now, total }].slice(-SAMPLES);
      const since = flow.samples.at(-RATE_OVER) ?? flow.samples[0];
      const seconds = (now - since.now) / 1000;
      Object.assign(flow, { total, rate: seconds > 0 ? (total - since.total) / seconds : 0 });
      flows.set(key, flow);
      present.add(key);
    }
  }
  for (const key of flows.keys()) if (!present.has(key)) flows.delete(key);
}

/** How much goes to a server by one way; undefined where nothing is forwarded. */
export function flowOf(listener, route, server) {
  return flows.get(keyOf(listener, poolOf(route), server));
}

/** A rate in words. */
export function perSecond(rate) {
  return `${rate > 0 && rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`;
}

/** Show every listener that is forwarded. */
export function showTraffic({ account }) {
  const listeners = Object.entries(account.data_plane?.listeners ?? {});
  document.getElementById("traffic").hidden = !account.data_plane;
  document.getElementById("traffic-link").hidden = !account.data_plane;
  list(
    document.querySelector("#traffic .listeners"),
    listeners,
    ([name]) => name,
    ([name, one]) => {
      const card = copy("listener");
      card.table = card.root.querySelector("table");
      show(card.name, name);
      show(card.caption, `Traffic of ${name} by server`);
      return card;
    },
    (card, [name, one]) => {
      const counted = one.layer === 7 ? "requests" : "connections";
      show(card.address, `${one.address}:${one.port}, layer ${one.layer}, ${counted}`);
      state(card.restarts, one.restarts ? `HAProxy ended ${one.restarts} times` : "", "bad");
      const key = (server) => keyOf(name, server.pool, server);
      const steps = one.servers.flatMap((server) => ratesOf(flows.get(key(server))));
      const most = Math.max(1, ...steps);
      list(card.table, one.servers, key, makeRow, (row, server) =>
        updateRow(row, server, flows.get(key(server)), most),
      );
    },
  );
}

function makeRow(server) {
  const row = copy("traffic-row");
  row.line = row.root.querySelector("polyline");
  show(row.id, server.server_id);
  return row;
}

function updateRow(row, server, flow, most) {
  show(row.place, server.port ? `:${server.port}` : "");
  state(row.health, server.health);
  show(row.share, server.share);
  show(row.rate, perSecond(flow.rate), { quiet: true });
  show(row.total, flow.total, { quiet: true });
  show(row.failed, server.failed);
  const rates = ratesOf(flow);
  const points = rates.map((rate, i) => `${SAMPLES - rates.length + i + 1},${19 - (18 * rate) / most}`);
  row.line.setAttribute("points", points.join(" "));
}

function ratesOf({ samples }) {
  return samples.slice(1).map(({ now, total }, i) => {
    const before = samples[i];
    return (1000 * (total - before.total)) / Math.max(1, now - before.now);
  });
}

function keyOf(listener, pool, server) {
  return JSON.stringify([listener, pool, server.server_id, server.port ?? 0]);
}

/** The data plane's name of a way: what HAProxy does not take in names is written in hex. */
function poolOf(route) {
  return route.replace(/[^A-Za-z0-9_:-]/gu, (found) => `.${found.codePointAt(0).toString(16)}.`);
}
