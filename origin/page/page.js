// The status page: the channels, and all details of the chosen one. It asks /api/status once a second.

import { showUrls, showViews } from "./addresses.js";
import { latestStatus, originNow, startPolling } from "./api.js";
import { chosenName, moveFocus, problemText, showChannels, showSummary } from "./channels.js";
import { showFacts, showFeeds } from "./details.js";
import { byId, put, putState } from "./dom.js";
import { showPlayers, startPlayers, stopPlayers } from "./players.js";
import { dropPlot, showPlot, startPlot } from "./plot.js";
import { clock } from "./text.js";
import { showTracks } from "./tracks.js";

const CLOCK_MS = 200;

let shown = null; // the name of the channel in the lower half

function show() {
  const status = latestStatus();
  if (status === null) return;
  put(byId("version"), status.version);
  const channels = status.channels ?? [];
  showSummary(channels);
  showChannels(channels);
  showChosen(channels);
}

function showChosen(channels) {
  const name = chosenName(channels);
  const channel = channels.find((each) => each.name === name);
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
  if (channel) showDetails(channel);
}

function showDetails(channel) {
  put(byId("name"), channel.name);
  putState(byId("state"), channel.state);
  put(byId("problem"), problemText(channel)).hidden = !channel.problem;
  showFacts(channel);
  showFeeds(channel.feeds ?? []);
  if (showViews(channel)) stopPlayers();
  showUrls(channel);
  showTracks(channel.tracks ?? []);
  showPlot(channel);
  showPlayers(channel);
}

byId("view").addEventListener("change", () => {
  stopPlayers();
  showChosen(latestStatus().channels);
});
byId("filter").addEventListener("input", show);
byId("channels").addEventListener("keydown", moveFocus);
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash names the channel
  byId("channel").focus();
});
addEventListener("hashchange", show);
setInterval(() => put(byId("clock"), clock(originNow())), CLOCK_MS);
startPlayers();
startPlot(show);
startPolling(show);
