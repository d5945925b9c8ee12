// The form of a stop on a phone: its place, its answers, and the stops that wait until they are sent.
// Without this module the form is sent as it is, stop by stop.

import {
  draftOf, keep, keepDraft, newKey, remove, removeDraft, send, waiting, wipe,
} from "porchlight/outbox.js";
import { counting, keepPage, made, saying, sender } from "porchlight/offline.js";

const FEET = 3.28084;

const root = document.querySelector(".walk");
const { walk } = root.dataset;
const words = JSON.parse(root.dataset.words);
const form = root.querySelector(".walk-form");
const state = root.querySelector("[data-state]");
const [address, lat, lon] = ["address", "lat", "lon"].map((id) => document.getElementById(id));
const located = root.querySelector("[data-locate-status]");
let pause = 0; // until the form is kept

const counted = counting(words);
const say = saying(state);

// Where ------------------------------------------------------------------------------------------

let asked = 0; // what is chosen while the phone looks for its position counts

function setPlace(latitude, longitude, text) {
  asked += 1;
  lat.value = latitude;
  lon.value = longitude;
  located.textContent = text;
}

function locate() {
  setPlace("", "", words.locating);
  const own = asked;
  navigator.geolocation.getCurrentPosition(
    ({ coords: { latitude, longitude, accuracy } }) => {
      if (own !== asked) return;
      const feet = Math.max(10, 10 * Math.round((accuracy * FEET) / 10));
      address.value = "";
      setPlace(latitude.toFixed(6), longitude.toFixed(6), words.located.replace("{feet}", feet));
      remember();
    },
    () => own === asked && setPlace("", "", words.no_position),
    { enableHighAccuracy: true, timeout: 15_000, maximumAge: 5_000 },
  );
}

/** Looks for the position as soon as somebody answers, where the phone need not ask for leave again. */
async function locateAlong() {
  if (lat.value || address.value || located.textContent) return;
  const leave = await navigator.permissions?.query({ name: "geolocation" }).catch(() => null);
  if (leave?.state === "granted") locate();
}

root.querySelector("[data-locate]").addEventListener("click", locate);
address.addEventListener("input", () => setPlace("", "", ""));
root.addEventListener("porchlight:picked", () => {
  setPlace(lat.value, lon.value, words.chosen); // the map has written them
  address.value = "";
  remember();
});

/** Puts the map into the page, the first time that it is asked for. */
function openMap(details) {
  const stage = details.querySelector("[data-map-stage]");
  const offline = details.querySelector("[data-map-offline]");
  offline.hidden = navigator.onLine || stage.childElementCount > 0;
  if (!details.open || !navigator.onLine || stage.childElementCount > 0) return;
  const { nonce } = document.querySelector("script[nonce]");
  const parts = document.importNode(details.querySelector("template").content, true);
  const scripts = [...parts.querySelectorAll("script")].map((old) => {
    // What a template holds does not run; in order, since each needs the one before.
    const script = Object.assign(document.createElement("script"), { async: false, nonce });
    if (old.type) script.type = old.type;
    if (old.src) script.src = old.src;
    else script.textContent = old.textContent;
    old.remove();
    return script;
  });
  stage.append(parts);
  const loaded = scripts.filter(({ src }) => src).map(
    (script) =>
      new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = reject;
      }),
  );
  stage.append(...scripts.filter(({ src }) => src));
  Promise.all(loaded)
    .then(() => stage.append(...scripts.filter(({ src }) => !src)))
    .catch(() => {
      stage.replaceChildren();
      offline.hidden = false;
    });
}

const mapChoice = root.querySelector("[data-map]");
mapChoice.addEventListener("toggle", () => openMap(mapChoice));

/** Suggests places for what is typed, where there is a connection. */
async function suggest() {
  const { placeSearch } = await import("porchlight/search.js");
  placeSearch(address, {
    address: "/api/places",
    words: JSON.parse(address.dataset.words),
    onchoose: ({ lat: latitude, lon: longitude }) => setPlace(latitude, longitude, ""),
  });
}

// What is seen -----------------------------------------------------------------------------------

const questions = [...new Set([...form.querySelectorAll(".walk-answers input")].map(({ name }) => name))];
const chosen = (question) => form.querySelector(`[name="${question}"]:checked`);

/** Writes what the report of a problem says, as long as nobody has written something else. */
function suggestWords(question) {
  const field = form.elements[`text_${question}`];
  if (field.value && field.value !== field.dataset.suggested) return;
  field.dataset.suggested = chosen(question)?.dataset.problem ?? "";
  field.value = field.dataset.suggested;
}

