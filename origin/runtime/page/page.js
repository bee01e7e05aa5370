// The status page. It asks /api/status once a second and shows the answer; it plays nothing and asks
// the public port for nothing until someone presses a button. Data reaches the document as text only.

import { STEADY_HLS, ahead, steadyDash, steadyHls } from "./steady.js";

const POLL_MS = 1000;
const ANSWER_WITHIN_MS = 5000;
const FILTER_FROM = 9; // channels: fewer are seen at a glance
const STUCK_S = 60; // a player that stands still this long, whatever steady.js did, is started again
const SMOOTH_EPOCH_S = Date.UTC(2020) / 1000; // Smooth's media time counts from here
// dash.js asks a public time server where a manifest names none, as Smooth's cannot: this page's own
// `Date` header serves as well.
const OWN_CLOCK = { scheme: "urn:mpeg:dash:utc:http-head:2014", value: `${location.origin}/` };
const NONE = "–";
const TOKEN = "control-token"; // its name in the storage of this tab
const STATES = ["live", "degraded", "filler", "starting", "waiting", "backing-off", "unknown", "ended", "stopped"];
const COLOURS = [
  "#5cc8ff", "#ffb454", "#8ce99a", "#c792ea", "#ff8787", "#f2e863", "#4dd0c0", "#f783ac", "#b0bec5",
];

const byId = (id) => document.getElementById(id);

// ---------------------------------------------------------------- words and numbers

const two = (n) => String(n).padStart(2, "0");
const isNumber = (n) => typeof n === "number" && Number.isFinite(n);
const unit = (n, word, digits = 0) => (isNumber(n) ? `${n.toFixed(digits)} ${word}` : NONE);
const signed = (n, word) => (isNumber(n) && n > 0 ? `+${unit(n, word)}` : unit(n, word));
const count = (n) => (isNumber(n) ? n.toLocaleString("en") : NONE);

function bitrate(n) {
  if (!isNumber(n)) return NONE;
  return n >= 1e6 ? `${(n / 1e6).toFixed(2)} Mbit/s` : `${Math.round(n / 1e3)} kbit/s`;
}

/** hh:mm:ss in UTC of milliseconds since the epoch. */
function clock(ms) {
  const at = new Date(ms);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
}

/** How long, in the two largest units: 3 d 4 h, 2 min 5 s. */
function span(seconds) {
  if (!isNumber(seconds)) return NONE;
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const age = (seconds) => (isNumber(seconds) && seconds < 60 ? unit(seconds, "s", 1) : span(seconds));

/** A live edge is late once it is older than any player's distance from it. */
function isLate({ state, live_edge_age: edgeAge, segment_duration: duration }) {
  if (["ended", "stopped"].includes(state)) return false;
  return isNumber(edgeAge) && edgeAge > 3 * (duration || 2);
}

// ---------------------------------------------------------------- the document

/** Sets the text only where it changed: a selection and a screen reader stay undisturbed. */
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
  return node;
}

function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

function putState(node, state) {
  node.classList.add("state");
  node.dataset.state = state;
  put(node, state);
}

