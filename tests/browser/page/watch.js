// Watches a player as a viewer does: by the picture, the sound and the playhead of its <video>.
// The test calls watch.load(engine, url, clock) and reads watch.report().

import { ENGINES } from "./engines.js";

const LOOK_MS = 100; // between two looks at the playhead
const STILL_MS = 500; // a playhead that stands still this long is a stall, said or not
const PICTURE_MS = 200; // between two looks at the picture
const LOUD = 0.01; // RMS of what counts as sound
const MOVED = 0.5; // mean difference of two pictures, of 255, that counts as movement

const video = document.getElementById("video");
const now = () => performance.now();

const state = {
  loadedAt: null,
  startedAt: null, // "playing" was said and the playhead moved
  errors: [],
  events: [],
  stalls: [],
  sizes: [],
  looks: 0,
  moved: 0,
  brightness: 0,
  loudest: 0,
  loudBlocks: 0,
  blocks: 0,
  flashes: [], // performance.now() of the frame that turned bright
  beeps: [], // performance.now() of the first loud sample
};
let player = null;
let said = false; // "playing" since load

const at = () => Math.round(now() - state.loadedAt);

function note(name, detail) {
  if (state.events.length < 2000) {
    state.events.push({ at: at(), name, detail: String(detail ?? ""), time: video.currentTime });
  }
}

function error(text, fatal) {
  state.errors.push({ at: at(), text, fatal, time: video.currentTime });
}

// ---------------------------------------------------------------- playhead

let before = { at: 0, time: 0, since: 0, still: null };

function look() {
  const time = video.currentTime;
  if (state.startedAt === null) {
    if (said && time > before.time && before.time > 0) state.startedAt = before.at;
  } else if (time === before.time && !video.paused) {
    before.still ??= { at: at(), time, ms: 0, waiting: false };
    before.still.ms = now() - before.since;
    if (before.still.ms >= STILL_MS && state.stalls.at(-1) !== before.still) {
      state.stalls.push(before.still);
    }
  }
  if (time !== before.time) before = { at: at(), time, since: now(), still: null };
}

for (const name of [
  "loadstart", "loadedmetadata", "canplay", "playing", "waiting", "stalled", "seeking", "seeked",
  "pause", "ended", "error", "resize", "ratechange", "emptied",
]) {
  video.addEventListener(name, () => {
    note(name, name === "resize" ? `${video.videoWidth}x${video.videoHeight}` : "");
    if (name === "playing") said = true;
    if (name === "error") error(`media ${video.error?.code} ${video.error?.message}`, true);
    if (name === "resize") state.sizes.push({ at: at(), height: video.videoHeight });
    if (name === "waiting" && state.startedAt !== null && !video.seeking) {
      state.stalls.push({ at: at(), time: video.currentTime, ms: 0, waiting: true });
    }
  });
}

// ---------------------------------------------------------------- picture

const canvas = new OffscreenCanvas(64, 36);
const paint = canvas.getContext("2d", { willReadFrequently: true });
let picture = null;

function lookAtPicture() {
  if (state.startedAt === null || video.readyState < 2) return;
  paint.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = paint.getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0;
  let difference = 0;
  for (let i = 0; i < data.length; i += 4) {
    sum += data[i + 1];
    if (picture) difference += Math.abs(data[i + 1] - picture[i + 1]);
  }
  const count = data.length / 4;
  state.brightness = Math.max(state.brightness, sum / count);
  if (picture) {
    state.looks += 1;
    if (difference / count > MOVED) state.moved += 1;
  }
  picture = data;
}

// ---------------------------------------------------------------- sound

const METER = `
registerProcessor("meter", class extends AudioWorkletProcessor {
  process([input], [output]) {
    let sum = 0, first = -1, count = 0;
    input.forEach((channel, index) => {
      output[index]?.set(channel);
      channel.forEach((value, i) => {
        sum += value * value;
        count += 1;
        if (first < 0 && Math.abs(value) > 0.1) first = i;
      });
    });
    const rms = count ? Math.sqrt(sum / count) : 0;
    this.port.postMessage([rms, first < 0 ? -1 : currentTime + first / sampleRate]);
    return true;
  }
});`;

