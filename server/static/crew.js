// The route of a crew on its phone: what is marked at a stop is kept first and sent then, so that it does
// not matter whether there is a connection. Without this module each form is sent as it is.

import { counting, keepPage, made, saying, sender } from "porchlight/offline.js";
import { forgetPast, keep, lighter, remove, send, waiting, wipe } from "porchlight/crew_outbox.js";

const FEET = 3.28084;
const FEET_PER_MILE = 5_280;
const EARTH_M = 6_371_009;

const root = document.querySelector(".crew");
const route = location.pathname;
const words = JSON.parse(root.dataset.words);
const state = root.querySelector("[data-state]");
const outbox = root.querySelector("[data-outbox]");
const start = root.querySelector("[data-start]");

const counted = counting(words);
const say = saying(state);

// What waits -------------------------------------------------------------------------------------

const WORD = { in_field: "began", "in_field.again": "corrects" };

/** What a stop says of a mark that waits. */
function entryOf(mark) {
  const { to, note, parts } = mark.body;
  const about = [words[WORD[to] ?? to], parts, note, mark.photo && words.photo].filter(Boolean);
  const lines = [made("strong", about.join(", "))];
  for (const { detail } of mark.faults ?? []) lines.push(made("p", detail, { className: "crew-fault" }));
  if (mark.tried) return [...lines, made("p", words.cut_off)];
  const back = made("button", words.take_back, { type: "button", className: "btn btn-outline-secondary btn-sm" });
  back.addEventListener("click", async () => {
    await remove(mark);
    await show();
  });
  return [...lines, back];
}

async function show() {
  const marks = await waiting(route);
  outbox.hidden = marks.length === 0;
  outbox.querySelector("[data-outbox-title]").textContent = counted("waits", marks.length);
  for (const stop of root.querySelectorAll(".crew-stop")) {
    const own = marks.filter(({ body }) => body.order === stop.dataset.order);
    stop.classList.toggle("is-waiting", own.some(({ body }) => body.to !== "in_field"));
    stop.querySelector("[data-waits]").replaceChildren(...own.flatMap(entryOf));
  }
  if (start) start.hidden = start.hidden || marks.some(({ body }) => body.to === "in_field");
}

/** A page of the site as a document; nothing where it does not come. */
function page(url) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.addEventListener("loadend", () => resolve(request.status === 200 ? request.response : null));
    request.send();
  });
}

/** Shows stops as the site has them now, and has the phone keep the page so. What is typed elsewhere stays. */
async function refresh(orders) {
  const fresh = await page(route);
  if (!fresh) return;
  for (const order of orders) {
    const now = fresh.getElementById(`stop-${order}`);
    const before = document.getElementById(`stop-${order}`);
    if (now && before) before.replaceWith(document.adoptNode(now));
  }
  openNext();
  for (const part of ["h1", ".crew-drawing"]) {
    const now = fresh.querySelector(`.crew ${part}`);
    if (now) root.querySelector(part)?.replaceWith(document.adoptNode(now));
  }
  if (!fresh.querySelector("[data-start]")) start?.remove();
  navigator.serviceWorker?.controller?.postMessage({ keep: route });
}

/** What became of a round of sending, in words. */
function told({ sent, trouble, answers }) {
  const known = {
    offline: words.offline,
    failed: words.failed,
    refused: words.refused,
    signed_out: words.sign_in_first,
  };
  const lines = [sent && counted("sent", sent), ...answers.map((answer) => answer.told), known[trouble] ?? trouble];
  if (trouble === "signed_out") {
    const href = `/sign-in?next=${encodeURIComponent(route)}`;
    lines.push(made("a", words.sign_in, { href, className: "btn btn-outline-secondary btn-sm" }));
  }
  return lines;
}

/** Sends what waits; what was said before stays. */
const sendAll = sender(send, async (done, ...before) => {
  if (done.answers.length) await refresh(done.answers.map(({ order }) => order)).catch(() => {});
  await show();
  say(...before, ...told(done));
});

