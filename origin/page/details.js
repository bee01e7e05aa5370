// Facts and feeds of the chosen channel.

import { originNow } from "./api.js";
import { byId, keep, make, makeRow, put, putState } from "./dom.js";
import { NONE, age, bitrate, clock, count, isNumber, signed, span, unit } from "./text.js";

export function showFacts(channel) {
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

/** Shows sources with a feed, in order of preference; hidden for a file or the pattern. */
export function showFeeds(feeds) {
  byId("feeds-part").hidden = feeds.length === 0;
  const rows = keep(byId("feeds").tBodies[0], feeds.map((_, index) => String(index)), feedRow);
  rows.forEach((row, index) => fillFeedRow(row, feeds[index]));
  const advice = feeds.flatMap((feed) =>
    (feed.advice ?? []).map((sentence) => `${feed.label}: ${sentence}`),
  );
  for (const item of keep(byId("advice"), [...new Set(advice)], () => make("li"))) {
    put(item, item.dataset.key);
  }
}

const feedRow = () => makeRow(["state", "", ...Array(10).fill("number")]);

/** The API omits values that are unknown. */
function fillFeedRow(row, feed) {
  const report = feed.report ?? {};
  const state = feed.connected ? (feed.active ? "on air" : "connected") : "away";
  put(row.cells[0], feed.label);
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
