// The list of routes on a phone, and what waits of them.

import { keepPage } from "porchlight/offline.js";
import { waiting, wipe } from "porchlight/crew_outbox.js";

const root = document.querySelector(".crew");
const words = JSON.parse(root.dataset.words);
const state = root.querySelector("[data-state]");
const wipeButton = root.querySelector("[data-wipe]");

async function show() {
  const marks = await waiting();
  state.textContent = marks.length
    ? words[marks.length === 1 ? "waits_one" : "waits_many"].replace("{n}", marks.length)
    : "";
}

wipeButton.hidden = false;
wipeButton.addEventListener("click", async () => {
  if (!confirm(words.wipe_ask)) return;
  await wipe();
  state.textContent = words.wiped;
});
if (navigator.onLine) keepPage("crew", () => {}).catch(() => {}); // without it, only with a connection
show().catch(() => {
  state.textContent = words.not_kept;
});
