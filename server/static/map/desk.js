// The map of the desk beside its queue: it draws what the queue lists, under the same filters, and goes
// where somebody looks in the list.

const CLOSE = 16; // the zoom at which a light stands apart from its neighbours
const EDGE = [48, 48]; // pixels between a place and the edge of the map

const queue = () => document.querySelector("[data-desk]");
const place = ({ dataset }) => [Number(dataset.lat), Number(dataset.lon)];

/** The filters of the queue; `onfilters` is called when these are others. */
export function deskView(map) {
  const state = { filters: new URLSearchParams(queue().dataset.desk), onfilters: () => {} };

  /** Goes to all that is listed on this page of the queue. */
  function goToList() {
    const listed = [...document.querySelectorAll("[data-desk] [data-lat]")].map(place);
    if (listed.length) map.fitBounds(listed, { padding: EDGE, maxZoom: CLOSE, animate: false });
  }

  document.body.addEventListener("htmx:afterSettle", () => {
    const filters = new URLSearchParams(queue().dataset.desk);
    if (filters.toString() === state.filters.toString()) return;
    state.filters = filters;
    state.onfilters();
    goToList();
  });
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
