// The track table.

import { byId, keep, make, makeRow, put } from "./dom.js";
import { NONE, bitrate, count } from "./text.js";

const COLOURS = [
  "#5cc8ff", "#ffb454", "#8ce99a", "#c792ea", "#ff8787", "#f2e863", "#4dd0c0", "#f783ac", "#b0bec5",
];

/** The colour of a track, in the table and in the plot. */
export const colour = (index) => COLOURS[index % COLOURS.length];

export function showTracks(tracks) {
  const byTrack = new Map(tracks.map((track) => [track.id, track]));
  const rows = keep(byId("tracks").tBodies[0], [...byTrack.keys()], (id) =>
    makeRow(["mono", ...Array(5).fill("number")], make("span", "swatch"), make("span", "", id)),
  );
  byId("tracks").parentNode.hidden = rows.length === 0;
  byId("no-tracks").hidden = rows.length > 0;
  rows.forEach((row, index) => {
    const track = byTrack.get(row.dataset.key);
    const [head, codecs, format, nominal, average, peak, segments] = row.cells;
    head.firstChild.style.background = colour(index);
    put(codecs, track.codecs ?? NONE);
    put(format, formatText(track));
    put(nominal, bitrate(track.bitrate));
    put(average, bitrate(track.average));
    put(peak, bitrate(track.peak));
    put(segments, count(track.segments));
  });
}

function formatText(track) {
  if (track.kind !== "video" || !track.width) return track.kind;
  const [frames, seconds = "1"] = String(track.frame_rate ?? "").split("/");
  const rate = Number(frames) / Number(seconds); // "25" or "30000/1001"
  const size = `${track.width}×${track.height}`;
  return rate > 0 ? `${size}, ${Number(rate.toFixed(2))} fps` : size;
}
