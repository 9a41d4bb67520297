// What the dashboard adds where scripts run: pages that follow the store, ages, and a box that
// chooses all. Without it every page works, and shows what was true when it was loaded.
"use strict";

const EVERY = 250; // ms between two updates, at least

// Times: the age beside the clock time.
function showAges() {
  for (const each of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.now() - Date.parse(each.dateTime)) / 1000;
    each.title = `${age(Math.abs(seconds))} ${seconds < 0 ? "from now" : "ago"}`;
  }
}

function age(seconds) {
  for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * length) return `${Math.round(seconds / length)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

// A box in the head of a list of jobs that chooses all of the page.
function addChooser() {
  const head = document.querySelector("#jobs thead th:first-child");
  if (!head || head.querySelector("[data-ours]")) return;
  const box = document.createElement("input");
  box.type = "checkbox";
  box.dataset.ours = "";
  box.setAttribute("aria-label", "Choose all on this page");
  box.addEventListener("change", () => {
    for (const each of document.querySelectorAll("#jobs tbody input[name=id]")) each.checked = box.checked;
  });
  head.append(box);
}

// Live pages. The page is loaded again behind the scenes, and what differs is put in place. All
// other elements stay as they are, with the focus, what was typed and chosen, and a click half done.
let pending = false, loading = false, last = 0;

async function update() {
  if (loading || document.hidden) return;
  const wait = last + EVERY - Date.now();
  if (wait > 0) { setTimeout(update, wait); return; }
  pending = false;
  loading = true;
  last = Date.now();
  try {
    const response = await fetch(location.href);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("main");
    if (response.ok && fresh) {
      fresh.querySelector(".said")?.remove();
      merge(document.querySelector("main"), fresh);
      document.title = page.title;
      prepare();
    }
  } catch {
    // The server is away. When it is back, the stream opens again, and the page is updated.
  } finally {
    loading = false;
  }
  if (pending) update();
}

// What tells an element from its neighbours: rows are named by their first cell.
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return node.nodeName;
  const row = node.tagName === "TR" ? node.querySelector("th")?.textContent : "";
  const named = (name) => node.getAttribute(name) ?? ""; // `form.id` may be an input of that name
  return `${node.nodeName} ${named("id")} ${row} ${named("class")}`;
}

function merge(old, fresh) {
  const known = new Map();
  for (const child of old.childNodes) {
    const key = keyOf(child);
    known.set(key, [...(known.get(key) ?? []), child]);
  }
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const found = known.get(keyOf(child))?.shift();
    if (found) {
      mergeOne(found, child);
      if (found === at) at = at.nextSibling; else old.insertBefore(found, at);
    } else {
      old.insertBefore(child, at);
    }
  }
  for (const children of known.values()) for (const child of children) if (!isOurs(child)) child.remove();
}

function mergeOne(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.isEqualNode(fresh) || old.matches("textarea, select")) return;
  const kept = ["open", "checked", "value", "title"]; // what visitors, or this script, change
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept.includes(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !(kept.includes(name) && old.matches("details, input[type=checkbox], input[type=search], input[type=text]"))) {
      old.setAttribute(name, value);
    }
  }
  merge(old, fresh);
}

// What this script has added, or what was just done, is not in the page that was loaded.
function isOurs(node) {
  return node.nodeType === Node.ELEMENT_NODE && node.matches("[data-ours], .said");
}

function follow() {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  let source = null;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(main.dataset.live);
    source.onopen = () => { pending = true; update(); }; // what came while nobody listened
    source.onmessage = () => { pending = true; update(); };
  };
  const close = () => { source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); } else { open(); pending = true; update(); }
  });
  addEventListener("pagehide", close);
  open();
}

function prepare() {
  addChooser();
  showAges();
}

prepare();
follow();
setInterval(showAges, 5000);
