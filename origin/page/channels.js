// The header and the channel table.

import { byId, keep, make, makeRow, put, putState } from "./dom.js";
import { NONE, age, clock, count, isNumber, signed, unit } from "./text.js";

const FILTER_FROM = 9; // channels: fewer need no filter
const STATES = [
  "live", "degraded", "filler", "starting", "waiting", "backing-off", "unknown", "ended", "stopped",
];

/** The name of the chosen channel: the URL's hash, or else the first channel. */
export function chosenName(channels) {
  let name = location.hash.slice(1);
  try {
    name = decodeURIComponent(name);
  } catch {
    // A hand-written hash may contain a stray %: it is then the name itself.
  }
  return name || (channels[0]?.name ?? "");
}

/** The last problem with its time, since it may have ended long ago. */
export function problemText({ problem, problem_at: at }) {
  if (!problem) return "";
  return at ? `${clock(Date.parse(at))} ${problem}` : problem;
}

export function showSummary(channels) {
  const states = new Map();
  for (const { state } of channels) states.set(state, (states.get(state) ?? 0) + 1);
  const order = [...states.keys()].sort((a, b) => STATES.indexOf(a) - STATES.indexOf(b));
  for (const node of keep(byId("summary"), order, () => make("span", "state"))) {
    node.dataset.state = node.dataset.key;
    put(node, `${states.get(node.dataset.key)} ${node.dataset.key}`);
  }
}

export function showChannels(channels) {
  byId("filter-label").hidden = channels.length < FILTER_FROM;
  const filter = channels.length < FILTER_FROM ? "" : byId("filter").value.trim().toLowerCase();
  const matching = channels.filter(({ name, state, source, problem }) =>
    [name, state, source, problem].join("\n").toLowerCase().includes(filter),
  );
  const byName = new Map(matching.map((channel) => [channel.name, channel]));
  const rows = keep(byId("channels").tBodies[0], [...byName.keys()], channelRow);
  const chosen = chosenName(channels);
  for (const row of rows) fillChannelRow(row, byName.get(row.dataset.key), chosen);
  const note = byId("no-channel");
  note.hidden = matching.length > 0;
  put(note, channels.length ? "No channel matches the filter." : "There is no channel yet.");
}

function channelRow(name) {
  const link = make("a", "", name);
  link.href = `#${encodeURIComponent(name)}`;
  const middle = Array(3).fill("number middle");
  const row = makeRow(["state", "number", "wide cut", "wide cut", ...middle, "last"], link);
  row.addEventListener("click", () => {
    location.hash = link.hash;
  });
  return row;
}

function fillChannelRow(row, channel, chosen) {
  const [, state, edge, source, ladder, restarts, lag, drift, problem] = row.cells;
  row.ariaCurrent = channel.name === chosen ? "true" : null;
  putState(state, channel.state);
  put(edge, age(channel.live_edge_age)).classList.toggle("late", isLate(channel));
  put(source, channel.source || NONE).title = channel.source ?? "";
  put(ladder, channel.ladder || NONE);
  put(restarts, count(channel.restarts));
  put(lag, unit(channel.lag_ms, "ms"));
  put(drift, signed(channel.drift_ms, "ms"));
  put(problem, problemText(channel)).title = channel.problem ?? "";
}

/** A live edge older than three segments, which is a player's distance from live. */
function isLate({ state, live_edge_age: edgeAge, segment_duration: duration }) {
  if (["ended", "stopped"].includes(state)) return false;
  return isNumber(edgeAge) && edgeAge > 3 * (duration || 2);
}

/** Moves the focus between channels with the arrow keys. */
export function moveFocus(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = event.target.closest("tr");
  if (!step || !row) return;
  event.preventDefault();
  row[step]?.querySelector("a").focus();
}