form.addEventListener("change", ({ target }) => {
  if (!questions.includes(target.name)) return;
  suggestWords(target.name);
  locateAlong();
});
for (const button of form.querySelectorAll("[data-clear]")) {
  button.addEventListener("click", () => {
    const one = chosen(button.dataset.clear);
    if (!one) return;
    one.checked = false;
    suggestWords(one.name);
    remember();
    form.querySelector(`[name="${one.name}"]`).focus();
  });
}
root.querySelector("[data-rest]").addEventListener("click", () => {
  for (const question of questions) {
    if (!chosen(question)) form.querySelector(`[name="${question}"][data-fine]`).checked = true;
  }
  remember();
});

/** What the form says, as the site takes it. */
function bodyOf() {
  const answers = {};
  const reports = {};
  for (const question of questions) {
    const answer = chosen(question);
    if (!answer) continue;
    answers[question] = answer.value;
    const wanted = form.elements[`report_${question}`].checked && "problem" in answer.dataset;
    if (wanted) reports[question] = form.elements[`text_${question}`].value.trim();
  }
  const body = { answers, reports, note: form.elements.note.value.trim(), seen_at: new Date().toISOString() };
  if (lat.value && lon.value) Object.assign(body, { lat: Number(lat.value), lon: Number(lon.value) });
  if (address.value.trim()) body.address = address.value.trim();
  return body;
}

/** Puts a stop that waits back into the form, to be changed, or what stood there before. */
function fill({ key, body }) {
  form.reset();
  if (key) Object.assign(form.dataset, { key, seenAt: body.seen_at });
  address.value = body.address ?? "";
  setPlace(body.lat ?? "", body.lon ?? "", body.lat === undefined ? "" : words.place_kept);
  form.elements.note.value = body.note;
  for (const [question, value] of Object.entries(body.answers)) {
    const answer = form.querySelector(`[name="${question}"][value="${value}"]`);
    answer.checked = true;
    form.elements[`report_${question}`].checked = question in body.reports;
    const field = form.elements[`text_${question}`];
    field.dataset.suggested = answer.dataset.problem ?? "";
    field.value = body.reports[question] ?? field.dataset.suggested;
  }
}

/** Keeps what stands in the form, once nothing has changed for a moment. */
function remember() {
  clearTimeout(pause);
  const draft = () => keepDraft({ walk, key: form.dataset.key, body: bodyOf() });
  pause = setTimeout(() => draft().catch(() => {}), 300);
}

form.addEventListener("input", remember);

function empty() {
  clearTimeout(pause);
  removeDraft(walk).catch(() => {});
  form.reset();
  delete form.dataset.key;
  delete form.dataset.seenAt;
  setPlace("", "", "");
  for (const question of questions) suggestWords(question);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = bodyOf();
  if (body.lat === undefined && !body.address) {
    say(words.no_place);
    address.focus();
    return;
  }
  if (!Object.keys(body.answers).length && !body.note) {
    say(words.nothing_seen);
    form.querySelector(".walk-answers input").focus();
    return;
  }
  if (form.dataset.seenAt) body.seen_at = form.dataset.seenAt;
  try {
    await keep({ key: form.dataset.key ?? newKey(), walk, body, tried: false, faults: null });
  } catch {
    if (navigator.onLine) form.submit(); // as it is sent without this module
    else say(words.not_kept);
    return;
  }
  navigator.storage?.persist?.();
  empty();
  say(words.kept);
  scrollTo({ top: 0 });
  root.querySelector("[data-locate]").focus({ preventScroll: true });
  await show();
  await sendAll(words.kept);
});

// What waits -------------------------------------------------------------------------------------

const outbox = root.querySelector("[data-outbox]");

/** The problems of a stop in words, or that there are none. */
function problemsOf({ body: { answers } }) {
  const names = Object.entries(answers)
    .map(([question, value]) => form.querySelector(`[name="${question}"][value="${value}"]`))
    .filter((answer) => answer && "problem" in answer.dataset)
    .map(({ id }) => form.querySelector(`label[for="${id}"]`).textContent);
  return names.join(", ") || words.nothing_wrong;
}

/** A button that changes a stop that waits, and sends it. */
function mending(stop, label, change) {
  const button = made("button", label, { type: "button", className: "btn btn-outline-secondary btn-sm" });
  button.addEventListener("click", async () => {
    change(stop.body);
    await keep({ ...stop, faults: null });
    await show();
    await sendAll();
  });
  return button;
}