/** Makes the children of `parent` one node per key, in order; nodes of known keys are kept. */
function keep(parent, keys, create) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  keys.forEach((key, index) => {
    const node = known.get(key) ?? create(key);
    known.delete(key);
    node.dataset.key = key;
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  for (const node of known.values()) node.remove();
  return [...parent.children];
}

// ---------------------------------------------------------------- the libraries below /players/

const loading = new Map();

/** Loads a script once; its failure is shown, and tried again when it is next needed. */
function library(name) {
  if (!loading.has(name)) loading.set(name, script(name));
  return loading.get(name);
}

function script(name) {
  const url = `/players/${name}`;
  return new Promise((resolve, reject) => {
    const node = make("script");
    node.src = url;
    node.onload = () => {
      showMissing(false);
      resolve();
    };
    node.onerror = async () => {
      loading.delete(name);
      node.remove();
      const answer = await fetch(url, { method: "HEAD" }).catch(() => null);
      if (answer?.status === 404) showMissing(true);
      reject(new Error(answer?.status === 404 ? `${name} is not installed` : `${name} did not load`));
    };
    document.head.append(node);
  });
}

function showMissing(missing) {
  for (const note of document.querySelectorAll(".missing")) note.hidden = !missing;
}

// ---------------------------------------------------------------- asking the origin

let status = null;
let heardAt = Date.now(); // this machine's clock
let clockOffset = 0; // the origin's clock less this machine's, ms
const originNow = () => Date.now() + clockOffset;

async function poll() {
  const askedAt = Date.now();
  try {
    await ask(askedAt);
    showSilence(false);
  } catch (error) {
    if (error instanceof Unauthorized) {
      askForToken();
      return; // whoever gives one polls again
    }
    showSilence(true);
  }
  setTimeout(poll, Math.max(100, POLL_MS - (Date.now() - askedAt)));
  if (status !== null) show();
}

class Unauthorized extends Error {}

async function ask(askedAt) {
  const token = sessionStorage.getItem(TOKEN);
  const answer = await fetch("/api/status", {
    cache: "no-store",
    headers: token === null ? {} : { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  if (answer.status === 401) throw new Unauthorized();
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  status = await answer.json();
  heardAt = Date.now();
  const now = Date.parse(status.now);
  if (!Number.isNaN(now)) clockOffset = now - (askedAt + heardAt) / 2;
}

/** Asks for the control token: the tab keeps it, and forgets one that is refused. */
function askForToken() {
  const refused = sessionStorage.getItem(TOKEN) !== null;
  sessionStorage.removeItem(TOKEN);
  showSilence(false);
  put(byId("token-note"), refused ? "That is not the control token." : "");
  byId("token-form").hidden = false;
  byId("token").focus();
}

function takeToken(event) {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  byId("token-form").hidden = true;
  poll();
}

function showSilence(silent) {
  const note = byId("no-answer");
  document.body.classList.toggle("silent", silent);
  if (silent) put(note, `no answer from the origin since ${clock(heardAt + clockOffset)}`);
  note.hidden = !silent;
}

// ---------------------------------------------------------------- header and channel table

function show() {
  put(byId("version"), status.version);
  const channels = status.channels ?? [];
  showSummary(channels);
  showChannels(channels);
  showChosen(channels);
}

function showSummary(channels) {
  const states = new Map();
  for (const { state } of channels) states.set(state, (states.get(state) ?? 0) + 1);
  const order = [...states.keys()].sort((a, b) => STATES.indexOf(a) - STATES.indexOf(b));
  const nodes = keep(byId("summary"), order, () => make("span", "state"));
  for (const node of nodes) {
    node.dataset.state = node.dataset.key;
    put(node, `${states.get(node.dataset.key)} ${node.dataset.key}`);
  }
}

function showChannels(channels) {
  byId("filter-label").hidden = channels.length < FILTER_FROM;
  const wanted = channels.length < FILTER_FROM ? "" : byId("filter").value.trim().toLowerCase();
  const seen = channels.filter(({ name, state, source, problem }) =>
    [name, state, source, problem].join("\n").toLowerCase().includes(wanted),
  );
  const byName = new Map(seen.map((channel) => [channel.name, channel]));
  const rows = keep(byId("channels").tBodies[0], [...byName.keys()], channelRow);
  const current = chosenName(channels);
  for (const row of rows) fillChannelRow(row, byName.get(row.dataset.key), current);
  const note = byId("no-channel");
  note.hidden = seen.length > 0;
  put(note, channels.length ? "No channel matches the filter." : "There is no channel yet.");
}

function channelRow(name) {
  const row = make("tr");
  const head = make("th");
  head.scope = "row";
  const link = make("a", "", name);
  link.href = `#${encodeURIComponent(name)}`;
  head.append(link);
  row.append(head, make("td", "state"), make("td", "number"));
  row.append(make("td", "wide cut"), make("td", "wide cut"));
  for (let i = 0; i < 3; i += 1) row.append(make("td", "number middle"));
  row.append(make("td", "last"));
  row.addEventListener("click", () => {
    location.hash = link.hash;
  });
  return row;
}

function fillChannelRow(row, channel, current) {
  const [, state, edge, source, ladder, restarts, lag, drift, problem] = row.cells;
  row.ariaCurrent = channel.name === current ? "true" : null;
  putState(state, channel.state);
  put(edge, age(channel.live_edge_age)).classList.toggle("late", isLate(channel));
  put(source, channel.source || NONE).title = channel.source ?? "";
  put(ladder, channel.ladder || NONE);
  put(restarts, count(channel.restarts));
  put(lag, unit(channel.lag_ms, "ms"));
  put(drift, signed(channel.drift_ms, "ms"));
  put(problem, problemOf(channel)).title = channel.problem ?? "";
}

/** The last problem, and when it was: it may be over long since. */
function problemOf({ problem, problem_at: at }) {
  if (!problem) return "";
  return at ? `${clock(Date.parse(at))} ${problem}` : problem;
}

/** The arrow keys walk the channels. */
function walk(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = event.target.closest("tr");
  if (!step || !row) return;
  event.preventDefault();
  row[step]?.querySelector("a").focus();
}

// ---------------------------------------------------------------- the chosen channel

let shown = null; // the name of the channel in the lower half

function chosenName(channels) {
  let name = location.hash.slice(1);
  try {
    name = decodeURIComponent(name);
  } catch {
    // A hand-written hash may hold a stray %: then it is the name as it stands.
  }
  return name || (channels[0]?.name ?? "");
}

function showChosen(channels) {
  const name = chosenName(channels);
  const channel = channels.find((one) => one.name === name);
  const note = byId("no-channel");
  if (!channel && channels.length) {
    note.hidden = false;
    put(note, `There is no channel ${name}.`);
  }
  byId("channel").hidden = !channel;
  document.title = channel ? `${name}: ${channel.state} – Ringside` : "Ringside";
  if (shown !== (channel ? name : null)) {
    shown = channel ? name : null;
    byId("view").replaceChildren();
    stopPlayers();
    dropPlot();
  }
  if (!channel) return;
  put(byId("name"), name);
  putState(byId("state"), channel.state);
  put(byId("problem"), problemOf(channel)).hidden = !channel.problem;
  showFacts(channel);
  showFeeds(channel.feeds ?? []);
  showViews(channel);
  showUrls(channel);
  showTracks(channel.tracks ?? []);
  showPlot(channel);
  showPlayers(channel);
}

function showFacts(channel) {
  const since = Date.parse(channel.since);
  const edge = Date.parse(channel.live_edge);
  const facts = {
    "In this state": span((originNow() - since) / 1000),
    "Live edge": Number.isNaN(edge) ? NONE : `${clock(edge)} (${age(channel.live_edge_age)} ago)`,
    Source: channel.source || NONE,
    Ladder: channel.ladder || NONE,
    "Segment duration": isNumber(channel.segment_duration)
      ? `${Number(channel.segment_duration.toFixed(3))} s`
      : NONE,
    Period: count(channel.period),
    Restarts: count(channel.restarts),
    Lag: unit(channel.lag_ms, "ms"),
    Drift: signed(channel.drift_ms, "ms"),
    Speed: isNumber(channel.speed) ? `${channel.speed.toFixed(2)}×` : NONE,
    Frames: count(channel.frames),
    Dropped: count(channel.dropped),
    Duplicated: count(channel.duplicated),
  };
  const nodes = keep(byId("facts"), Object.keys(facts), (word) => {
    const node = make("div");
    node.append(make("dt", "", word), make("dd"));
    return node;
  });
  for (const node of nodes) put(node.lastChild, facts[node.dataset.key]);
}

/** Sources that are fed, in the order of preference; there are none where a file is played. */
function showFeeds(feeds) {
  byId("feeds-part").hidden = feeds.length === 0;
  const rows = keep(byId("feeds").tBodies[0], feeds.map((_, index) => String(index)), feedRow);
  rows.forEach((row, index) => fillFeedRow(row, feeds[index], index));
  const advice = feeds.flatMap((feed, index) =>
    (feed.advice ?? []).map((sentence) => `${index} ${feed.name}: ${sentence}`),
  );
  for (const item of keep(byId("advice"), [...new Set(advice)], () => make("li"))) {
    put(item, item.dataset.key);
  }
}

function feedRow() {
  const row = make("tr");
  const head = make("th");
  head.scope = "row";
  row.append(head, make("td", "state"), make("td"));
  for (let i = 0; i < 10; i += 1) row.append(make("td", "number"));
  return row;
}

/** What is nothing yet is not in the answer. */
function fillFeedRow(row, feed, index) {
  const report = feed.report ?? {};
  const state = feed.connected ? (feed.active ? "on air" : "connected") : "away";
  put(row.cells[0], `${index} ${feed.name}`);
  putState(row.cells[1], state);
  [
    feed.peer || NONE,
    bitrate(report.bitrate),
    isNumber(report.frame_rate) ? String(Number(report.frame_rate.toFixed(2))) : NONE,
    unit(report.keyframe_interval, "s", 2),
    signed(report.skew_ms, "ms"),
    signed(report.clock_ppm, "ppm"),
    count(report.continuity_errors ?? 0),
    count(report.dropped_frames ?? 0),
    count(report.late_frames ?? 0),
    feed.connected ? unit(report.silent_ms ?? 0, "ms") : NONE,
    count(feed.reconnects ?? 0),
  ].forEach((text, cell) => put(row.cells[cell + 2], text));
}

const FORMATS = { hls: "HLS", dash: "DASH", smooth: "Smooth" };

/** The address on the public port: this page may be looked at by any name of the host. */
function publicUrl(channel, format) {
  const view = channel.views?.[byId("view").value] ?? "";
  const path = channel.urls?.[format]?.replace(/^((?:\/t\/[^/]+)?\/live\/[^/]+\/)/, `$1${view}`);
  return path ? `${location.protocol}//${location.hostname}:${status.public_port}${path}` : "";
}

/** The stretches that addresses and players can be of; what has been chosen stays. */
function showViews(channel) {
  const select = byId("view");
  const chosen = select.value;
  keep(select, Object.keys(channel.views ?? {}), (name) => make("option", "", name));
  if (select.value !== chosen) stopPlayers();
}

function stopPlayers() {
  for (const player of players) player.reset();
}

byId("view").addEventListener("change", () => {
  stopPlayers();
  showChosen(status.channels);
});

function showUrls(channel) {
  const formats = Object.keys(FORMATS).filter((format) => publicUrl(channel, format));
  for (const item of keep(byId("urls"), formats, urlItem)) {
    const field = item.querySelector("input");
    const url = publicUrl(channel, item.dataset.key);
    if (field.value !== url) field.value = url;
  }
}

function urlItem(format) {
  const item = make("li");
  const label = make("label", "", FORMATS[format]);
  const field = make("input");
  const button = make("button", "", "Copy");
  label.htmlFor = field.id = `url-${format}`;
  field.readOnly = true;
  button.type = "button";
  button.ariaLabel = `Copy the ${FORMATS[format]} address`;
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", async () => {
    const done = await copy(field);
    put(button, done ? "Copied" : "Not copied");
    put(byId("copied"), done ? `${FORMATS[format]} address copied` : "The browser refused to copy");
    setTimeout(() => put(button, "Copy"), 1500);
  });
  item.append(label, field, button);
  return item;
}

async function copy(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // The clipboard object exists only on HTTPS and on the loopback; the old command works anywhere.
    field.select();
    return document.execCommand("copy");
  }
}

// ---------------------------------------------------------------- tracks and their plot

const colour = (index) => COLOURS[index % COLOURS.length];

function showTracks(tracks) {
  const byTrack = new Map(tracks.map((track) => [track.id, track]));
  const rows = keep(byId("tracks").tBodies[0], [...byTrack.keys()], (id) => {
    const row = make("tr");
    const head = make("th");
    head.scope = "row";
    head.append(make("span", "swatch"), make("span", "", id));
    row.append(head, make("td", "mono"));
    for (let i = 0; i < 5; i += 1) row.append(make("td", "number"));
    return row;
  });
  byId("tracks").parentNode.hidden = rows.length === 0;
  byId("no-tracks").hidden = rows.length > 0;
  rows.forEach((row, index) => {
    const track = byTrack.get(row.dataset.key);
    const [head, codecs, picture, nominal, average, peak, segments] = row.cells;
    head.firstChild.style.background = colour(index);
    put(codecs, track.codecs ?? NONE);
    put(picture, pictureOf(track));
    put(nominal, bitrate(track.bitrate));
    put(average, bitrate(track.average));
    put(peak, bitrate(track.peak));
    put(segments, count(track.segments));
  });
}

function pictureOf(track) {
  if (track.kind !== "video" || !track.width) return track.kind;
  const [frames, seconds = "1"] = String(track.frame_rate ?? "").split("/");
  const rate = Number(frames) / Number(seconds); // "25" or "30000/1001"
  const size = `${track.width}×${track.height}`;
  return rate > 0 ? `${size}, ${Number(rate.toFixed(2))} fps` : size;
}

let plot = null;
let plotted = ""; // the tracks of the plot
let plotFailed = false;

function dropPlot() {
  plot?.destroy();
  plot = null;
  plotted = "";
}

function showPlot(channel) {
  const tracks = (channel.tracks ?? []).map((track, index) => ({ ...track, index }));
  const drawn = tracks.filter((track) => track.history?.length > 0);
  const host = byId("plot");
  byId("no-history").hidden = plotFailed || drawn.length > 0;
  host.hidden = plotFailed || drawn.length === 0;
  if (host.hidden || !globalThis.uPlot) return;
  const ids = JSON.stringify(drawn.map((track) => [track.id, track.index]));
  const data = uPlot.join(drawn.map((track) => columns(track.history)));
  if (ids !== plotted) dropPlot();
  if (plot) {
    plot.setData(data);
  } else {
    plot = new uPlot(plotOptions(drawn, host), data, host);
    plotted = ids;
  }
}

/** History as uPlot's columns; a hole gets an empty point, so that no line is drawn across it. */
function columns(history) {
  const steps = history.slice(1).map(([at], i) => at - history[i][0]).sort((a, b) => a - b);
  const usual = steps[steps.length >> 1] ?? Infinity;
  const times = [];
  const values = [];
  history.forEach(([at, value], i) => {
    if (i > 0 && at - history[i - 1][0] > 2.5 * usual) {
      times.push(history[i - 1][0] + usual);
      values.push(null);
    }
    times.push(at);
    values.push(value);
  });
  return [times, values];
}

const plotSize = (host) => ({ width: Math.max(240, host.clientWidth - 8), height: 240 });

function plotOptions(tracks, host) {
  const axis = { stroke: "#8796a4", grid: { stroke: "#1e2730", width: 1 }, ticks: { show: false } };
  const megabits = (_, values) => values.map((n) => (n === 0 ? "0" : `${Number((n / 1e6).toFixed(2))} M`));
  return {
    ...plotSize(host),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    cursor: { points: { size: 6 } },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max) * 1.08] } },
    axes: [
      { ...axis, space: 80, size: 34, values: (_, times) => times.map((s) => clock(s * 1e3)) },
      { ...axis, size: 56, values: megabits },
    ],
    series: [
      { label: "UTC", value: (_, s) => (s === null ? NONE : clock(s * 1e3)) },
      ...tracks.map((track) => ({
        label: track.id,
        stroke: colour(track.index),
        width: 1.5,
        dash: track.kind === "video" ? undefined : [6, 4],
        points: { show: track.history.length < 2 },
        value: (_, n) => (n === null || n === undefined ? NONE : bitrate(n)),
      })),
    ],
  };
}

