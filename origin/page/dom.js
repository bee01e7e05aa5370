// The document. Data reaches it as text only, never as HTML.

export const byId = (id) => document.getElementById(id);

/** Sets the text only if it differs: this keeps a selection, and screen readers stay silent. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
  return node;
}

export function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

export function putState(node, state) {
  node.classList.add("state");
  node.dataset.state = state;
  put(node, state);
}

/** Gives `parent` one child for each key, in order. Children of known keys stay. */
export function keep(parent, keys, create) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  keys.forEach((key, index) => {
    const node = known.get(key) ?? create(key);
    known.delete(key);
    node.dataset.key = key;
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  for (const node of known.values()) node.remove();
  return [...parent.children];
}

/** A table row: a header cell, and a cell for each class name. */
export function makeRow(classNames, ...headContent) {
  const row = make("tr");
  const head = make("th");
  head.scope = "row";
  head.append(...headContent);
  row.append(head, ...classNames.map((className) => make("td", className)));
  return row;
}
