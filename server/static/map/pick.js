// Choosing a place: tap the map, drag the pin, use the phone's position, or move the map under the
// crosshair by keyboard and press Enter. The place goes into the form's fields.

const CLOSE = 17; // the zoom at which a house can be told from the next

/** The pin that stands at a place. */
export function pinAt(latlng, options) {
  const icon = L.divIcon({ className: "place-pin", iconSize: [34, 44], iconAnchor: [17, 42] });
  return L.marker(latlng, { icon, keyboard: false, ...options });
}

/** `config.pick` names the form's fields: {lat, lon} as selectors. */
export function pick(map, { pick: fields, words }) {
  const container = map.getContainer();
  container.classList.add("picks-place");
  const [latField, lonField] = [fields.lat, fields.lon].map((selector) => document.querySelector(selector));
  const said = document.createElement("p");
  said.className = "map-pick-status";
  said.setAttribute("role", "status");
  container.append(said);
  const cross = document.createElement("div");
  cross.className = "map-crosshair";
  cross.setAttribute("aria-hidden", "true");
  container.append(cross);

  const pin = pinAt(map.getCenter(), { draggable: true, autoPan: true, alt: words.your_place });

  function choose(latlng, detail = {}) {
    pin.setLatLng(latlng).addTo(map);
    latField.value = latlng.lat.toFixed(6);
    lonField.value = latlng.lng.toFixed(6);
    said.textContent = words.place_chosen;
    container.dispatchEvent(
      new CustomEvent("porchlight:picked", {
        bubbles: true,
        detail: { lat: latlng.lat, lon: latlng.lng, ...detail },
      }),
    );
  }

  map.on("click", ({ latlng }) => {
    choose(latlng);
    // A tap from far away is only about right: come nearer, so that it can be mended.
    if (map.getZoom() < CLOSE) map.setView(latlng, CLOSE);
  });
  pin.on("dragend", () => choose(pin.getLatLng()));
  map.on("locationfound", ({ latlng, accuracy }) => choose(latlng, { accuracy }));
  map.on("locationerror", () => {
    said.textContent = words.no_position;
  });
  container.addEventListener("pointerdown", () => container.classList.remove("by-keyboard"));
  container.addEventListener("keydown", (event) => {
    if (event.target === container) container.classList.add("by-keyboard");
    if (event.target !== container || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    choose(map.getCenter());
  });
  container.addEventListener("porchlight:place", ({ detail: { lat, lon } }) => {
    choose(L.latLng(lat, lon));
    map.setView([lat, lon], Math.max(map.getZoom(), CLOSE));
  });

  const typed = [latField, lonField].map(({ value }) => (value === "" ? Number.NaN : Number(value)));
  if (typed.every(Number.isFinite)) {
    const latlng = L.latLng(typed[0], typed[1]);
    pin.setLatLng(latlng).addTo(map);
    map.setView(latlng, Math.max(map.getZoom(), CLOSE), { animate: false });
    said.textContent = words.place_chosen;
  } else {
    said.textContent = words.pick_help;
  }
}