// Marks ------------------------------------------------------------------------------------------

async function mark(entries) {
  for (const { body, photo = null, key = crypto.randomUUID() } of entries) {
    const marked_at = new Date().toISOString();
    await keep({ key, route, body: { ...body, marked_at }, photo, tried: false, faults: null });
  }
  navigator.storage?.persist?.();
  await show();
  openNext();
  say(words.kept);
  await sendAll();
}

/** Opens the form of the first stop that is not marked. */
function openNext() {
  const open = ".crew-stop:is([data-stands=issued], [data-stands=in_field]):not(.is-waiting) .crew-mark";
  const form = root.querySelector(open);
  if (form) form.open = true;
}

root.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  try {
    if (form === start) {
      start.hidden = true;
      const stops = [...root.querySelectorAll('.crew-stop[data-stands="issued"]')];
      await mark(stops.map(({ dataset }) => ({ body: { order: dataset.order, to: "in_field" } })));
      return;
    }
    const { order, key, note, parts, photo } = form.elements;
    const file = photo?.files[0];
    const body = { order: order.value, to: event.submitter.value, note: note?.value ?? "", parts: parts?.value ?? "" };
    const taken = file ? await lighter(file) : null;
    if (taken?.size > Number(photo.dataset.most)) {
      say(words.too_large);
      state.scrollIntoView({ block: "center" });
      return;
    }
    await mark([{ key: key.value, body, photo: taken }]);
  } catch {
    if (navigator.onLine) sendPlainly(form, event.submitter); // as it is sent without this module
    else say(words.not_kept);
  }
});

/** Sends a form as it is, with the button that was pressed. */
function sendPlainly(form, button) {
  const pressed = made("input", "", { type: "hidden", name: button.name, value: button.value });
  if (button.name) form.append(pressed);
  form.submit();
}

// How far ----------------------------------------------------------------------------------------

function metres(lat, lon, other) {
  const [a, b, c, d] = [lat, other.latitude, lon, other.longitude].map((degrees) => (degrees * Math.PI) / 180);
  const across = Math.sin((b - a) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin((d - c) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(across));
}

root.querySelector("[data-locate]")?.addEventListener("click", () => {
  const said = root.querySelector("[data-locate-status]");
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      said.textContent = "";
      for (const stop of root.querySelectorAll(".crew-stop")) {
        const feet = FEET * metres(Number(stop.dataset.lat), Number(stop.dataset.lon), coords);
        const far =
          feet < 1_000 ? words.feet.replace("{n}", 10 * Math.round(feet / 10)) : words.miles.replace("{n}", (feet / FEET_PER_MILE).toFixed(1));
        stop.querySelector("[data-here]").textContent = `· ${words.here.replace("{distance}", far)}`;
      }
    },
    () => {
      said.textContent = words.no_position;
    },
    { enableHighAccuracy: true, timeout: 15_000, maximumAge: 30_000 },
  );
});

for (const button of root.querySelectorAll("[data-wipe]")) {
  button.addEventListener("click", async () => {
    if (!confirm(words.wipe_ask)) return;
    await wipe();
    await show();
    say(words.wiped);
  });
}
root.querySelector("[data-send]").addEventListener("click", () => {
  say(words.sending);
  sendAll();
});
addEventListener("online", () => {
  if (outbox.hidden) say();
  else sendAll();
});
addEventListener("offline", () => say(words.offline));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && !outbox.hidden) sendAll();
});

/** Says that the page opens without a connection, too. */
function pageIsKept() {
  if (root.dataset.kept === undefined && !state.textContent) say(words.ready);
  root.dataset.kept = "";
}

if (!navigator.onLine) say(words.offline);
try {
  await show();
  if (navigator.onLine) {
    await forgetPast(root.dataset.today);
    keepPage("crew", pageIsKept).catch(() => {}); // without it the route goes on with a connection
    if (!outbox.hidden) await sendAll();
  }
} catch {
  say(words.not_kept);
}
