// The players under test, with the settings they come with unless a comment says otherwise.
// Each `open` is told where to `start`, and whether latency is to be `low`, as its maker says it is
// done. It returns
//   heights()      of the renditions on offer
//   pick(height)   plays that rendition from now on, as a quality menu does
//   rewind()       goes to the beginning of what can be seen, as a seek bar does
//   shownAt()      the instant (ms since 1970) that the picture on show was made at, or null
//   latency()      seconds behind live as the player itself sees it, or null
//   debug()        what helps to read a failure

import { STEADY_HLS, steadyDash, steadyHls, steadyShaka } from "/page/steady.js";

const SMOOTH_EPOCH_S = Date.UTC(2020) / 1000;

export const ENGINES = {
  hls: { scripts: ["hls.js"], open: openHls },
  dash: { scripts: ["dash.js"], open: openDash },
  // The Smooth plugin adds itself to the dash.js that is there: the order counts.
  smooth: { scripts: ["dash.js", "dash.mss.js"], open: openSmooth },
  "shaka-hls": { scripts: ["shaka.js"], open: openShaka },
  "shaka-dash": { scripts: ["shaka.js"], open: openShaka },
};

// What makes up for a stall is speed: hls.js and Shaka do that only where they are told to.
const LOW_HLS = { lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.5 };
const LOW_DASH = { delay: { applyServiceDescription: true }, liveCatchup: { enabled: true } };
const LOW_SHAKA = { lowLatencyMode: true, liveSync: { enabled: true } };
// Shaka 5.2 takes the pace of a segment that grows for the network's, changes to a smaller rendition
// for that, and stands still after it has let go of the segment halfway.
const NO_ABR = { enabled: false };

function openHls(video, url, { error, note }, _clock, start, low) {
  const hls = new Hls({ ...STEADY_HLS, startPosition: start ?? -1, ...(low ? LOW_HLS : {}) });
  hls.on(Hls.Events.ERROR, (_, data) => {
    const said = [data.type, data.details, data.response?.code, data.reason, data.error?.message];
    error(said.filter(Boolean).join(" "), data.fatal);
  });
  if (low) steadyHls(hls);
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

function openDash(video, url, { error, note }, clock, start, low) {
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
  if (low) {
    player.updateSettings({ streaming: LOW_DASH });
    steadyDash(player, video);
  }
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

function openSmooth(video, url, report, clock, start) {
  return {
    ...openDash(video, url, report, clock, start),
    shownAt: () => (video.currentTime + SMOOTH_EPOCH_S) * 1000,
    latency: () => null, // dash.js takes Smooth's times for Unix times: off by half a century
  };
}

function openShaka(video, url, { error, note }, _clock, start, low) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  if (low) player.configure({ streaming: LOW_SHAKA, abr: url.endsWith(".mpd") ? NO_ABR : {} });
  const say = (what) => {
    const said = what.code ? `${what.code} ${JSON.stringify(what.data)}` : what.stack;
    error(`shaka ${said}`, what.severity === 2);
  };
  player.addEventListener("error", ({ detail }) => say(detail));
  if (low) steadyShaka(player);
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
