// Stops that wait on this phone: kept in IndexedDB without a name, sent each under its own
// Idempotency-Key, and deleted as soon as the site has them.
//
// A stop is an entry {key, walk, body, tried, faults} as of offline.js. A draft is what stands in the form
// of a walk, {walk, key, body}: phones close pages without asking.

import * as offline from "porchlight/offline.js";

const { within, wipe: wipeStops } = offline.database("porchlight-walks", { stops: "key", drafts: "walk" });

/** A random key. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const keep = (stop) => within("stops", "readwrite", (stops) => stops.put(stop));
export const remove = ({ key }) => within("stops", "readwrite", (stops) => stops.delete(key));
export const keepDraft = (draft) => within("drafts", "readwrite", (drafts) => drafts.put(draft));
export const draftOf = (walk) => within("drafts", "readonly", (drafts) => drafts.get(walk));
export const removeDraft = (walk) => within("drafts", "readwrite", (drafts) => drafts.delete(walk));
const find = (key) => within("stops", "readonly", (stops) => stops.get(key));

/** All stops of a walk, or of all walks, the oldest first. */
export async function waiting(walk = null) {
  const found = await within("stops", "readonly", (stops) => stops.getAll());
  return found
    .filter((stop) => walk === null || stop.walk === walk)
    .sort((one, other) => one.body.seen_at.localeCompare(other.body.seen_at));
}

/** Deletes all that this phone keeps of walks: stops, pages, and the worker that serves them. */
export async function wipe() {
  await wipeStops();
  await offline.forgetPages("walk");
}

/** The addresses of walks whose form this phone keeps. */
export const keptPages = () => offline.keptPages("walk", /^\/walk\/\d+$/);

/** Sends what waits of a walk. Gives what `sendWaiting` does, and how many {reports, undecided} came of it. */
export async function send(walk) {
  const became = { reports: 0, undecided: 0 };
  const keys = (await waiting(walk)).map(({ key }) => key);
  const request = (stop) => [
    `/walk/${walk}/stops`,
    {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": stop.key },
      body: JSON.stringify(stop.body),
    },
  ];
  const done = await offline.sendWaiting(keys, { find, keep, remove }, request, ({ reports }) => {
    became.reports += reports.filter(({ report }) => report !== null).length;
    became.undecided += reports.filter(({ report }) => report === null).length;
  });
  return { ...done, ...became };
}
