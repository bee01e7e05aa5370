// Watches a player as a viewer does: by the picture, the sound and the playhead of its <video>.
// The test calls watch.prepare(engine, hears) and watch.load(engine, url, clock), waits, and reads
// watch.report(). Times are milliseconds since load(), unless a comment gives another unit.

import { apart, DAY_MS, openClock } from "./clock.js";
import { ENGINES } from "./engines.js";

const LOOK_MS = 50; // between two looks at the playhead
const STILL_MS = 300; // a playhead that stands still this long is a stall, with or without an event
const PICTURE_MS = 200; // between two looks at the picture
const LOUD = 0.01; // RMS of what counts as sound
const BEEP = 0.1; // a sample louder than this, after QUIET_S of less, begins a beep
const QUIET_S = 0.3;
const QUANTA = 16; // of 128 samples that one word of the meter is about
const MOVED = 0.5; // mean difference of two pictures, of 255, that counts as movement
const WHITE = 225; // brightness of the flash, of 255
const CLOCK_MS = 100; // between two readings of the burned-in clock

const video = document.getElementById("video");
const now = () => performance.now();

const state = {
  loadedAt: null, // performance.now()
  startedAt: null, // the first progress of the playhead after "playing"
  startTime: null, // of the playhead then
  errors: [],
  events: [],
  stalls: [],
  seeks: 0, // after the start: a live viewer does none
  heights: [], // of the decoded picture, in order
  looks: 0,
  moved: 0,
  loudest: 0,
  loudBlocks: 0,
  blocks: 0,
  flashes: [], // performance.now() of the frame that turned bright
  beeps: [], // performance.now() of the first loud sample
};
let player = null;

const at = () => Math.round(now() - state.loadedAt);
const started = () => state.startedAt !== null;

function note(name, detail) {
  if (state.events.length < 2000) {
    state.events.push({ at: at(), name, detail: String(detail ?? ""), time: video.currentTime });
  }
}

function error(text, fatal) {
  state.errors.push({ at: at(), text, fatal: Boolean(fatal), time: video.currentTime });
}

// ---------------------------------------------------------------- playhead

let said = null; // the newest "playing" before the start
let before = { at: 0, time: 0 };
let stall = null; // the one that lasts

function look() {
  const time = video.currentTime;
  const moved = time !== before.time;
  if (!started()) {
    if (said && !video.seeking && time > said.time) {
      state.startedAt = said.at;
      state.startTime = said.time;
    }
  } else if (moved && stall && !video.seeking) {
    endStall();
  } else if (!moved && at() - before.at >= STILL_MS) {
    beginStall(before.at);
  }
  if (moved) before = { at: at(), time };
}

function beginStall(since) {
  if (stall) return;
  stall = { at: since, ms: 0, time: video.currentTime, ahead: bufferedAhead() };
  state.stalls.push(stall);
}

/** Seconds of media that the player holds after the playhead, up to the first hole. */
function bufferedAhead() {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime && currentTime < buffered.end(i)) {
      return buffered.end(i) - currentTime;
    }
  }
  return 0;
}

function endStall() {
  if (!stall) return;
  stall.ms = at() - stall.at;
  stall = null;
}

for (const name of [
  "loadstart", "loadedmetadata", "canplay", "playing", "waiting", "stalled", "seeking", "seeked",
  "pause", "ended", "error", "resize", "ratechange", "emptied",
]) {
  video.addEventListener(name, () => note(name, ""));
}
// With the attribute alone the element counts as paused until it has enough media. hls.js does not
// jump a gap in a paused element.
video.addEventListener("loadstart", () => video.play().catch(() => {}));
video.addEventListener("error", () => {
  error(`media ${video.error?.code} ${video.error?.message}`, true);
});
video.addEventListener("resize", () => state.heights.push(video.videoHeight));
video.addEventListener("seeking", () => {
  if (started()) state.seeks += 1;
});
video.addEventListener("waiting", () => {
  if (started()) beginStall(at());
});
video.addEventListener("playing", () => {
  if (!started()) said = { at: at(), time: video.currentTime };
  endStall();
});

// ---------------------------------------------------------------- picture

const canvas = new OffscreenCanvas(64, 36);
const paint = canvas.getContext("2d", { willReadFrequently: true });
let picture = null;

function lookAtPicture() {
  if (!started() || video.readyState < 2) return;
  paint.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = paint.getImageData(0, 0, canvas.width, canvas.height);
  if (picture) {
    let difference = 0;
    for (let i = 1; i < data.length; i += 4) difference += Math.abs(data[i] - picture[i]); // green
    state.looks += 1;
    if (difference / (data.length / 4) > MOVED) state.moved += 1;
  }
  picture = data;
}

// ---------------------------------------------------------------- sound

const METER = `
registerProcessor("meter", class extends AudioWorkletProcessor {
  sum = 0;
  count = 0;
  loudAt = -1;
  quanta = 0;

  process([input], [output]) {
    input.forEach((channel, index) => {
      output[index]?.set(channel);
      for (let i = 0; i < channel.length; i += 1) {
        this.sum += channel[i] * channel[i];
        if (this.loudAt < 0 && Math.abs(channel[i]) > ${BEEP}) {
          this.loudAt = currentTime + i / sampleRate;
        }
      }
      this.count += channel.length;
    });
    this.quanta += 1;
    if (this.quanta === ${QUANTA}) {
      this.port.postMessage([this.count ? Math.sqrt(this.sum / this.count) : 0, this.loudAt]);
      this.sum = this.count = this.quanta = 0;
      this.loudAt = -1;
    }
    return true;
  }
});`;

