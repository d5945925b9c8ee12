// What pages share that go on without a connection: what waits in IndexedDB, sending it exactly once, the
// pages that a service worker keeps, and saying what becomes of it.
//
// An entry that waits has a `key`, sent with it each time. `tried` says that it was on its way and that no
// answer came: then it is sent again exactly as it is, since the site may have it. `faults` say what is
// wrong with it: it is not sent again before that is mended.

const CACHES = "porchlight-";

/** A promise of what an IndexedDB request gives. */
const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** A database of this phone, by its name and the key of each of its stores. */
export function database(name, stores) {
  let opened = null;

  function open() {
    if (!opened) {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => {
        for (const [store, keyPath] of Object.entries(stores)) {
          request.result.createObjectStore(store, { keyPath });
        }
      };
      opened = result(request).then((found) => {
        // Another tab wipes the phone.
        found.onversionchange = () => {
          found.close();
          opened = null;
        };
        return found;
      });
    }
    return opened;
  }

  return {
    /** Does one thing with a store, and waits until it is on the disk. */
    async within(store, mode, act) {
      const transaction = (await open()).transaction(store, mode, { durability: "strict" });
      const done = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      const [found] = await Promise.all([result(act(transaction.objectStore(store))), done]);
      return found;
    },
    async wipe() {
      const found = await opened;
      found?.close();
      opened = null;
      await result(indexedDB.deleteDatabase(name));
    },
  };
}

/** Deletes the pages that this device keeps of one part of the site or of all, and the workers that serve them. */
export async function forgetPages(part = "") {
  if (globalThis.caches) {
    const names = (await caches.keys()).filter((name) => name.startsWith(CACHES + part));
    await Promise.all(names.map((name) => caches.delete(name)));
  }
  for (const worker of (await navigator.serviceWorker?.getRegistrations()) ?? []) {
    if (new URL(worker.scope).pathname.startsWith(`/${part}`)) await worker.unregister();
  }
}

/** The paths that this phone keeps of one part of the site, as far as they are like `pattern`. */
export async function keptPages(part, pattern) {
  if (!globalThis.caches) return [];
  const names = (await caches.keys()).filter((name) => name.startsWith(`${CACHES}${part}-`));
  const kept = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  const paths = kept.flat().map(({ url }) => new URL(url).pathname);
  return [...new Set(paths)].filter((path) => pattern.test(path));
}

/** Deletes one page that this phone keeps. */
export async function forgetPage(part, path) {
  for (const name of await caches.keys()) {
    if (name.startsWith(`${CACHES}${part}-`)) await (await caches.open(name)).delete(path);
  }
}

/** Has the page open without a connection, too, and tells when it does. */
export async function keepPage(part, told) {
  if (!navigator.serviceWorker) return;
  navigator.serviceWorker.addEventListener("message", ({ data }) => data?.kept && told());
  await navigator.serviceWorker.register(`/${part}/worker.js`, { scope: `/${part}/` });
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage({ keep: location.pathname });
}

/**
 * Sends what waits, one entry after another, and each until the site has answered.
 *
 * `entries` are {find, keep, remove} for what lies on this phone; `request` gives the address and the
 * options of an entry's request, and `taken` is told of each answer.
 *
 * Gives {sent, trouble, retry}: trouble is "", "offline", "signed_out", "refused", "failed" or the site's own
 * words, and retry the seconds after which it may be tried again.
 */
export async function sendWaiting(keys, { find, keep, remove }, request, taken) {
  const done = { sent: 0, trouble: "", retry: 0 };
  for (const key of keys) {
    const entry = await find(key);
    if (!entry || entry.faults) continue; // taken back meanwhile, or to be mended first
    if (!navigator.onLine) return { ...done, trouble: "offline" };
    await keep({ ...entry, tried: true });
    let response = null;
    let answer = null;
    try {
      response = await fetch(...request(entry));
      answer = await response.json();
    } catch {
      // No answer, or half of one: the site may have it. It is sent again under the same key.
      return { ...done, trouble: navigator.onLine ? "failed" : "offline", retry: 30 };
    }
    if (response.ok) {
      await remove(entry);
      done.sent += 1;
      taken(answer, entry);
    } else if (response.status === 422) {
      const { detail, errors = [] } = answer;
      await keep({ ...entry, tried: false, faults: errors.length ? errors : [{ detail }] });
      done.trouble = "refused";
    } else {
      await keep({ ...entry, tried: false }); // it was answered, and not stored
      if (response.status === 401) return { ...done, trouble: "signed_out" };
      if (response.status === 403 || response.status === 404) return { ...done, trouble: answer.detail };
      return { ...done, trouble: "failed", retry: Number(response.headers.get("Retry-After")) || 30 };
    }
  }
  return done;
}

/** An element with a text. */
export function made(name, text, options = {}) {
  const element = Object.assign(document.createElement(name), options);
  element.textContent = text;
  return element;
}

/** Gives what says in an element what has happened: lines of text, or elements. */
export const saying =
  (state) =>
  (...lines) => {
    state.replaceChildren(
      ...lines.filter(Boolean).map((line) => {
        const paragraph = document.createElement("p");
        paragraph.append(line);
        return paragraph;
      }),
    );
  };

/** Gives what says how many there are, by words for one and for many. */
export const counting = (words) => (name, n) => words[n === 1 ? `${name}_one` : `${name}_many`].replace("{n}", n);

/** Gives what sends once at a time, and again after the seconds that a round says. */
export function sender(send, told) {
  let sending = null;
  let timer = 0;
  return async function sendAll(...before) {
    while (sending) await sending.catch(() => {});
    clearTimeout(timer);
    sending = send();
    try {
      const done = await sending;
      if (done.retry) timer = setTimeout(sendAll, 1_000 * done.retry);
      sending = null;
      await told(done, ...before);
    } finally {
      sending = null;
    }
  };
}
