// Marks of a crew that wait on this phone: kept in IndexedDB without a name, sent each under its own
// Idempotency-Key, and deleted as soon as the site has them.
//
// A mark is an entry {key, route, body, photo, tried, faults} as of offline.js; `route` is the path of the
// page on which it was made.

import * as offline from "porchlight/offline.js";

const LONGEST = 1_600; // pixels of a photo that waits, as the site keeps it

const { within, wipe: wipeMarks } = offline.database("porchlight-crew", { marks: "key" });

export const keep = (mark) => within("marks", "readwrite", (marks) => marks.put(mark));
export const remove = ({ key }) => within("marks", "readwrite", (marks) => marks.delete(key));
const find = (key) => within("marks", "readonly", (marks) => marks.get(key));

/** All marks of a route, or of all routes, the oldest first. */
export async function waiting(route = null) {
  const found = await within("marks", "readonly", (marks) => marks.getAll());
  return found
    .filter((mark) => route === null || mark.route === route)
    .sort((one, other) => one.body.marked_at.localeCompare(other.body.marked_at));
}

/** A photo in the size in which the site keeps it, so that little has to wait; as it is where that fails. */
export async function lighter(photo) {
  try {
    const image = await createImageBitmap(photo);
    const part = Math.min(1, LONGEST / Math.max(image.width, image.height));
    const canvas = new OffscreenCanvas(Math.round(image.width * part), Math.round(image.height * part));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
  } catch {
    return photo;
  }
}

/** Sends what waits of all routes. Gives what `sendWaiting` does, and the site's `answers`. */
export async function send() {
  const answers = [];
  const keys = (await waiting()).map(({ key }) => key);
  const request = ({ key, body, photo }) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(body)) form.append(name, value);
    if (photo) form.append("photo", photo, "photo.jpg");
    return ["/crew/marks", { method: "POST", headers: { "Idempotency-Key": key }, body: form }];
  };
  const done = await offline.sendWaiting(keys, { find, keep, remove }, request, (answer) => {
    answers.push(answer);
  });
  return { ...done, answers };
}

/** Deletes all that this phone keeps of routes: marks, pages, and the worker that serves them. */
export async function wipe() {
  await wipeMarks();
  await offline.forgetPages("crew");
}

/** Deletes the pages of days that are over, but not of marks that wait. */
export async function forgetPast(today) {
  for (const path of await offline.keptPages("crew", /^\/crew\/routes\//)) {
    if (path.slice(-10) < today) await offline.forgetPage("crew", path);
  }
}
