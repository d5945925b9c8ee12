// Choosing a place: tap the map, drag the pin, use the phone's position, or move the map under the
// crosshair by keyboard and press Enter. The place goes into the form's fields. Where the form asks
// for a stretch of street or a lot, each of these sets a corner instead (draw.js).

import { Drawing } from "porchlight/draw.js";

const CLOSE = 17; // the zoom at which a house can be told from the next
const CLOSE_TO_LIGHTS = 18; // at which the numbers of most poles have room
const CLOSE_TO_DRAW = 16; // and at which some blocks fit a phone

/** The pin that stands at a place. */
export function pinAt(latlng, options) {
  const icon = L.divIcon({ className: "place-pin", iconSize: [34, 44], iconAnchor: [17, 42] });
  return L.marker(latlng, { icon, keyboard: false, ...options });
}

/** The number of a place that the page speaks of. */
export function numberAt({ lat, lon, number }) {
  const icon = L.divIcon({ className: "place-number", html: String(number), iconSize: [28, 28] });
  return L.marker([lat, lon], { icon, keyboard: false, interactive: false, zIndexOffset: 1000 });
}

/** The number of a street light, which can be tapped where it can be chosen. */
function lightAt({ lat, lon, number, chosen, choose }) {
  const label = document.createElement("span");
  label.textContent = number;
  const icon = L.divIcon({ className: `light-number${chosen ? " is-chosen" : ""}`, html: label, iconSize: null });
  const marker = L.marker([lat, lon], { icon, keyboard: false, interactive: Boolean(choose), zIndexOffset: chosen ? 2000 : 1000 });
  return choose ? marker.on("click", choose) : marker;
}

// Where a number stands beside its light, in its own widths and heights: above, right, left, below.
const SIDES = [[-0.5, -1.3], [0.15, -0.5], [-1.15, -0.5], [-0.5, 0.3]];
const SPOT = 7; // pixels around a light that a number of another leaves free

const overlap = (one, other) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

/** Shows the numbers that have room beside each other and the pin, those that come first before the rest. */
function showFitting(map, markers, pin) {
  const lights = markers.map((marker) => {
    const icon = marker.getElement();
    return { icon, label: icon.firstChild, at: map.latLngToLayerPoint(marker.getLatLng()) };
  });
  const sizes = lights.map(({ label }) => [label.offsetWidth, label.offsetHeight]);
  const spots = lights.map(({ at: { x, y } }) => ({ left: x - SPOT, right: x + SPOT, top: y - SPOT, bottom: y + SPOT }));
  const taken = [];
  if (map.hasLayer(pin)) {
    const { x, y } = map.latLngToLayerPoint(pin.getLatLng());
    taken.push({ left: x - 17, right: x + 17, top: y - 42, bottom: y });
  }
  lights.forEach(({ icon, label, at }, index) => {
    const [width, height] = sizes[index];
    const boxes = SIDES.map(([right, down]) => {
      const [left, top] = [at.x + right * width, at.y + down * height];
      return { left, top, right: left + width, bottom: top + height };
    });
    const free = boxes.findIndex(
      (box) => !taken.some((other) => overlap(box, other)) && !spots.some((spot, n) => n !== index && overlap(box, spot)),
    );
    const side = free < 0 && index === 0 ? 0 : free; // one number is always shown
    icon.classList.toggle("is-dot", side < 0);
    if (side < 0) return;
    label.style.transform = `translate(${SIDES[side].map((part) => `${100 * part}%`)})`;
    taken.push(boxes[side]);
  });
}

