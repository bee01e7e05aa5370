// The player and plot libraries below /players/.

import { make } from "./dom.js";

const loading = new Map();

/** Loads a script once. A failure is shown, and the next call tries again. */
export function library(name) {
  if (!loading.has(name)) loading.set(name, script(name));
  return loading.get(name);
}

export function stylesheet(name) {
  const style = make("link");
  style.rel = "stylesheet";
  style.href = `/players/${name}`;
  document.head.append(style);
}

function script(name) {
  const url = `/players/${name}`;
  return new Promise((resolve, reject) => {
    const node = make("script");
    node.src = url;
    node.onload = () => {
      showMissing(false);
      resolve();
    };
    node.onerror = async () => {
      loading.delete(name);
      node.remove();
      const response = await fetch(url, { method: "HEAD" }).catch(() => null);
      const missing = response?.status === 404;
      if (missing) showMissing(true);
      reject(new Error(missing ? `${name} is not installed` : `${name} did not load`));
    };
    document.head.append(node);
  });
}

function showMissing(missing) {
  for (const note of document.querySelectorAll(".missing")) note.hidden = !missing;
}
