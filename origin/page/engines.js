// The player libraries behind one interface.

import { originNow } from "./api.js";
import { RECOVERY_HLS_CONFIG, recoverDash, recoverHls } from "./player-recovery.js";

const SMOOTH_EPOCH_S = Date.UTC(2020) / 1000; // zero of Smooth's media time
// Without a clock in the manifest, as in Smooth, dash.js asks a public time server. The `Date` header
// of this page serves as well.
const OWN_CLOCK = { scheme: "urn:mpeg:dash:utc:http-head:2014", value: `${location.origin}/` };

/**
 * Engines by format. `open(video, url, onError)` starts one and returns
 *   close()      ends it
 *   rendition()  {height, bitrate} of the current rendition, or null
 *   latency()    seconds behind live
 */
export const ENGINES = {
  hls: { title: "HLS · hls.js", scripts: ["hls.js"], open: openHls },
  dash: { title: "DASH · dash.js", scripts: ["dash.js"], open: openDash },
  // The Smooth plugin adds itself to dash.js, which must be loaded first.
  smooth: { title: "Smooth · dash.js", scripts: ["dash.js", "dash.mss.js"], open: openSmooth },
};

function openHls(video, url, onError) {
  const hls = new Hls(RECOVERY_HLS_CONFIG);
  recoverHls(hls);
  hls.on(Hls.Events.ERROR, (_, { details, response, error, fatal }) => {
    const reason = response?.code ? `HTTP ${response.code}` : (error?.message ?? "");
    onError([details, reason].filter(Boolean).join(": ") + (fatal ? " (fatal)" : ""));
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return {
    close: () => hls.destroy(),
    rendition: () => hls.levels[hls.currentLevel] ?? null,
    latency: () =>
      hls.playingDate ? (originNow() - hls.playingDate.getTime()) / 1000 : hls.latency,
  };
}

function openDash(video, url, onError) {
  const player = dashjs.MediaPlayer().create();
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => {
    onError(typeof error === "string" ? error : (error?.message ?? "unknown error"));
  });
  player.updateSettings({ streaming: { utcSynchronization: { defaultTimingSource: OWN_CLOCK } } });
  const stopRecovery = recoverDash(player, video);
  player.initialize(video, url, true);
  return {
    close: () => {
      stopRecovery();
      player.destroy();
    },
    rendition: () => {
      const current = player.getCurrentRepresentationForType("video");
      return current ? { height: current.height, bitrate: current.bandwidth } : null;
    },
    latency: () => player.getCurrentLiveLatency(),
  };
}

function openSmooth(video, url, onError) {
  // dash.js reads Smooth's times as Unix times, so its own latency is wrong by half a century.
  const latency = () => originNow() / 1000 - SMOOTH_EPOCH_S - video.currentTime;
  return { ...openDash(video, url, onError), latency };
}
