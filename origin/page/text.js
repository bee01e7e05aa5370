// Numbers and times as text.

export const NONE = "–";

const two = (n) => String(n).padStart(2, "0");
export const isNumber = (n) => typeof n === "number" && Number.isFinite(n);
export const unit = (n, word, digits = 0) => (isNumber(n) ? `${n.toFixed(digits)} ${word}` : NONE);
export const signed = (n, word) => (isNumber(n) && n > 0 ? `+${unit(n, word)}` : unit(n, word));
export const count = (n) => (isNumber(n) ? n.toLocaleString("en") : NONE);

export function bitrate(n) {
  if (!isNumber(n)) return NONE;
  return n >= 1e6 ? `${(n / 1e6).toFixed(2)} Mbit/s` : `${Math.round(n / 1e3)} kbit/s`;
}

/** hh:mm:ss in UTC of milliseconds since the epoch. */
export function clock(ms) {
  const at = new Date(ms);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
}

/** A duration in its two largest units: 3 d 4 h, 2 min 5 s. */
export function span(seconds) {
  if (!isNumber(seconds)) return NONE;
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const age = (seconds) =>
  isNumber(seconds) && seconds < 60 ? unit(seconds, "s", 1) : span(seconds);