/** `config.pick` names the form's fields as selectors: {lat, lon, drawn, shapes}. */
export function pick(map, { pick: fields, words }) {
  const container = map.getContainer();
  container.classList.add("picks-place");
  const [latField, lonField, drawnField] = [fields.lat, fields.lon, fields.drawn].map((selector) =>
    document.querySelector(selector),
  );
  const shapes = [...document.querySelectorAll(fields.shapes)];
  const said = document.createElement("p");
  said.className = "map-pick-status";
  said.setAttribute("role", "status");
  container.append(said);
  const say = (text) => {
    said.textContent = text;
  };
  const cross = document.createElement("div");
  cross.className = "map-crosshair";
  cross.setAttribute("aria-hidden", "true");
  container.append(cross);
  const tell = (name, detail) => {
    container.dispatchEvent(new CustomEvent(`porchlight:${name}`, { bubbles: true, detail }));
  };

  const pin = pinAt(map.getCenter(), { draggable: true, autoPan: true, alt: words.your_place });
  // Where the form asks how far around the place, that is shown.
  const radius = document.querySelector("[data-pick-radius]");
  const reach = L.circle(map.getCenter(), { className: "drawn drawn-area", interactive: false });
  function ring() {
    if (!radius || !map.hasLayer(pin)) {
      reach.remove();
      return;
    }
    reach.setRadius(Number(radius.value)).setLatLng(pin.getLatLng()).addTo(map);
  }
  radius?.addEventListener("change", () => {
    ring();
    if (map.hasLayer(reach)) map.fitBounds(reach.getBounds(), { animate: false });
  });
  const drawing = new Drawing(map, drawnField, {
    words,
    say,
    onchange: (corners, shape) => tell("drawn", { corners, shape }),
  });
  const shape = () => shapes.find(({ checked }) => checked)?.value ?? "point";
  const draws = () => shape() !== "point";

  function choose(latlng, detail = {}) {
    if (draws()) {
      drawing.add(latlng);
      return;
    }
    pin.setLatLng(latlng).addTo(map);
    ring();
    latField.value = latlng.lat.toFixed(6);
    lonField.value = latlng.lng.toFixed(6);
    say(words.place_chosen);
    tell("picked", { latlng, ...detail });
  }

  /** Shows what the form holds: the pin of a spot, or the drawing of a line or a lot. */
  function show() {
    pin.remove();
    ring();
    if (draws()) {
      drawing.open(shape());
      return;
    }
    drawing.close();
    const typed = [latField, lonField].map(({ value }) => (value === "" ? Number.NaN : Number(value)));
    if (typed.every(Number.isFinite)) pin.setLatLng(typed).addTo(map);
    ring();
    say(map.hasLayer(pin) ? words.place_chosen : words.pick_help);
  }

  map.on("click", ({ latlng }) => {
    choose(latlng);
    // A tap from far away is only about right: come nearer, so that it can be mended.
    if (draws()) {
      // The corner stays under the finger, beside which the next one is.
      if (map.getZoom() < CLOSE_TO_DRAW) map.setZoomAround(latlng, CLOSE_TO_DRAW);
    } else if (map.getZoom() < CLOSE) {
      map.setView(latlng, CLOSE);
    }
  });
  pin.on("dragend", () => choose(pin.getLatLng()));
  map.on("locationfound", ({ latlng, accuracy }) => choose(latlng, { accuracy }));
  map.on("locationerror", () => say(words.no_position));
  container.addEventListener("pointerdown", () => container.classList.remove("by-keyboard"));
  container.addEventListener("keydown", (event) => {
    if (event.target === container) container.classList.add("by-keyboard");
    if (event.target !== container || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    choose(map.getCenter());
  });
  container.addEventListener("porchlight:place", ({ detail: { label, lat, lon } }) => {
    // A place with a name is where to look for the stretch or the lot, not yet a corner of it.
    if (!draws() || !label) choose(L.latLng(lat, lon));
    map.setView([lat, lon], Math.max(map.getZoom(), draws() ? CLOSE_TO_DRAW : CLOSE));
  });
  const poles = L.layerGroup().addTo(map);
  map.on("zoomend", () => showFitting(map, poles.getLayers(), pin));
  let shown = "";
  container.addEventListener("porchlight:lights", ({ detail: marks }) => {
    poles.clearLayers();
    // They come by their distance, and the number of the one that is chosen is to be seen.
    for (const mark of [...marks].sort((one, other) => other.chosen - one.chosen)) lightAt(mark).addTo(poles);
    showFitting(map, poles.getLayers(), pin);
    const same = shown === (shown = marks.map(({ number }) => number).join());
    const bounds = L.latLngBounds(marks.map(({ lat, lon }) => [lat, lon]));
    if (same || marks.length === 0 || draws() || map.getBounds().contains(bounds)) return;
    map.fitBounds(bounds, { padding: [40, 40], maxZoom: CLOSE_TO_LIGHTS, animate: false });
  });
  container.addEventListener("porchlight:undraw", () => {
    drawing.forget();
    say(words.typed_counts);
  });
  for (const radio of shapes) radio.addEventListener("change", show);
  addEventListener("pageshow", show); // the browser's "back" may bring other choices than the page has

  show();
  if (draws()) drawing.fit();
  else if (map.hasLayer(pin)) map.setView(pin.getLatLng(), Math.max(map.getZoom(), CLOSE), { animate: false });
}
