/* Updates in place: what stays the same is not touched, so that focus, a marked text and a half
   filled form outlive every update. Texts only, never HTML: they come from whoever calls the API. */

const STANDS_OUT_MS = 4000;

const seen = new WeakSet();
const ends = new WeakMap();
const lists = new WeakMap();

/** A copy of a template's element as `root`, and its parts by the names in data-is. */
export function copy(template) {
  const root = document.getElementById(template).content.firstElementChild.cloneNode(true);
  const parts = { root };
  for (const part of root.querySelectorAll("[data-is]")) parts[part.dataset.is] = part;
  return parts;
}

/** Show a text; one that has changed stands out for a while, unless it is `quiet`. */
export function show(node, text, { quiet = false } = {}) {
  const known = seen.has(node);
  seen.add(node);
  const wanted = String(text);
  if (node.textContent === wanted) return;
  if (node.childNodes.length === 1 && node.firstChild.nodeType === Node.TEXT_NODE) {
    node.firstChild.data = wanted;
  } else {
    node.textContent = wanted;
  }
  if (known && !quiet) standOut(node);
}

/** Show a state in words and in a colour; none where the text is empty. */
export function state(node, text, tone = toneOf(text)) {
  node.hidden = text === "";
  node.dataset.tone = tone;
  show(node, text);
}

/** Show a list: an element for each item, by its key, in the order of the items.
    `make` gives an object with the element as `root`, `update` gets that and the item. */
export function list(parent, items, keyOf, make, update, { quiet = false } = {}) {
  const first = !lists.has(parent);
  if (first) lists.set(parent, { made: new Map(), fixed: parent.children.length });
  const { made, fixed } = lists.get(parent);
  const focused = document.activeElement;
  const left = new Map(made);
  for (const item of items) left.delete(keyOf(item));
  for (const [key, gone] of left) {
    made.delete(key);
    handFocusOn(gone.root);
    gone.root.remove();
  }
  let place = parent.children[fixed] ?? null;
  for (const item of items) {
    const key = keyOf(item);
    const known = made.get(key);
    const one = known ?? make(item);
    made.set(key, one);
    if (one.root === place) place = place.nextElementSibling;
    else parent.insertBefore(one.root, place);
    update(one, item);
    if (!known && !first && !quiet) standOut(one.root);
  }
  if (focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

/** Show a list of short texts, each with the colour of its tone. */
export function tags(parent, items) {
  list(
    parent,
    items,
    (item) => item.text,
    () => ({ root: element("li", "tag") }),
    (one, item) => {
      one.root.dataset.tone = item.tone ?? "";
      show(one.root, item.text);
    },
  );
}

/** A new element of a class. */
export function element(name, className = "") {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

function standOut(node) {
  clearTimeout(ends.get(node));
  node.classList.remove("changed");
  void node.offsetWidth; // begins the fading anew
  node.classList.add("changed");
  ends.set(node, setTimeout(() => node.classList.remove("changed"), STANDS_OUT_MS));
}

/** What has the focus goes away: its neighbour gets it, or else what is near. */
function handFocusOn(gone) {
  if (!gone.contains(document.activeElement)) return;
  const near = [gone.nextElementSibling, gone.previousElementSibling, gone.closest("article, section")];
  for (const place of near) {
    const each = [...(place?.querySelectorAll("button, summary, input, select") ?? [])];
    const next = each.find((one) => !gone.contains(one) && one.checkVisibility());
    if (next) {
      next.focus();
      return;
    }
  }
}

const TONES = {
  good: ["normal", "Normal", "up", "running", "Running", "active", "Active", "Available", "200"],
  bad: ["abnormal", "Unhealthy", "down", "stopped"],
};

function toneOf(text) {
  return Object.keys(TONES).find((tone) => TONES[tone].includes(text)) ?? "";
}
