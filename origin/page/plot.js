// The plot of segment bit rates, by uPlot.

import { byId } from "./dom.js";
import { library, stylesheet } from "./libraries.js";
import { NONE, bitrate, clock } from "./text.js";
import { colour } from "./tracks.js";

const GAP_STEPS = 2.5; // a distance of more than this many usual steps is a hole
const HEIGHT = 240;

let plot = null;
let plotted = ""; // the tracks of the plot
let failed = false;

/** Loads uPlot, then calls `show`. */
export function startPlot(show) {
  new ResizeObserver(() => plot?.setSize(plotSize(byId("plot")))).observe(byId("plot"));
  stylesheet("uplot.css");
  library("uplot.js")
    .catch(() => {
      failed = true;
    })
    .then(show);
}

export function dropPlot() {
  plot?.destroy();
  plot = null;
  plotted = "";
}

export function showPlot(channel) {
  const tracks = (channel.tracks ?? []).map((track, index) => ({ ...track, index }));
  const drawn = tracks.filter((track) => track.history?.length > 0);
  const host = byId("plot");
  byId("no-history").hidden = failed || drawn.length > 0;
  host.hidden = failed || drawn.length === 0;
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

/** History as uPlot's columns. A hole gets an empty point, so that no line crosses it. */
function columns(history) {
  const steps = history.slice(1).map(([at], i) => at - history[i][0]).sort((a, b) => a - b);
  const usual = steps[steps.length >> 1] ?? Infinity;
  const times = [];
  const values = [];
  history.forEach(([at, value], i) => {
    if (i > 0 && at - history[i - 1][0] > GAP_STEPS * usual) {
      times.push(history[i - 1][0] + usual);
      values.push(null);
    }
    times.push(at);
    values.push(value);
  });
  return [times, values];
}

const plotSize = (host) => ({ width: Math.max(240, host.clientWidth - 8), height: HEIGHT });

function plotOptions(tracks, host) {
  const axis = { stroke: "#8796a4", grid: { stroke: "#1e2730", width: 1 }, ticks: { show: false } };
  const megabits = (_, values) =>
    values.map((n) => (n === 0 ? "0" : `${Number((n / 1e6).toFixed(2))} M`));
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
