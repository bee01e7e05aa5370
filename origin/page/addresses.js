// The views and URLs of the chosen channel.

import { latestStatus } from "./api.js";
import { byId, keep, make, put } from "./dom.js";

const FORMATS = { hls: "HLS", dash: "DASH", smooth: "Smooth" };
const COPIED_MS = 1500;

/** A URL on the public port, with the host name of this page. */
export function publicUrl(channel, format) {
  const view = channel.views?.[byId("view").value] ?? "";
  const path = channel.urls?.[format]?.replace(/^((?:\/t\/[^/]+)?\/live\/[^/]+\/)/, `$1${view}`);
  const { protocol, hostname } = location;
  return path ? `${protocol}//${hostname}:${latestStatus().public_port}${path}` : "";
}

/** Lists the views of a channel; returns whether the selected view is gone. */
export function showViews(channel) {
  const select = byId("view");
  const chosen = select.value;
  keep(select, Object.keys(channel.views ?? {}), (name) => make("option", "", name));
  return select.value !== chosen;
}

export function showUrls(channel) {
  const formats = Object.keys(FORMATS).filter((format) => publicUrl(channel, format));
  for (const item of keep(byId("urls"), formats, urlItem)) {
    const field = item.querySelector("input");
    const url = publicUrl(channel, item.dataset.key);
    if (field.value !== url) field.value = url;
  }
}

function urlItem(format) {
  const item = make("li");
  const label = make("label", "", FORMATS[format]);
  const field = make("input");
  const button = make("button", "", "Copy");
  label.htmlFor = field.id = `url-${format}`;
  field.readOnly = true;
  button.type = "button";
  button.ariaLabel = `Copy the ${FORMATS[format]} address`;
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", async () => {
    const done = await copy(field);
    put(button, done ? "Copied" : "Not copied");
    put(byId("copied"), done ? `${FORMATS[format]} address copied` : "The browser refused to copy");
    setTimeout(() => put(button, "Copy"), COPIED_MS);
  });
  item.append(label, field, button);
  return item;
}

async function copy(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // navigator.clipboard exists only on HTTPS and loopback; the old command works everywhere.
    field.select();
    return document.execCommand("copy");
  }
}
