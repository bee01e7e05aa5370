// The player cards. No media is requested before a button is pressed.

import { publicUrl } from "./addresses.js";
import { originNow } from "./api.js";
import { byId, put } from "./dom.js";
import { ENGINES } from "./engines.js";
import { library } from "./libraries.js";
import { bufferAhead } from "./player-recovery.js";
import { NONE, bitrate, clock, unit } from "./text.js";

const RESTART_AFTER_S = 60; // a player that still does not play, in spite of player-recovery.js
const DAY_S = 86400;

class PlayerCard {
  constructor(format) {
    this.format = format;
    this.engine = null;
    this.run = 0; // counts starts and stops, so that a library that loads late sees a stop
    this.running = false;
    this.url = "";
    const root = byId("player-template").content.cloneNode(true);
    this.card = root.querySelector("article");
    this.card.dataset.player = format;
    this.video = root.querySelector("video");
    this.video.muted = true; // a template's attribute is not enough for autoplay
    this.button = root.querySelector("button");
    put(root.querySelector("h4"), ENGINES[format].title);
    this.video.setAttribute("aria-label", ENGINES[format].title);
    byId("players").append(root);
    this.listen();
    this.reset();
  }

  listen() {
    this.button.addEventListener("click", () => (this.running ? this.stop() : this.start()));
    // Without play() the video counts as paused until it has enough media, and hls.js does not skip
    // a hole in a paused video.
    this.video.addEventListener("loadstart", () => this.video.play().catch(() => {}));
    this.video.addEventListener("waiting", () => this.countStall());
    this.video.addEventListener("playing", () => {
      this.moving = true;
    });
  }

  stat(name, text) {
    put(this.card.querySelector(`[data-stat="${name}"]`), text);
  }

  reset() {
    this.stop();
    this.stalls = 0;
    for (const name of ["rendition", "latency", "buffer", "stalls"]) this.stat(name, NONE);
    this.stat("error", "");
  }

  async start() {
    this.reset();
    this.running = true;
    await this.open();
  }

  stop() {
    this.running = false;
    this.close();
    this.showState("stopped");
  }

  async open() {
    const run = (this.run += 1);
    this.moving = false;
    this.notPlayingFor = 0; // seconds
    this.showState("starting");
    const { scripts, open } = ENGINES[this.format];
    try {
      for (const name of scripts) await library(name);
      if (run !== this.run) return;
      this.engine = open(this.video, this.url, (text) => this.showError(run, text));
    } catch (error) {
      if (run !== this.run) return;
      this.stop();
      this.stat("error", error.message);
    }
  }

  close() {
    this.run += 1;
    const engine = this.engine;
    this.engine = null;
    engine?.close();
    this.video.removeAttribute("src");
    this.video.load();
  }

  showError(run, text) {
    const short = text.replaceAll(/https?:\/\/[^/\s]+/g, "").replace(/ \(\{.*/s, ""); // no host, no dump
    if (run === this.run) this.stat("error", `${clock(originNow())} ${short}`);
  }

  /** Counts a stall: a playing video that stops for lack of data, not a seek or a start. */
  countStall() {
    if (this.engine && this.moving && !this.video.seeking && !this.video.paused) this.stalls += 1;
    this.moving = false;
  }

  /** Runs once a second: shows the player's state, and restarts a player that does not play. */
  tick() {
    if (!this.engine) return;
    const still = this.video.currentTime === this.position;
    this.showStats();
    this.position = this.video.currentTime;
    this.showState(this.playingState(still));
    const notPlaying = ["starting", "waiting"].includes(this.card.dataset.state);
    this.notPlayingFor = notPlaying ? this.notPlayingFor + 1 : 0;
    if (this.notPlayingFor >= RESTART_AFTER_S) {
      this.close();
      this.open();
    }
  }

  showStats() {
    const rendition = this.engine.rendition();
    const latency = this.engine.latency();
    this.stat("rendition", rendition ? `${rendition.height}p, ${bitrate(rendition.bitrate)}` : NONE);
    this.stat("latency", this.position && Math.abs(latency) < DAY_S ? unit(latency, "s", 1) : NONE);
    this.stat("buffer", unit(bufferAhead(this.video), "s", 1));
    this.stat("stalls", String(this.stalls));
  }

  playingState(still) {
    if (this.video.ended) return "ended";
    if (this.video.currentTime === 0) return "starting";
    if (this.video.paused) return "paused";
    return still ? "waiting" : "playing";
  }

  showState(state) {
    this.card.dataset.state = state;
    this.video.controls = this.running;
    put(this.card.querySelector(".playing"), state);
    put(this.button, this.running ? "Stop" : "Play");
    this.button.ariaLabel = `${this.button.textContent} ${ENGINES[this.format].title}`;
    put(byId("play-all"), anyPlayerRuns() ? "Stop all" : "Play all");
  }
}

const players = [];
const anyPlayerRuns = () => players.some((player) => player.running);

export function startPlayers() {
  for (const format of Object.keys(ENGINES)) players.push(new PlayerCard(format));
  byId("play-all").addEventListener("click", toggleAll);
  setInterval(() => players.forEach((player) => player.tick()), 1000);
}

export function stopPlayers() {
  for (const player of players) player.reset();
}

export function showPlayers(channel) {
  for (const player of players) {
    player.url = publicUrl(channel, player.format);
    player.button.disabled = !player.url;
  }
}

function toggleAll() {
  const stop = anyPlayerRuns();
  for (const player of players) {
    if (stop) player.stop();
    else if (player.url) player.start();
  }
}
