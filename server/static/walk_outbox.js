// Stops that wait on this phone: kept in IndexedDB without a name, sent each under its own
// Idempotency-Key, and deleted as soon as the site has them.
//
// A stop is {key, walk, body, tried, faults}. `tried` says that it was on its way and that no answer
// came: then it is sent again exactly as it is, since the site may have it. A draft is what stands in
// the form of a walk, {walk, key, body}: phones close pages without asking.

const DATABASE = "porchlight-walks";
const CACHES = "porchlight-walk-";

/** A promise of what an IndexedDB request gives. */
const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let opened = null;

function open() {
  if (!opened) {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("stops", { keyPath: "key" });
      request.result.createObjectStore("drafts", { keyPath: "walk" });
    };
    opened = result(request).then((database) => {
      // Another tab wipes the phone.
      database.onversionchange = () => {
        database.close();
        opened = null;
      };
      return database;
    });
  }
  return opened;
}

/** Does one thing with the stops or the drafts, and waits until it is on the disk. */
async function within(name, mode, act) {
  const database = await open();
  const transaction = database.transaction(name, mode, { durability: "strict" });
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  const [found] = await Promise.all([result(act(transaction.objectStore(name))), done]);
  return found;
}

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

/** All stops of a walk, or of all walks, the oldest first. */
export async function waiting(walk = null) {
  const found = await within("stops", "readonly", (stops) => stops.getAll());
  return found
    .filter((stop) => walk === null || stop.walk === walk)
    .sort((one, other) => one.body.seen_at.localeCompare(other.body.seen_at));
}

/** Deletes all that this phone keeps: stops, pages, and the worker that serves them. */
export async function wipe() {
  const database = await opened;
  database?.close();
  opened = null;
  await result(indexedDB.deleteDatabase(DATABASE));
  await forgetPages();
}

/** Deletes the pages that this phone keeps, and the worker that serves them. */
export async function forgetPages() {
  if (globalThis.caches) {
    const names = (await caches.keys()).filter((name) => name.startsWith(CACHES));
    await Promise.all(names.map((name) => caches.delete(name)));
  }
  const worker = await navigator.serviceWorker?.getRegistration("/walk/");
  await worker?.unregister();
}

/** The addresses of walks whose form this phone keeps. */
export async function keptPages() {
  if (!globalThis.caches) return [];
  const names = (await caches.keys()).filter((name) => name.startsWith(CACHES));
  const kept = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  const paths = kept.flat().map(({ url }) => new URL(url).pathname);
  return [...new Set(paths)].filter((path) => /^\/walk\/\d+$/.test(path));
}

/**
 * Sends what waits of a walk, one stop after another.
 *
 * Gives {sent, reports, undecided, trouble, retry}: trouble is "", "offline", "signed_out", "refused"
 * or "failed", and retry the seconds after which it may be tried again.
 */
export async function send(walk) {
  const done = { sent: 0, reports: 0, undecided: 0, trouble: "", retry: 0 };
  for (const { key } of await waiting(walk)) {
    const stop = await within("stops", "readonly", (stops) => stops.get(key));
    if (!stop || stop.faults) continue; // taken back meanwhile, or to be mended first
    if (!navigator.onLine) return { ...done, trouble: "offline" };
    await keep({ ...stop, tried: true });
    let response = null;
    let answer = null;
    try {
      response = await fetch(`/walk/${walk}/stops`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": stop.key },
        body: JSON.stringify(stop.body),
      });
      answer = await response.json();
    } catch {
      // No answer, or half of one: the site may have the stop. It is sent again under the same key.
      return { ...done, trouble: navigator.onLine ? "failed" : "offline", retry: 30 };
    }
    if (response.ok) {
      await remove(stop);
      done.sent += 1;
      done.reports += answer.reports.filter(({ report }) => report !== null).length;
      done.undecided += answer.reports.filter(({ report }) => report === null).length;
    } else if (response.status === 422) {
      const { detail, errors = [] } = answer;
      await keep({ ...stop, tried: false, faults: errors.length ? errors : [{ detail }] });
      done.trouble = "refused";
    } else {
      await keep({ ...stop, tried: false }); // it was answered, and not stored
      if (response.status === 401) return { ...done, trouble: "signed_out" };
      if (response.status === 403 || response.status === 404) return { ...done, trouble: answer.detail };
      return { ...done, trouble: "failed", retry: Number(response.headers.get("Retry-After")) || 30 };
    }
  }
  return done;
}
