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
  if (!head) return;
  const box = document.createElement("input");
  box.type = "checkbox";
  box.setAttribute("aria-label", "Choose all on this page");
  box.addEventListener("change", () => {
    for (const each of document.querySelectorAll("#jobs tbody input[name=id]")) each.checked = box.checked;
  });
  head.replaceChildren(box);
}

// Live pages. The page is loaded again behind the scenes, and its content put in place, unless
// somebody is in the middle of something there.
let pending = false, loading = false, last = 0;

function isBusy() {
  const main = document.querySelector("main");
  const active = document.activeElement;
  const types = active && main.contains(active) && active.matches("input:not([type=checkbox]), select, textarea");
  const chosen = main.querySelector("input[type=checkbox]:checked");
  const selected = String(getSelection()).length > 0;
  return types || chosen || selected;
}

async function update() {
  if (loading || document.hidden || isBusy()) return;
  const wait = last + EVERY - Date.now();
  if (wait > 0) { setTimeout(update, wait); return; }
  pending = false;
  loading = true;
  last = Date.now();
  try {
    const response = await fetch(location.href, { headers: { "X-Liteq": "live" } });
    if (response.ok && !isBusy()) replace(new DOMParser().parseFromString(await response.text(), "text/html"));
  } catch {
    pending = true; // the next change, or the end of the silence, tries again
  } finally {
    loading = false;
  }
  if (pending) update();
}

function replace(page) {
  const old = document.querySelector("main"), fresh = page.querySelector("main");
  if (!fresh) return;
  const said = old.querySelector(".said");
  if (said) fresh.prepend(said);
  const open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
  const focus = path(document.activeElement, old);
  old.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focus) old.querySelector(focus)?.focus({ preventScroll: true });
  document.title = page.title;
  prepare();
}

// A selector that finds the same element in the new content.
function path(element, root) {
  if (!element || !root.contains(element) || element === root) return null;
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element.matches("a[href]")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  return null;
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
  document.addEventListener("focusout", () => { if (pending) setTimeout(update, EVERY); });
  document.addEventListener("change", () => { if (pending) setTimeout(update, EVERY); });
  open();
}

function prepare() {
  addChooser();
  showAges();
}

prepare();
follow();
setInterval(showAges, 5000);