/** What is wrong with a stop, and what can be done about it. */
function faultOf(stop, { field, detail, code, choices = [], left }) {
  const item = made("div", "", { className: "walk-fault" });
  item.append(made("p", code === "several_places" ? words.which : detail, { className: "report-error" }));
  for (const { label, value } of choices) {
    const [latitude, longitude] = value.split(",").map(Number);
    item.append(mending(stop, label, (body) => Object.assign(body, { lat: latitude, lon: longitude })));
  }
  if (code === "screened") {
    item.append(
      mending(stop, words.leave_out, (body) => {
        if (field === "note") body.note = left;
        else body.reports[field] = left;
      }),
    );
    if (field !== "note") {
      item.append(mending(stop, words.even_so, (body) => Object.assign(body, { even_so: true })));
    }
  }
  return item;
}

function entryOf(stop) {
  const item = document.createElement("li");
  const time = new Date(stop.body.seen_at).toLocaleTimeString(document.documentElement.lang, { timeStyle: "short" });
  item.append(made("strong", words.stop.replace("{time}", time)), ` ${problemsOf(stop)}`);
  if (stop.tried) {
    item.append(made("p", words.cut_off, { className: "form-text" }));
    return item;
  }
  item.append(...(stop.faults ?? []).map((fault) => faultOf(stop, fault)));
  const acts = made("div", "", { className: "walk-acts" });
  for (const [label, act] of [
    [
      words.change,
      async () => {
        const { answers, note } = bodyOf();
        const begun = Object.keys(answers).length > 0 || note;
        if (begun && !confirm(words.change_ask)) return;
        // It waits in the form alone, or else it could be sent while it is being changed.
        await keepDraft(stop);
        await remove(stop);
        fill(stop);
        document.getElementById("where").scrollIntoView();
        address.focus();
      },
    ],
    [words.remove, async () => confirm(words.remove_ask) && remove(stop)],
  ]) {
    const button = made("button", label, { type: "button", className: "btn btn-outline-secondary btn-sm" });
    button.addEventListener("click", async () => {
      await act();
      await show();
    });
    acts.append(button);
  }
  item.append(acts);
  return item;
}

async function show() {
  const stops = await waiting(walk);
  outbox.hidden = stops.length === 0;
  if (stops.some(({ faults }) => faults)) outbox.firstElementChild.open = true;
  root.querySelector("[data-outbox-title]").textContent = counted("waits", stops.length);
  root.querySelector("[data-waiting]").replaceChildren(...stops.map(entryOf));
}

function linkTo(href, text) {
  return made("a", text, { href, className: "btn btn-outline-secondary btn-sm" });
}

/** What became of a round of sending, in words. */
function told({ sent, reports, undecided, trouble }) {
  const lines = [
    sent && counted("sent", sent),
    reports && counted("reports", reports),
    undecided && counted("undecided", undecided),
    undecided && linkTo(`/walks/${walk}#decide`, words.decide),
  ];
  const known = {
    offline: words.offline,
    failed: words.failed,
    refused: words.refused,
    signed_out: words.sign_in_first,
  };
  lines.push(known[trouble] ?? trouble);
  if (trouble === "signed_out") {
    lines.push(linkTo(`/sign-in?next=${encodeURIComponent(`/walk/${walk}`)}`, words.sign_in));
  }
  return lines;
}

/** Sends what waits; what was said before stays. */
const sendAll = sender(
  () => send(walk),
  async (done, ...before) => {
    say(...before, ...told(done));
    await show();
  },
);

for (const button of root.querySelectorAll("[data-wipe]")) {
  button.addEventListener("click", async () => {
    if (!confirm(words.wipe_ask)) return;
    empty();
    await wipe();
    await show();
    say(words.wiped);
  });
}
root.querySelector("[data-send]").addEventListener("click", () => {
  say(words.sending);
  sendAll();
});
root.querySelector("[data-print]").addEventListener("click", () => print());
addEventListener("online", () => {
  openMap(mapChoice);
  if (outbox.hidden) say();
  else sendAll();
});
addEventListener("offline", () => say(words.offline));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && !outbox.hidden) sendAll();
});

/** Says that the page opens without a connection, too. */
function pageIsKept() {
  root.dataset.kept = "";
  if (!state.textContent) say(words.ready);
}

if (navigator.onLine) suggest();
else say(words.offline);
try {
  await show();
  const draft = await draftOf(walk);
  if (draft) fill(draft);
  if (navigator.onLine) {
    keepPage("walk", pageIsKept).catch(() => {}); // without it the walk goes on with a connection
    if (!outbox.hidden) await sendAll();
  }
} catch {
  say(words.not_kept);
}
