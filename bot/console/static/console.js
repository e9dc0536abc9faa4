"use strict";

// Keeps the live part of a page fresh without touching what somebody is typing or has opened.

const shown = new Map();

function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-plain])")) {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    const format = today ? { hour: "2-digit", minute: "2-digit" } : { dateStyle: "medium", timeStyle: "short" };
    time.textContent = new Intl.DateTimeFormat(document.documentElement.lang, format).format(at);
    time.title = at.toLocaleString(document.documentElement.lang);
  }
}

function fieldIsChanged(field) {
  if (field.type === "hidden") return false;
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  const first = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(first, 0);
}

function isBusy(element) {
  const active = document.activeElement;
  if (element.contains(active) && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName)) return true;
  return [...element.querySelectorAll("input, select, textarea")].some(fieldIsChanged);
}

function replace(old, fresh) {
  for (const details of old.querySelectorAll("details[open]")) {
    const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (same) same.open = true;
  }
  const focused = old.contains(document.activeElement);
  old.replaceWith(fresh);
  if (focused) (fresh.matches("a") ? fresh : fresh.querySelector("button, summary, a"))?.focus();
}

function patch(live, html) {
  const parts = new DOMParser().parseFromString(html, "text/html").body;
  const kept = new Set();
  let before = null;
  let added = false;
  for (const part of [...parts.children]) {
    kept.add(part.id);
    const source = part.outerHTML;
    let here = live.querySelector(`:scope > #${CSS.escape(part.id)}`);
    if (!here) {
      here = document.importNode(part, true);
      shown.set(part.id, source);
      showTimes(here);
      added = true;
    } else if (shown.get(part.id) !== source && !isBusy(here)) {
      const fresh = document.importNode(part, true);
      replace(here, fresh);
      shown.set(part.id, source);
      showTimes(fresh);
      added = added || fresh.matches(".turn");
      here = fresh;
    }
    const place = before ? before.nextElementSibling : live.firstElementChild;
    if (place !== here) live.insertBefore(here, place);
    before = here;
  }
  for (const child of [...live.children]) {
    if (!kept.has(child.id)) child.remove();
  }
  return added;
}

function showWaiting(live) {
  const waiting = live.querySelector("[data-waiting]")?.dataset.waiting;
  if (waiting === undefined) return;
  document.title = document.title.replace(/^\(\d+\) /, "");
  if (waiting !== "0") document.title = `(${waiting}) ${document.title}`;
}

function keepLive(live) {
  const jump = document.querySelector(".jump");
  const page = document.documentElement;
  const atEnd = () => window.innerHeight + window.scrollY >= page.scrollHeight - 120;
  const toEnd = () => window.scrollTo(0, page.scrollHeight);
  const follows = "follow" in live.dataset;
  let tag = "";
  let asked = Date.now();

  for (const child of live.children) shown.set(child.id, child.outerHTML);
  showWaiting(live);
  if (follows && !location.hash) toEnd();
  jump?.addEventListener("click", toEnd);
  window.addEventListener("scroll", () => { if (jump && atEnd()) jump.hidden = true; }, { passive: true });

  async function refresh() {
    const headers = tag ? { "If-None-Match": tag } : {};
    const answer = await fetch(live.dataset.live, { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (answer.status === 401) return location.assign("/console/login");
    if (answer.status === 304) return undefined;
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const wasAtEnd = atEnd();
    const added = patch(live, await answer.text());
    const skipped = [...live.children].some(isBusy);
    tag = skipped ? "" : answer.headers.get("ETag") || "";
    showWaiting(live);
    if (follows && added) {
      if (wasAtEnd) toEnd();
      else if (jump) jump.hidden = false;
    }
    return undefined;
  }

  async function loop() {
    let lost = false;
    // A page in the background asks less often: its title goes on telling who waits, and its agent counts as there.
    if (!document.hidden || Date.now() - asked >= 30000) {
      asked = Date.now();
      try { await refresh(); } catch { lost = true; }
      for (const warning of document.querySelectorAll(".offline")) warning.hidden = !lost;
    }
    setTimeout(loop, Number(live.dataset.every) * (lost ? 2 : 1));
  }
  setTimeout(loop, Number(live.dataset.every));
}

function keepDraft(form, done) {
  const key = `draft:${form.dataset.draft}`;
  const text = form.querySelector("textarea");
  if (done === "reply") sessionStorage.removeItem(key);
  if (!text.value) text.value = sessionStorage.getItem(key) || "";
  text.addEventListener("input", () => sessionStorage.setItem(key, text.value));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) form.requestSubmit();
  });
}

// A moment is stored with its zone and typed in the reader's own.
function keepMoment(field) {
  const stored = field.form.elements[field.dataset.moment];
  const show = (at) => new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  if (stored.value && !Number.isNaN(Date.parse(stored.value))) field.value = show(new Date(stored.value));
  field.addEventListener("input", () => { stored.value = field.value ? new Date(field.value).toISOString() : ""; });
}

function start() {
  const live = document.querySelector("[data-live]");
  if (live) keepLive(live);
  showTimes(document);
  const done = live?.dataset.done;
  for (const form of document.querySelectorAll("form[data-draft]")) keepDraft(form, done);
  for (const field of document.querySelectorAll("[data-moment]")) keepMoment(field);
  if (done) {
    const address = new URL(location.href);
    address.searchParams.delete("done");
    history.replaceState(null, "", address);
  }
  document.addEventListener("submit", (event) => {
    const ask = event.target.dataset.ask;
    if (ask && !window.confirm(ask)) event.preventDefault();
  });
}

start();
