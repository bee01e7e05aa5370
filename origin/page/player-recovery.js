// Lets a player continue by itself after an encoder or an origin was away. Copy this file into any
// page; docs/players.md gives the reasons. A viewer more than FAR_S behind live keeps the position.
// dash.js and Shaka move other viewers to live; hls.js continues where it was.

const FAR_S = 30;
const INTERVAL_MS = 1000;
const MAX_RETRY_S = 8; // the time between attempts doubles up to this
const PLAYING_STALL_S = 8; // a player that has played gets this long to continue by itself
const MAX_PATIENCE_S = 60;
const STARTING_STALL_S = 30; // a player that has not played yet
const HOLE_STALL_S = 2; // a player with media after a hole
const NEARLY_EMPTY_S = 1;
const MAX_STEP_S = 5; // a longer step of the playhead in a second is a seek

/** Seconds of media in the buffer after the playhead. */
export function bufferAhead(video) {
  for (let i = 0; i < video.buffered.length; i += 1) {
    const inside = video.buffered.start(i) <= video.currentTime + 0.1;
    if (inside && video.currentTime <= video.buffered.end(i)) {
      return video.buffered.end(i) - video.currentTime;
    }
  }
  return 0;
}

function isBuffered({ buffered, currentTime }) {
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime && currentTime <= buffered.end(i)) return true;
  }
  return false;
}

/** Start of the next buffered range after a hole; undefined without one. */
function nextRangeStart(video) {
  for (let i = 0; i < video.buffered.length; i += 1) {
    if (video.buffered.start(i) > video.currentTime) return video.buffered.start(i);
  }
  return undefined;
}

/** The position behind the hole that stalls a player; undefined without such a hole. */
function behindHole(video, stalledFor) {
  if (stalledFor <= HOLE_STALL_S || bufferAhead(video) >= NEARLY_EMPTY_S) return undefined;
  const next = nextRangeStart(video);
  return next === undefined ? undefined : next + 0.1;
}

/** Configuration for hls.js: it ignores holes up to maxBufferHole, which must be below an audio frame. */
export const RECOVERY_HLS_CONFIG = { maxBufferHole: 0.01 };

/**
 * Reloads after fatal network errors: hls.js gives up after a few. A 4xx at the start is final.
 * Seeks across a hole that hls.js stays before: it may, when it runs out of media just there.
 * Seeks across a gap of the playlist (EXT-X-GAP) that hls.js has nudged the playhead into.
 * Attaches the media again when playback stands: after a seek hls.js 1.7 may hold its audio back
 * for video that it has left behind.
 */
export function recoverHls(hls) {
  const { Events, ErrorTypes, ErrorDetails } = hls.constructor;
  const retry = (first) => {
    if (hls.media) first ? hls.loadSource(hls.url) : hls.startLoad();
  };
  const recovery = new HlsRecovery(hls);
  hls.on(Events.ERROR, (_, { fatal, type, details, frag, response }) => {
    if (details === ErrorDetails.FRAG_GAP) recovery.foundGap(frag);
    if (!fatal || type !== ErrorTypes.NETWORK_ERROR) return;
    const first = hls.levels.length === 0; // nothing is loaded that startLoad could continue with
    if (first && response?.code >= 400 && response.code < 500) return;
    setTimeout(retry, INTERVAL_MS, first);
  });
  const timer = setInterval(() => recovery.check(), INTERVAL_MS);
  hls.on(Events.DESTROYING, () => clearInterval(timer));
}

/** The stalls of hls.js; `check` runs once a second. */
class HlsRecovery {
  constructor(hls) {
    this.hls = hls;
    this.lastPosition = NaN;
    this.stalledFor = 0; // seconds
    this.patience = PLAYING_STALL_S; // doubles: a slow network needs time for a segment
    this.gapPosition = NaN; // a playhead that is in a gap of the playlist
  }

  check() {
    const { media: video, levels } = this.hls;
    if (!video || levels.length === 0) return;
    if (video.currentTime !== this.lastPosition) {
      this.lastPosition = video.currentTime;
      this.stalledFor = 0;
      if (!video.seeking) this.patience = PLAYING_STALL_S;
    } else if (video.paused || video.ended) {
      this.stalledFor = 0;
    } else {
      this.stalledFor += 1;
      if (!this.leaveHole(video)) this.attachIfDue();
    }
  }

  /** hls.js requires a gap: for the playhead, which the segment before may not reach, or ahead. */
  foundGap({ start, duration, end }) {
    const position = this.hls.media?.currentTime;
    if (start - duration <= position && position < end) this.gapPosition = position;
  }

  /** Seeks across a hole; true if it did. Outside the buffer, media may arrive, but in a gap. */
  leaveHole(video) {
    const mayArrive = !isBuffered(video) && video.currentTime !== this.gapPosition;
    const behind = mayArrive ? undefined : behindHole(video, this.stalledFor);
    if (behind === undefined) return false;
    video.currentTime = behind;
    return true;
  }

