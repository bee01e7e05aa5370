// The players under test, with their default settings except where a comment gives a reason.
// `start` is where each `open` begins. `low` asks for low latency, set up as the player's manual
// describes. `recovers` adds player-recovery.js. The result has these functions:
//   heights()      of the renditions on offer.
//   pick(height)   plays that rendition from here, as a quality menu does.
//   rewind()       seeks to the start of the seekable range, as a seek bar does.
//   shownAt()      the instant (ms since 1970) that the frame on screen was made at, or null.
//   latency()      seconds behind live by the player's own measure, or null.
//   debug()        state that helps to read a failure.

import { RECOVERY_HLS_CONFIG, recoverDash, recoverHls, recoverShaka } from "/page/player-recovery.js";

const SMOOTH_EPOCH_S = Date.UTC(2020) / 1000;

export const ENGINES = {
  hls: { scripts: ["hls.js"], open: openHls },
  dash: { scripts: ["dash.js"], open: openDash },
  // The Smooth plugin adds itself to the dash.js that is there: the order counts.
  smooth: { scripts: ["dash.js", "dash.mss.js"], open: openSmooth },
  "shaka-hls": { scripts: ["shaka.js"], open: openShaka },
  "shaka-dash": { scripts: ["shaka.js"], open: openShaka },
};

// A player catches up after a stall by faster playback. In hls.js and Shaka this is off by default.
const LOW_HLS = { lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.5 };
const LOW_DASH = { delay: { applyServiceDescription: true }, liveCatchup: { enabled: true } };
const LOW_SHAKA = { lowLatencyMode: true, liveSync: { enabled: true } };
// Shaka 5.2 takes the arrival rate of a growing segment for the network's throughput. It then
// changes to a smaller rendition, abandons the segment halfway, and stalls.
const NO_ABR = { enabled: false };

function openHls(video, url, { error, note }, _clock, { start, low, recovers }) {
  const hls = new Hls({ ...RECOVERY_HLS_CONFIG, startPosition: start ?? -1, ...(low ? LOW_HLS : {}) });
  hls.on(Hls.Events.ERROR, (_, data) => {
    const said = [data.type, data.details, data.response?.code, data.reason, data.error?.message];
    error(said.filter(Boolean).join(" "), data.fatal);
  });
  if (recovers) recoverHls(hls);
  for (const name of ["LEVEL_SWITCHED", "MANIFEST_PARSED"]) {
    hls.on(Hls.Events[name], (_, { level }) => note(`hls.${name}`, level));
  }
  hls.loadSource(url);
  hls.attachMedia(video);
  return {
    heights: () => hls.levels.map(({ height }) => height),
    pick: (height) => {
      hls.nextLevel = hls.levels.findIndex((level) => level.height === height);
    },
    rewind: () => {
      video.currentTime = video.seekable.start(0) + 0.1;
    },
    shownAt: () => hls.playingDate?.getTime() ?? null,
    latency: () => hls.latency,
    debug: () => ({ level: hls.currentLevel, load: hls.loadLevel }),
  };
}

function openDash(video, url, { error, note }, clock, { start, low, recovers }) {
  const player = dashjs.MediaPlayer().create();
  const events = dashjs.MediaPlayer.events;
  player.on(events.ERROR, ({ error: what }) => {
    error(typeof what === "string" ? what : `${what?.code} ${what?.message}`, false);
  });
  player.on(events.PLAYBACK_ERROR, (event) => error(`playback ${event.error}`, true));
  for (const name of ["QUALITY_CHANGE_RENDERED", "PERIOD_SWITCH_COMPLETED", "STREAM_INITIALIZED"]) {
    player.on(events[name], (event) => note(`dash.${name}`, event.mediaType ?? ""));
  }
  // Where a manifest names no clock, as Smooth's cannot, dash.js asks a public one: ours instead.
  const source = { scheme: "urn:mpeg:dash:utc:http-iso:2014", value: clock };
  player.updateSettings({ streaming: { utcSynchronization: { defaultTimingSource: source } } });
  if (low) player.updateSettings({ streaming: LOW_DASH });
  if (recovers) recoverDash(player, video);
  player.initialize(video, url, true, start ?? NaN);
  return {
    heights: () => player.getRepresentationsByType("video").map(({ height }) => height),
    pick: (height) => {
      player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
      const all = player.getRepresentationsByType("video");
      player.setRepresentationForTypeById("video", all.find((one) => one.height === height).id);
    },
    rewind: () => player.seek(0),
    shownAt: () => video.currentTime * 1000,
    latency: () => player.getCurrentLiveLatency(),
    debug: () => ({ period: player.getActiveStream()?.getId() }),
  };
}

function openSmooth(video, url, report, clock, { start, recovers }) {
  return {
    ...openDash(video, url, report, clock, { start, recovers }),
    shownAt: () => (video.currentTime + SMOOTH_EPOCH_S) * 1000,
    latency: () => null, // dash.js takes Smooth's times for Unix times: off by half a century
  };
}

function openShaka(video, url, { error, note }, _clock, { start, low, recovers }) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  if (low) player.configure({ streaming: LOW_SHAKA, abr: url.endsWith(".mpd") ? NO_ABR : {} });
  const say = (what) => {
    const said = what.code ? `${what.code} ${JSON.stringify(what.data)}` : what.stack;
    error(`shaka ${said}`, what.severity === 2);
  };
  player.addEventListener("error", ({ detail }) => say(detail));
  if (recovers) recoverShaka(player);
  for (const name of ["variantchanged", "adaptation", "gapjumped", "stalldetected"]) {
    player.addEventListener(name, () => note(`shaka.${name}`, ""));
  }
  player
    .attach(video)
    .then(() => player.load(url, start))
    .catch(say);
  return {
    heights: () => player.getVariantTracks().map(({ height }) => height),
    pick: (height) => {
      player.configure("abr.enabled", false);
      const track = player.getVariantTracks().find((one) => one.height === height);
      player.selectVariantTrack(track, true, 2);
    },
    rewind: () => {
      video.currentTime = player.seekRange().start + 0.1;
    },
    shownAt: () => player.getPlayheadTimeAsDate()?.getTime() ?? null,
    latency: () => player.getStats().liveLatency,
    debug: () => player.getStats(),
  };
}
