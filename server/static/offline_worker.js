// Serves one part of the site where there is no connection: those of its pages that asked to be kept, what
// they are made of, and nothing else. PART, PAGES, VERSION and SHELL are written above by the server.

const PREFIX = `porchlight-${PART}-`;
const CACHE = PREFIX + VERSION;
const HOME = `/${PART}/`;
const PAGE = new RegExp(PAGES);
const PATIENCE = 4_000; // milliseconds for a page; then the kept one is shown, if there is one

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll([...SHELL, HOME]))
      .then(() => self.skipWaiting()),
  );
});

/** Takes the pages of older versions over, each fetched anew, and forgets those versions. */
async function takeOver() {
  const cache = await caches.open(CACHE);
  for (const name of await caches.keys()) {
    if (!name.startsWith(PREFIX) || name === CACHE) continue;
    const kept = await (await caches.open(name)).keys();
    const pages = kept.map(({ url }) => new URL(url).pathname).filter((path) => PAGE.test(path));
    await Promise.all(pages.map((path) => cache.add(path).catch(() => {})));
    await caches.delete(name);
  }
  await self.clients.claim();
}

self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

/** Forgets all pages: whoever has this phone was signed out elsewhere, or may not see them any more. */
async function forget(cache) {
  const kept = (await cache.keys()).filter(({ url }) => PAGE.test(new URL(url).pathname));
  await Promise.all(kept.map((page) => cache.delete(page)));
}

/** A page from the site, or the kept one where the site does not answer. */
async function pageOf(request, path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path);
  const fresh = fetch(request).then(async (response) => {
    if (response.status === 401 || response.status === 403) await forget(cache);
    return response;
  });
  if (!kept) return fresh;
  const late = new Promise((resolve) => setTimeout(() => resolve(kept), PATIENCE));
  const answered = fresh.then((response) => (response.status >= 500 ? kept : response)).catch(() => kept);
  return Promise.race([answered, late]);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, search } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (PAGE.test(pathname)) event.respondWith(pageOf(request, pathname));
  } else if (SHELL.includes(pathname + search)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});

// A page asks to be kept once it is open: the first time it was loaded without this worker.
self.addEventListener("message", (event) => {
  const path = event.data?.keep;
  if (typeof path !== "string" || !PAGE.test(path)) return;
  const kept = caches.open(CACHE).then((cache) => cache.add(path));
  event.waitUntil(kept.then(() => event.source.postMessage({ kept: path })).catch(() => {}));
});