// ---------------------------------------------------------------- players

/** How each player is made: `open` returns what closes it and what it says of itself. */
const ENGINES = {
  hls: { title: "HLS · hls.js", scripts: ["hls.js"], open: openHls },
  dash: { title: "DASH · dash.js", scripts: ["dash.js"], open: openDash },
  // The Smooth plugin adds itself to the dash.js that is there: the order counts.
  smooth: { title: "Smooth · dash.js", scripts: ["dash.js", "dash.mss.js"], open: openSmooth },
};

function openHls(video, url, fail) {
  const hls = new Hls(STEADY_HLS);
  steadyHls(hls);
  hls.on(Hls.Events.ERROR, (_, { details, response, error, fatal }) => {
    const reason = response?.code ? `HTTP ${response.code}` : (error?.message ?? "");
    fail([details, reason].filter(Boolean).join(": ") + (fatal ? " (fatal)" : ""));
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return {
    close: () => hls.destroy(),
    rendition: () => hls.levels[hls.currentLevel] ?? null,
    latency: () => (hls.playingDate ? (originNow() - hls.playingDate.getTime()) / 1000 : hls.latency),
  };
}

function openDash(video, url, fail) {
  const player = dashjs.MediaPlayer().create();
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => {
    fail(typeof error === "string" ? error : (error?.message ?? "unknown error"));
  });
  player.updateSettings({ streaming: { utcSynchronization: { defaultTimingSource: OWN_CLOCK } } });
  const leave = steadyDash(player, video);
  player.initialize(video, url, true);
  return {
    close: () => {
      leave();
      player.destroy();
    },
    rendition: () => {
      const one = player.getCurrentRepresentationForType("video");
      return one ? { height: one.height, bitrate: one.bandwidth } : null;
    },
    latency: () => player.getCurrentLiveLatency(),
  };
}

function openSmooth(video, url, fail) {
  // dash.js takes Smooth's times for Unix times: its own idea of latency is half a century off.
  const latency = () => originNow() / 1000 - SMOOTH_EPOCH_S - video.currentTime;
  return { ...openDash(video, url, fail), latency };
}

class Player {
  constructor(format) {
    this.format = format;
    this.engine = null;
    this.run = 0; // counts starts and stops: a library that loads late finds its run over
    this.running = false;
    this.url = "";
    const root = byId("player-template").content.cloneNode(true);
    this.card = root.querySelector("article");
    this.card.dataset.player = format;
    this.video = root.querySelector("video");
    this.video.muted = true; // the attribute of a template is not enough for autoplay
    this.button = root.querySelector("button");
    put(root.querySelector("h4"), ENGINES[format].title);
    this.video.setAttribute("aria-label", ENGINES[format].title);
    byId("players").append(root);
    this.button.addEventListener("click", () => (this.running ? this.stop() : this.start()));
    // Counts as paused until it has enough otherwise: hls.js jumps no hole in a paused one.
    this.video.addEventListener("loadstart", () => this.video.play().catch(() => {}));
    this.video.addEventListener("waiting", () => this.stalled());
    this.video.addEventListener("playing", () => {
      this.moving = true;
    });
    this.reset();
  }

  stat(name, text) {
    put(this.card.querySelector(`[data-stat="${name}"]`), text);
  }

  reset() {
    this.stop();
    this.stalls = 0;
    for (const name of ["rendition", "latency", "buffer", "stalls"]) this.stat(name, NONE);
    this.stat("error", "");
  }

  async start() {
    this.reset();
    this.running = true;
    await this.open();
  }

  stop() {
    this.running = false;
    this.close();
    this.showState("stopped");
  }

  async open() {
    const run = (this.run += 1);
    this.moving = false;
    this.stuck = 0;
    this.showState("starting");
    try {
      for (const name of ENGINES[this.format].scripts) await library(name);
      if (run !== this.run) return;
      this.engine = ENGINES[this.format].open(this.video, this.url, (text) => this.fail(run, text));
    } catch (error) {
      if (run !== this.run) return;
      this.stop();
      this.stat("error", error.message);
    }
  }

  close() {
    this.run += 1;
    const engine = this.engine;
    this.engine = null;
    engine?.close();
    this.video.removeAttribute("src");
    this.video.load();
  }

  fail(run, text) {
    const short = text.replaceAll(/https?:\/\/[^/\s]+/g, "").replace(/ \(\{.*/s, ""); // no host, no dump
    if (run === this.run) this.stat("error", `${clock(originNow())} ${short}`);
  }

  /** A stall is a picture that ran and stopped for want of data; a seek or a start is none. */
  stalled() {
    if (this.engine && this.moving && !this.video.seeking && !this.video.paused) this.stalls += 1;
    this.moving = false;
  }

  /** Once a second: shows what the player says, and starts again one that stands still. */
  tick() {
    if (!this.engine) return;
    const { video, engine } = this;
    const rendition = engine.rendition();
    const latency = engine.latency();
    this.stat("rendition", rendition ? `${rendition.height}p, ${bitrate(rendition.bitrate)}` : NONE);
    this.stat("latency", this.at && Math.abs(latency) < 86400 ? unit(latency, "s", 1) : NONE);
    this.stat("buffer", unit(ahead(video), "s", 1));
    this.stat("stalls", String(this.stalls));
    const still = video.currentTime === this.at;
    this.at = video.currentTime;
    if (video.ended) this.showState("ended");
    else if (this.at === 0) this.showState("starting");
    else if (video.paused) this.showState("paused");
    else this.showState(still ? "waiting" : "playing");
    const wants = ["starting", "waiting"].includes(this.card.dataset.state);
    this.stuck = wants ? this.stuck + 1 : 0;
    if (this.stuck >= STUCK_S) {
      this.close();
      this.open();
    }
  }

  showState(state) {
    this.card.dataset.state = state;
    this.video.controls = this.running;
    put(this.card.querySelector(".playing"), state);
    put(this.button, this.running ? "Stop" : "Play");
    this.button.ariaLabel = `${this.button.textContent} ${ENGINES[this.format].title}`;
    showPlayAll();
  }
}

const players = [];
const anyRuns = () => players.some((player) => player.running);

function showPlayAll() {
  put(byId("play-all"), anyRuns() ? "Stop all" : "Play all");
}

function showPlayers(channel) {
  for (const player of players) {
    player.url = publicUrl(channel, player.format);
    player.button.disabled = !player.url;
  }
}

function playAll() {
  const stop = anyRuns();
  for (const player of players) {
    if (stop) player.stop();
    else if (player.url) player.start();
  }
}

// ---------------------------------------------------------------- start

for (const format of Object.keys(ENGINES)) players.push(new Player(format));
byId("play-all").addEventListener("click", playAll);
byId("token-form").addEventListener("submit", takeToken);
byId("filter").addEventListener("input", () => status && show());
byId("channels").addEventListener("keydown", walk);
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash belongs to the channel
  byId("channel").focus();
});
addEventListener("hashchange", () => status && show());
new ResizeObserver(() => plot?.setSize(plotSize(byId("plot")))).observe(byId("plot"));
setInterval(() => put(byId("clock"), clock(originNow())), 200);
setInterval(() => players.forEach((player) => player.tick()), 1000);

const style = make("link");
style.rel = "stylesheet";
style.href = "/players/uplot.css";
document.head.append(style);
library("uplot.js")
  .then(() => status && show())
  .catch(() => {
    plotFailed = true;
    if (status) show();
  });
poll();
