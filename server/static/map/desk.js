// The map of the desk beside its queue: it draws what the queue lists, under the same filters, and goes
// where somebody looks in the list.

import { namesOn, read, turnOn } from "porchlight/address.js";

const CLOSE = 16; // the zoom at which a light stands apart from its neighbours
const EDGE = [48, 48]; // pixels between a place and the edge of the map

const queue = () => document.querySelector("[data-desk]");
const place = ({ dataset }) => [Number(dataset.lat), Number(dataset.lon)];

/** Keeps in the address which layers are on, once somebody has chosen: in that of every queue gone to from here. */
function layersInAddress(map, layers) {
  let chosen = false;
  const within = (address) => {
    const url = new URL(address, location.href);
    if (chosen) url.searchParams.set("layers", namesOn(map, layers).join(","));
    return url.href.replaceAll("%2C", ",");
  };
  const keep = () => history.replaceState(history.state, "", within(location.href));
  const restore = () => {
    // A form that was refused stands at another address, and carries what its queue's said.
    const asked = new URLSearchParams(document.querySelector("[name=asked]")?.value);
    const names = read().layers ?? asked.get("layers")?.split(",");
    if (!names) return;
    chosen = true;
    turnOn(map, layers, names);
  };
  restore();
  map.on("overlayadd overlayremove", () => {
    chosen = true;
    keep();
  });
  document.addEventListener(
    "submit",
    ({ target: { elements } }) => {
      if (elements.asked) elements.asked.value = new URL(within(`/desk?${elements.asked.value}`)).search.slice(1);
    },
    true,
  );
  document.body.addEventListener("htmx:pushedIntoHistory", keep);
  document.body.addEventListener("htmx:historyRestore", restore);
  document.addEventListener(
    "click",
    ({ target }) => {
      const link = target.closest?.('.desk a[href^="/desk?"]');
      if (link) link.href = within(link.href);
    },
    true,
  );
}

/** The filters of the queue; `onfilters` is called when these are others. */
export function deskView(map, layers) {
  layersInAddress(map, layers);
  const state = { filters: new URLSearchParams(queue().dataset.desk), onfilters: () => {} };

  /** Goes to all that is listed on this page of the queue. */
  function goToList() {
    const listed = [...document.querySelectorAll("[data-desk] [data-lat]")].map(place);
    if (listed.length) map.fitBounds(listed, { padding: EDGE, maxZoom: CLOSE, animate: false });
  }

  const listed = () => {
    const filters = new URLSearchParams(queue().dataset.desk);
    if (filters.toString() === state.filters.toString()) return;
    state.filters = filters;
    state.onfilters();
    goToList();
  };
  document.body.addEventListener("htmx:afterSettle", listed);
  document.body.addEventListener("htmx:historyRestore", listed);
  document.addEventListener("focusin", ({ target }) => {
    const row = target.closest?.("[data-desk] [data-lat]");
    if (row && !map.getBounds().pad(-0.1).contains(place(row))) map.panTo(place(row));
  });
  document.addEventListener("porchlight:show", ({ target }) => {
    map.setView(place(target), Math.max(map.getZoom(), CLOSE));
    map.getContainer().focus();
  });
  // On a phone the map is made before it has any room.
  map.once("resize", goToList);
  goToList();
  return state;
}
