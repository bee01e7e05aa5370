// What a page does for its player, so that who watches need not press play again when an encoder was
// away. docs/players.md says why; to be copied into any page. A viewer who had gone back in time by
// more than LIVE_S stays where they were, everybody else is brought to live.

const LIVE_S = 30;
const AGAIN_MS = 1000;
const STANDING_MS = 8000;

/** The configuration that `steadyHls` wants: a hole smaller than a frame of sound is none. */
export const STEADY_HLS = { maxBufferHole: 0.01 };

/** hls.js gives up after a few refusals. */
export function steadyHls(hls) {
  const { Events, ErrorTypes } = hls.constructor;
  hls.on(Events.ERROR, (_, { fatal, type }) => {
    if (!fatal || type !== ErrorTypes.NETWORK_ERROR) return;
    setTimeout(() => {
      if (hls.media) hls.startLoad();
    }, AGAIN_MS);
  });
}

/**
 * dash.js asks no more for an MPD that was refused a few times, and may have forgotten the sound
 * where a period ended while it stood still. To be called before `player.initialize(video, url)`.
 */
export function steadyDash(player, video, url) {
  const { ERROR } = dashjs.MediaPlayer.events;
  const { DOWNLOAD_ERROR_ID_MANIFEST_CODE } = dashjs.MediaPlayer.errors;
  let at = NaN; // media time, in seconds, of who is far from live
  let back = NaN;
  let timer;
  const after = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!player.isReady()) return;
      back ||= at;
      player.attachSource(url);
    }, ms);
  };
  player.on(ERROR, ({ error }) => {
    if (error?.code === DOWNLOAD_ERROR_ID_MANIFEST_CODE) after(AGAIN_MS);
  });
  video.addEventListener("waiting", () => after(STANDING_MS));
  video.addEventListener("playing", () => {
    clearTimeout(timer);
    // By a seek, as a viewer does it: who begins there is taken for one who is to catch up.
    if (back && player.isReady()) player.seekToPresentationTime(back);
    back = NaN;
  });
  video.addEventListener("timeupdate", () => {
    if (!player.isReady()) return;
    at = player.getDvrWindow().end - video.currentTime > LIVE_S ? video.currentTime : NaN;
  });
}

/**
 * Shaka asks for ever for segments that a period of LL-DASH would have had, had it not ended.
 */
export function steadyShaka(player) {
  const { BAD_HTTP_STATUS } = shaka.util.Error.Code;
  player.addEventListener("error", ({ detail }) => {
    if (detail.code !== BAD_HTTP_STATUS) return;
    setTimeout(() => {
      const video = player.getMediaElement();
      if (video && player.seekRange().end - video.currentTime < LIVE_S) player.goToLive();
    }, AGAIN_MS);
  });
}
