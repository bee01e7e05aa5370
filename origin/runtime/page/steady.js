// What a page does for its player, so that nobody need press play again when an encoder or an origin
// was away: to be copied into any page. docs/players.md says why. Whoever had gone back by more than
// LIVE_S stays where they were; dash.js and Shaka bring others to live, hls.js goes on where it was.

const LIVE_S = 30;
const AGAIN_MS = 1000;
const MOST_S = 8; // between two attempts: their distance doubles until then
const STANDING_S = 8; // for so long a player that has played is given time to go on by itself
const STARTING_S = 30; // and one that has not played yet
const HOLE_S = 2; // and this long one that has media behind a hole
const NEAR_S = 1;

/** Seconds of media in the buffer from the playhead on. */
export function ahead(video) {
  for (let i = 0; i < video.buffered.length; i += 1) {
    const inside = video.buffered.start(i) <= video.currentTime + 0.1;
    if (inside && video.currentTime <= video.buffered.end(i)) {
      return video.buffered.end(i) - video.currentTime;
    }
  }
  return 0;
}

/** Where media goes on in the buffer, behind a hole; undefined where it does not. */
function beyond(video) {
  for (let i = 0; i < video.buffered.length; i += 1) {
    if (video.buffered.start(i) > video.currentTime) return video.buffered.start(i);
  }
  return undefined;
}

/** The configuration that `steadyHls` wants: a hole smaller than a frame of sound is none. */
export const STEADY_HLS = { maxBufferHole: 0.01 };

/** hls.js gives up after a few refusals. What the origin has not (4xx) is not asked for again. */
export function steadyHls(hls) {
  const { Events, ErrorTypes } = hls.constructor;
  const again = (first) => {
    if (hls.media) first ? hls.loadSource(hls.url) : hls.startLoad();
  };
  hls.on(Events.ERROR, (_, { fatal, type, details, response }) => {
    if (!fatal || type !== ErrorTypes.NETWORK_ERROR) return;
    const first = hls.levels.length === 0; // there is nothing yet that it could go on with
    if (first && response?.code >= 400 && response.code < 500) return;
    setTimeout(again, AGAIN_MS, first);
  });
}

/**
 * dash.js asks no more for an MPD that was refused a few times, may have forgotten the sound where a
 * period ended while it stood still, and waits in a hole, or just before it, where it was sent by a
 * seek. To be called before `player.initialize`; gives what is
 * to be called before `player.destroy`.
 */
export function steadyDash(player, video, { MediaPlayer } = globalThis.dashjs) {
  const { DOWNLOAD_ERROR_ID_MANIFEST_CODE } = MediaPlayer.errors;
  let source;
  let refused; // the MPD
  let wait; // seconds until it is asked for again
  let due;
  let last; // where the playhead was a second ago
  let standing; // seconds
  let played; // since it began, or began anew
  let far; // where somebody is who is far from live
  let back; // where somebody was when it began anew

  const begin = () => {
    [refused, played, standing, last] = [false, false, 0, NaN];
  };
  const open = (opened) => {
    [source, far, back, wait, due] = [opened, NaN, NaN, 1, 1];
    begin();
  };
  const anew = () => {
    if (Number.isNaN(back)) back = far;
    begin();
    player.attachSource(source);
  };
  const goesOn = () => {
    [played, wait, due] = [true, 1, 1];
    // By a seek, as a viewer does it: who begins there is taken for one who is to catch up.
    if (!Number.isNaN(back)) player.seekToPresentationTime(back);
    back = NaN;
  };
  const look = () => {
    if (!player.isReady()) return;
    source ??= player.getSource();
    if (player.getSource() !== source) open(player.getSource());
    const at = video.currentTime;
    if (at !== last && video.readyState > 0) {
      far = player.getDvrWindow().end - at > LIVE_S ? at : NaN;
      standing = 0;
      if (!video.seeking && at - last > 0 && at - last < 5) goesOn();
      last = at;
    } else if (played && (video.paused || video.ended)) {
      standing = 0;
      return;
    } else {
      standing += 1;
    }
    const ground = ahead(video) < NEAR_S ? beyond(video) : undefined;
    if (standing > HOLE_S && ground !== undefined) {
      player.seekToPresentationTime(ground + 0.1);
      return;
    }
    // What is in the buffer is played first: to begin anew is to lose it.
    const isDue = refused && ahead(video) < NEAR_S && (due -= 1) < 0;
    if (isDue) due = wait = Math.min(2 * wait, MOST_S);
    if (isDue || standing > (played ? STANDING_S : STARTING_S)) anew();
  };
  player.on(MediaPlayer.events.ERROR, ({ error }) => {
    if (error?.code === DOWNLOAD_ERROR_ID_MANIFEST_CODE) refused = true;
  });
  open(null);
  const timer = setInterval(look, AGAIN_MS);
  return () => clearInterval(timer);
}

/**
 * Shaka asks for ever for segments that a period of LL-DASH would have had, had it not ended: who has
 * nothing left to play for that is brought to live.
 */
export function steadyShaka(player, { net, util } = globalThis.shaka) {
  const { SEGMENT } = net.NetworkingEngine.RequestType;
  let timer = null;
  const look = () => {
    timer = null;
    const video = player.getMediaElement();
    if (!video || ahead(video) > NEAR_S) return;
    if (player.seekRange().end - video.currentTime < LIVE_S) player.goToLive();
  };
  player.addEventListener("error", ({ detail: { code, data } }) => {
    if (code !== util.Error.Code.BAD_HTTP_STATUS || data[4] !== SEGMENT) return;
    timer ??= setTimeout(look, AGAIN_MS);
  });
}
