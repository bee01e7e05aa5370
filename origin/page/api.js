// The status API of the control port, requested once a second, and the control token.

import { byId, put } from "./dom.js";
import { clock } from "./text.js";

const POLL_MS = 1000;
const TIMEOUT_MS = 5000;
const TOKEN = "control-token"; // key in this tab's session storage

let status = null;
let receivedAt = Date.now(); // this machine's clock
let clockOffset = 0; // the origin's clock minus this machine's, ms
let onStatus = () => {};

/** The newest status; null before the first. */
export const latestStatus = () => status;

/** The origin's clock, in ms since the epoch. */
export const originNow = () => Date.now() + clockOffset;

/** Requests the status once a second and calls `show` after each request. */
export function startPolling(show) {
  onStatus = show;
  byId("token-form").addEventListener("submit", submitToken);
  poll();
}

class Unauthorized extends Error {}

async function poll() {
  const startedAt = Date.now();
  try {
    await requestStatus(startedAt);
    showConnection(true);
  } catch (error) {
    if (error instanceof Unauthorized) {
      showTokenForm();
      return; // submitToken polls again
    }
    showConnection(false);
  }
  setTimeout(poll, Math.max(100, POLL_MS - (Date.now() - startedAt)));
  if (status !== null) onStatus();
}

async function requestStatus(startedAt) {
  const token = sessionStorage.getItem(TOKEN);
  const response = await fetch("/api/status", {
    cache: "no-store",
    headers: token === null ? {} : { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status === 401) throw new Unauthorized();
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  status = await response.json();
  receivedAt = Date.now();
  const now = Date.parse(status.now);
  if (!Number.isNaN(now)) clockOffset = now - (startedAt + receivedAt) / 2;
}

/** Shows the form for the control token. A refused token is removed from the tab. */
function showTokenForm() {
  const refused = sessionStorage.getItem(TOKEN) !== null;
  sessionStorage.removeItem(TOKEN);
  showConnection(true);
  put(byId("token-note"), refused ? "That is not the control token." : "");
  byId("token-form").hidden = false;
  byId("token").focus();
}

function submitToken(event) {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  byId("token-form").hidden = true;
  poll();
}

function showConnection(connected) {
  const note = byId("no-answer");
  document.body.classList.toggle("silent", !connected);
  if (!connected) put(note, `no answer from the origin since ${clock(receivedAt + clockOffset)}`);
  note.hidden = connected;
}