  attachIfDue() {
    if (this.stalledFor < this.patience) return;
    this.stalledFor = 0;
    this.patience = Math.min(2 * this.patience, MAX_PATIENCE_S);
    this.hls.recoverMediaError(); // attaches the media again, at the same position
  }
}

/**
 * Restarts dash.js after refused MPDs and stalls, and seeks across holes. Call it before
 * `player.initialize`; call the returned function before `player.destroy`.
 *
 * dash.js stops requesting an MPD after a few refusals. It may lose the audio where a period ends
 * during a stall. It waits in a hole, or just before it, after a seek.
 */
export function recoverDash(player, video, { MediaPlayer } = globalThis.dashjs) {
  const recovery = new DashRecovery(player, video);
  const { DOWNLOAD_ERROR_ID_MANIFEST_CODE } = MediaPlayer.errors;
  player.on(MediaPlayer.events.ERROR, ({ error }) => {
    if (error?.code === DOWNLOAD_ERROR_ID_MANIFEST_CODE) recovery.mpdRefused = true;
  });
  const timer = setInterval(() => recovery.check(), INTERVAL_MS);
  return () => clearInterval(timer);
}

/** The state behind `recoverDash`; `check` runs once a second. */
class DashRecovery {
  constructor(player, video) {
    this.player = player;
    this.video = video;
    this.open(null);
  }

  /** Forgets all state of the previous source. */
  open(source) {
    this.source = source;
    this.farPosition = NaN; // the playhead of a viewer who is far from live
    this.returnTo = NaN; // the position to return to after a restart
    this.retryDelay = this.secondsToRetry = 1;
    this.resetStall();
  }

  resetStall() {
    this.mpdRefused = false;
    this.hasPlayed = false;
    this.stalledFor = 0; // seconds
    this.lastPosition = NaN;
  }

  check() {
    const { player, video } = this;
    if (!player.isReady()) return;
    this.source ??= player.getSource();
    if (player.getSource() !== this.source) this.open(player.getSource());
    if (video.currentTime !== this.lastPosition && video.readyState > 0) {
      this.moved(video.currentTime);
    } else if (this.hasPlayed && (video.paused || video.ended)) {
      this.stalledFor = 0;
      return;
    } else {
      this.stalledFor += 1;
    }
    if (!this.leaveHole()) this.restartIfDue();
  }

  moved(position) {
    const distance = this.player.getDvrWindow().end - position;
    const step = position - this.lastPosition;
    this.farPosition = distance > FAR_S ? position : NaN;
    this.stalledFor = 0;
    this.lastPosition = position;
    if (this.video.seeking || !(step > 0 && step < MAX_STEP_S)) return;
    this.hasPlayed = true;
    this.retryDelay = this.secondsToRetry = 1;
    // By a seek: dash.js would catch up to live from a start position.
    if (!Number.isNaN(this.returnTo)) this.player.seekToPresentationTime(this.returnTo);
    this.returnTo = NaN;
  }

  /** Seeks across a hole; true if it did. */
  leaveHole() {
    const behind = behindHole(this.video, this.stalledFor);
    if (behind === undefined) return false;
    this.player.seekToPresentationTime(behind);
    return true;
  }

  /** A restart loses the buffer, so buffered media is played first. */
  restartIfDue() {
    const empty = bufferAhead(this.video) < NEARLY_EMPTY_S;
    const retryIsDue = this.mpdRefused && empty && (this.secondsToRetry -= 1) < 0;
    if (retryIsDue) {
      this.retryDelay = Math.min(2 * this.retryDelay, MAX_RETRY_S);
      this.secondsToRetry = this.retryDelay;
    }
    const limit = this.hasPlayed ? PLAYING_STALL_S : STARTING_STALL_S;
    if (!retryIsDue && this.stalledFor <= limit) return;
    if (Number.isNaN(this.returnTo)) this.returnTo = this.farPosition;
    this.resetStall();
    this.player.attachSource(this.source);
  }
}

/**
 * Moves Shaka to live when its buffer is empty. With LL-DASH it keeps requesting segments that a
 * period would have if it had not ended.
 */
export function recoverShaka(player, { net, util } = globalThis.shaka) {
  const { SEGMENT } = net.NetworkingEngine.RequestType;
  let timer = null;
  const goToLiveIfEmpty = () => {
    timer = null;
    const video = player.getMediaElement();
    if (!video || bufferAhead(video) > NEARLY_EMPTY_S) return;
    if (player.seekRange().end - video.currentTime < FAR_S) player.goToLive();
  };
  player.addEventListener("error", ({ detail: { code, data } }) => {
    if (code !== util.Error.Code.BAD_HTTP_STATUS || data[4] !== SEGMENT) return;
    timer ??= setTimeout(goToLiveIfEmpty, INTERVAL_MS);
  });
}