async function listen() {
  const context = new AudioContext();
  const url = URL.createObjectURL(new Blob([METER], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  const meter = new AudioWorkletNode(context, "meter");
  context.createMediaElementSource(video).connect(meter).connect(context.destination);
  let quietSince = 0;
  meter.port.onmessage = ({ data: [rms, loudAt] }) => {
    if (state.startedAt === null) return;
    state.blocks += 1;
    state.loudest = Math.max(state.loudest, rms);
    if (rms > LOUD) state.loudBlocks += 1;
    if (loudAt < 0) return;
    if (loudAt - quietSince > 0.3) {
      const stamp = context.getOutputTimestamp();
      state.beeps.push(stamp.performanceTime + (loudAt - stamp.contextTime) * 1000);
    }
    quietSince = loudAt;
  };
  await context.resume();
}

// ---------------------------------------------------------------- flash and beep

const corner = new OffscreenCanvas(8, 8).getContext("2d", { willReadFrequently: true });

/** Notes when the top right corner of the picture turns white. */
function watchFlashes() {
  let bright = true;
  const frame = (_, { expectedDisplayTime }) => {
    video.requestVideoFrameCallback(frame);
    const { videoWidth: w, videoHeight: h } = video;
    corner.drawImage(video, w * 0.8, h * 0.05, w * 0.15, h * 0.15, 0, 0, 8, 8);
    const { data } = corner.getImageData(0, 0, 8, 8);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += data[i] + data[i + 1] + data[i + 2];
    const white = sum / (data.length / 4) / 3 > 225;
    if (white && !bright) state.flashes.push(expectedDisplayTime);
    bright = white;
  };
  video.requestVideoFrameCallback(frame);
}

// ---------------------------------------------------------------- the test's handles

function script(name) {
  return new Promise((resolve, reject) => {
    const node = document.createElement("script");
    node.src = `/players/${name}`;
    node.onload = resolve;
    node.onerror = () => reject(new Error(`${name} is not served`));
    document.head.append(node);
  });
}

globalThis.watch = {
  /** Loads the libraries: what a page has done before its viewer presses play. */
  async prepare(engine) {
    for (const name of ENGINES[engine].scripts) await script(name);
    await listen();
  },

  load(engine, url, clock) {
    state.loadedAt = now();
    before = { at: 0, time: video.currentTime, since: now(), still: null };
    setInterval(look, LOOK_MS);
    setInterval(lookAtPicture, PICTURE_MS);
    player = ENGINES[engine].open(video, url, { error, note }, clock);
  },

  watchFlashes,
  levels: () => [...new Set(player.levels())].sort((a, b) => a - b),
  pick(height) {
    note("pick", height);
    player.pick(height);
  },

  time: () => video.currentTime,
  started: () => state.startedAt !== null,
  height: () => video.videoHeight,
  errors: () => state.errors,

  report() {
    const quality = video.getVideoPlaybackQuality();
    const shownAt = player?.shownAt() ?? null;
    const ranges = [];
    for (let i = 0; i < video.buffered.length; i += 1) {
      ranges.push([video.buffered.start(i), video.buffered.end(i)]);
    }
    return {
      ...state,
      at: at(),
      time: video.currentTime,
      height: video.videoHeight,
      paused: video.paused,
      rate: video.playbackRate,
      ready: video.readyState,
      buffered: ranges,
      decoded: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      audioBytes: video.webkitAudioDecodedByteCount ?? 0,
      latency: shownAt === null ? null : (Date.now() - shownAt) / 1000,
      debug: JSON.stringify(player?.debug() ?? null),
    };
  },
};
