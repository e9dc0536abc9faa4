"use strict";

// The web chat. Texts are set as text, never as HTML; a message keeps its id until it is answered.

const chat = document.querySelector(".chat");
const scroll = chat.querySelector(".scroll");
const messages = chat.querySelector(".messages");
const offers = chat.querySelector(".offers");
const typing = chat.querySelector(".typing");
const notice = chat.querySelector("p.notice[role=alert]");
const form = chat.querySelector("form");
const input = form.querySelector("textarea");
const send = form.querySelector("button");
const count = form.querySelector(".count");
const words = chat.dataset;
const limit = Number(words.limit);
const unsentKey = "frontdesk:unsent-messages";

const seen = new Set();
const marks = new Map();
const unsent = new Map();
let latest = -1;
let complete = 0;
let waiting = 0;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
}

function say(text) {
  notice.textContent = text;
  notice.hidden = !text;
}

function addBubble(author, text, at) {
  const message = make("div", `message ${author}`);
  if (author === "agent") message.append(make("span", "by", words.textAgent));
  const bubble = make("p", "bubble", text);
  bubble.dir = "auto";
  if (at) bubble.title = new Date(at).toLocaleString(document.documentElement.lang);
  message.append(bubble);
  messages.append(message);
  return message;
}

// An answer that had to wait longer than the next one stands before it; what agents write is new, and stays below.
function putInOrder(message, item) {
  message.dataset.id = item.id;
  const next = [...messages.children].find((each) => Number(each.dataset.id) > item.id);
  if (next && item.author === "bot" && item.turn) messages.insertBefore(message, next);
}

function showOffers(buttons) {
  offers.replaceChildren(...buttons.map((button) => {
    const offer = make("button", "", button.label);
    offer.type = "button";
    offer.addEventListener("click", () => submit({ id: newId(), text: button.label, button: button.value }));
    return offer;
  }));
}

async function post(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Requested-With": "frontdesk-chat" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60000),
  });
}

function addMarks(message, turn) {
  marks.get(turn)?.row.remove();
  const row = make("div", "marks");
  const value = marks.get(turn)?.value || 0;
  const choices = [[1, "up", words.textGood], [-1, "down", words.textBad]].map(([verdict, sign, label]) => {
    const button = make("button", sign);
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", String(value === verdict));
    button.addEventListener("click", async () => {
      const answer = await post("/chat/feedback", { turn, value: verdict }).catch(() => null);
      if (!answer?.ok) return say((await answer?.json().catch(() => null))?.text || words.textUnavailable);
      marks.set(turn, { row, value: verdict });
      for (const choice of choices) choice.setAttribute("aria-pressed", String(choice === button));
      return say("");
    });
    return button;
  });
  row.append(...choices);
  message.append(row);
  marks.set(turn, { row, value });
}

function addFile(message) {
  const link = make("a", "file", words.textMyData);
  link.href = "/chat/my-data";
  link.download = "";
  message.append(link);
}

function receive(list) {
  let fresh = false;
  for (const item of [...list].sort((one, other) => one.id - other.id)) {
    if (seen.has(item.id)) continue;
    seen.add(item.id);
    const message = addBubble(item.author, item.text, item.at);
    putInOrder(message, item);
    if (item.attachment === "export") addFile(message);
    if (item.author === "bot" && item.turn) addMarks(message, item.turn);
    if (item.id > latest) {
      latest = item.id;
      showOffers(item.buttons);
    }
    fresh = true;
  }
  if (fresh) toEnd();
}

// Only history and polls bring everything up to their last message. What answers a post is that answer alone:
// an agent may have written before it what is not shown yet.
function receiveAll(list) {
  receive(list);
  complete = Math.max(complete, ...list.map((item) => item.id));
}

function keepUnsent() {
  sessionStorage.setItem(unsentKey, JSON.stringify([...unsent.values()].map((each) => each.body)));
}

// What the server was away for is sent again by itself once it is back, after growing pauses; the rest by the button.
function fail(body, message, text, away) {
  const tries = (unsent.get(body.id)?.tries || 0) + 1;
  unsent.set(body.id, { body, message, away, tries, due: Date.now() + Math.min(30000, 1000 * 2 ** tries) });
  keepUnsent();
  message.classList.add("unsent");
  const row = make("span", "failed", `${words.textUnsent} · `);
  const again = make("button", "", words.textResend);
  again.type = "button";
  again.addEventListener("click", () => submit(body, message));
  row.append(again);
  message.append(row);
  say(text);
}

function resend() {
  const oldest = [...unsent.values()].find((each) => each.away);
  if (oldest && oldest.due <= Date.now()) submit(oldest.body, oldest.message);
}

async function submit(body, shown) {
  const message = shown || addBubble("customer", body.text);
  message.classList.remove("unsent");
  message.querySelector(".failed")?.remove();
  showOffers([]);
  say("");
  waiting += 1;
  typing.hidden = false;
  toEnd();
  try {
    const answer = await post("/chat/messages", body);
    const result = await answer.json();
    if (!answer.ok) fail(body, message, result.text, answer.status >= 500);
    else {
      unsent.delete(body.id);
      keepUnsent();
      receive(result.messages);
    }
  } catch {
    fail(body, message, words.textUnavailable, true);
  } finally {
    waiting -= 1;
    typing.hidden = waiting === 0;
    toEnd();
  }
}

function measure() {
  const length = [...input.value].length;
  send.disabled = !input.value.trim() || length > limit;
  count.hidden = length < limit * 0.8;
  count.textContent = `${length} / ${limit}`;
  count.classList.toggle("over", length > limit);
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight + 2}px`;
}

async function showHistory() {
  const answer = await fetch("/chat/history", { cache: "no-store" });
  const result = await answer.json();
  if (!answer.ok) throw new Error(result.text);
  const known = new Set();
  for (const item of result.messages) {
    if (item.author === "customer") {
      known.add(item.message);
      addBubble("customer", item.text, item.at);
      showOffers([]);
      if (item.feedback) marks.set(item.turn, { row: make("div"), value: item.feedback });
    } else receiveAll([item]);
  }
  for (const body of JSON.parse(sessionStorage.getItem(unsentKey) || "[]")) {
    if (!known.has(body.id)) fail(body, addBubble("customer", body.text), "", true);
  }
  keepUnsent();
  toEnd();
}

async function poll() {
  let lost = false;
  if (!waiting && !document.hidden) {
    try {
      const answer = await fetch(`/chat/messages?after=${complete}`, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) lost = true;
      else if (!waiting) {
        receiveAll((await answer.json()).messages);
        resend();
      }
    } catch { lost = true; }
    if (lost) say(words.textOffline);
    else if (notice.textContent === words.textOffline) say("");
  }
  setTimeout(poll, lost ? 5000 : 2000);
}

async function start() {
  try {
    await showHistory();
  } catch (error) {
    say(error.message || words.textUnavailable);
    setTimeout(() => location.reload(), 10000);
    return;
  }
  measure();
  poll();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text || send.disabled) return;
  input.value = "";
  measure();
  input.focus();
  submit({ id: newId(), text });
});
input.addEventListener("input", measure);
input.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  form.requestSubmit();
});

start();