async function listen() {
  const context = new AudioContext();
  const url = URL.createObjectURL(new Blob([METER], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  const meter = new AudioWorkletNode(context, "meter");
  context.createMediaElementSource(video).connect(meter).connect(context.destination);
  let loudUntil = 0;
  meter.port.onmessage = ({ data: [rms, loudAt] }) => {
    if (!started()) return;
    state.blocks += 1;
    state.loudest = Math.max(state.loudest, rms);
    if (rms > LOUD) state.loudBlocks += 1;
    if (loudAt < 0) return;
    if (loudAt - loudUntil > QUIET_S) {
      const stamp = context.getOutputTimestamp();
      state.beeps.push(stamp.performanceTime + (loudAt - stamp.contextTime) * 1000);
    }
    loudUntil = loudAt;
  };
  await context.resume();
}

// ---------------------------------------------------------------- flash

const corner = new OffscreenCanvas(8, 8).getContext("2d", { willReadFrequently: true });
let bright = true;

/** Notes when the top right corner of the picture turns white. */
function lookForFlash(_, { expectedDisplayTime }) {
  video.requestVideoFrameCallback(lookForFlash);
  if (!started()) return;
  const { videoWidth: w, videoHeight: h } = video;
  corner.drawImage(video, w * 0.8, h * 0.05, w * 0.15, h * 0.15, 0, 0, 8, 8);
  const { data } = corner.getImageData(0, 0, 8, 8);
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) sum += data[i] + data[i + 1] + data[i + 2];
  const white = sum / (data.length / 4) / 3 > WHITE;
  if (white && !bright) state.flashes.push(expectedDisplayTime);
  bright = white;
}

// ---------------------------------------------------------------- clock

const readings = []; // {at, latency, timeline} in ms: of the picture on show; latency null where unread

/** Reads the clock in the picture every now and then: when it is shown, less when it was made. */
function readClock(clock) {
  let next = 0;
  function read(_, { expectedDisplayTime }) {
    video.requestVideoFrameCallback(read);
    if (!started() || expectedDisplayTime < next) return;
    next = expectedDisplayTime + CLOCK_MS;
    const shown = Date.now() + expectedDisplayTime - now();
    const made = clock.read(video);
    readings.push({
      at: at(),
      latency: made === null ? null : apart(shown % DAY_MS, made),
      timeline: Date.now() - player.shownAt(),
    });
  }
  video.requestVideoFrameCallback(read);
}

// ---------------------------------------------------------------- the test's handles

function script(name) {
  return new Promise((resolve, reject) => {
    const node = document.createElement("script");
    node.src = `/players/${name}`;
    node.onload = resolve;
    node.onerror = () => reject(new Error(`${name} is not served: are the players installed?`));
    document.head.append(node);
  });
}

globalThis.watch = {
  /**
   * Loads the libraries: what a page has done before its viewer presses play. `hears` turns the
   * meter of the sound on.
   */
  async prepare(engine, hears) {
    for (const name of ENGINES[engine].scripts) await script(name);
    if (hears) await listen();
  },

  /** From now on, reads the clock of a test pattern that is so high at its source. */
  async readClock(height) {
    readClock(await openClock("/pattern.ttf", height));
  },

  /** Readings of the clock in the last seconds. */
  readings: (seconds) => readings.filter((reading) => reading.at >= at() - seconds * 1000),

  /**
   * Presses play. `clock` is the address of the origin's time. `flashes` is true for a picture with
   * flashes; `options` are those of engines.js.
   */
  load(engine, url, clock, flashes, options) {
    state.loadedAt = now();
    setInterval(look, LOOK_MS);
    setInterval(lookAtPicture, PICTURE_MS);
    if (flashes) video.requestVideoFrameCallback(lookForFlash);
    player = ENGINES[engine].open(video, url, { error, note }, clock, options);
  },

  started,
  time: () => video.currentTime,
  height: () => video.videoHeight,
  shownAt: () => player.shownAt(),
  /** Where the last of what it has ends. */
  bufferedTo: () => video.buffered.end(video.buffered.length - 1),
  rewind() {
    note("rewind", "");
    player.rewind();
  },
  seek(time) {
    video.currentTime = time;
  },
  ended: () => video.ended,
  /** Seconds that the playhead has advanced since the start. */
  played: () => (started() ? video.currentTime - state.startTime : 0),
  heights: () => [...new Set(player.heights())].sort((a, b) => a - b),
  pick(height) {
    note("pick", height);
    player.pick(height);
  },

  report() {
    const quality = video.getVideoPlaybackQuality();
    const shownAt = player.shownAt();
    const own = player.latency();
    const buffered = [];
    for (let i = 0; i < video.buffered.length; i += 1) {
      buffered.push([video.buffered.start(i), video.buffered.end(i)]);
    }
    if (stall) stall.ms = at() - stall.at;
    return {
      ...state,
      at: at(),
      time: video.currentTime,
      paused: video.paused,
      buffered,
      decoded: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      audioBytes: video.webkitAudioDecodedByteCount ?? 0,
      latency: shownAt === null ? null : (Date.now() - shownAt) / 1000,
      ownLatency: Number.isFinite(own) ? own : null,
      debug: JSON.stringify(player.debug()),
    };
  },
};
