// An open map keeps up: it asks for the versions of the layers, and a layer whose version has changed
// is drawn anew. A page in the background does not ask.

const EVERY = 5_000;
const AFTER_FAILURE = 15_000;

/** Follows the versions at `address`; calls back with them at once and after each change. */
export function followVersions(address, onversions, onfailure) {
  let timer = 0;
  let known = "";
  let asking = false;

  async function ask() {
    clearTimeout(timer);
    if (asking || document.hidden) return;
    asking = true;
    let wait = EVERY;
    try {
      const response = await fetch(address, { cache: "no-store" });
      if (!response.ok) throw new Error(`${response.status} ${address}`);
      const text = await response.text();
      onfailure(false);
      if (text !== known) {
        known = text;
        onversions(JSON.parse(text));
      }
    } catch {
      wait = AFTER_FAILURE;
      onfailure(true);
    }
    asking = false;
    timer = setTimeout(ask, wait);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });
  // A page that has just sent a report need not wait for the next round.
  document.addEventListener("porchlight:changed", ask);
  return ask();
}
