// Which walks this phone keeps, and how many of their stops wait.

import { keptPages, waiting, wipe } from "porchlight/outbox.js";

const root = document.querySelector(".walk");
const words = JSON.parse(root.dataset.words);
const list = root.querySelector("[data-walks]");
const wipeButton = root.querySelector("[data-wipe]");

async function show() {
  const counts = new Map((await keptPages()).map((path) => [path.split("/").at(-1), 0]));
  for (const { walk } of await waiting()) counts.set(walk, (counts.get(walk) ?? 0) + 1);
  list.replaceChildren(
    ...[...counts].map(([walk, n]) => {
      const item = document.createElement("li");
      item.className = "report-entry";
      const link = document.createElement("a");
      link.href = `/walk/${walk}`;
      link.textContent = words.walk.replace("{id}", walk);
      item.append(link);
      if (n) item.append(`: ${(n === 1 ? words.waits_one : words.waits_many).replace("{n}", n)}`);
      return item;
    }),
  );
  root.querySelector("[data-none]").hidden = counts.size > 0;
  wipeButton.hidden = counts.size === 0;
}

wipeButton.addEventListener("click", async () => {
  if (!confirm(words.wipe_ask)) return;
  await wipe();
  await show();
});
show();
