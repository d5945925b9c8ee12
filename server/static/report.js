// The form of a report: address search, the phone's position, the place chosen on the map, and what
// is left of the description. Without this module the form works by typing an address.

document.querySelector("[data-focus]")?.focus();

const form = document.querySelector(".report-form");

const shape = () => form.elements.shape.value;

const KEPT = ["address", "to", "lat", "lon", "drawn", "token"];

/** Has "back" bring the place and the light, too: the browser itself brings what was typed elsewhere. */
function keepPlace() {
  const fields = form.elements;
  form.addEventListener("submit", () => {
    const values = KEPT.map((name) => [name, fields[name].value]);
    history.replaceState({ kept: Object.fromEntries(values), light: fields.street_light?.value ?? "" }, "");
  });
  if (!history.state?.kept) return;
  for (const [name, value] of Object.entries(history.state.kept)) fields[name].value = value;
  const light = Object.assign(document.createElement("input"), { type: "hidden", name: "street_light" });
  light.value = history.state.light;
  document.getElementById("lights").replaceChildren(light); // until those of the place have come
}

/** Names the address or corner at a place; nothing where there is none. */
async function nameAt(lat, lon) {
  const response = await fetch(`/api/places/nearest?${new URLSearchParams({ lat, lon })}`).catch(() => null);
  return (response?.ok && (await response.json()).place?.label) || "";
}

/** Keeps the address fields and the place on the map in step: what came last counts. */
async function places(address, end) {
  const [lat, lon] = [document.getElementById("lat"), document.getElementById("lon")];
  const drawn = document.getElementById("drawn");
  const map = document.querySelector("[data-pick-map] .folium-map");
  const own = new Map(); // for each field the name that belongs to what is on the map
  let named = false; // whether the place that the map is told of has a label

  const show = (latitude, longitude, label) => {
    if (shape() === "point") {
      own.set(address, label);
      lat.value = latitude.toFixed(6);
      lon.value = longitude.toFixed(6);
    }
    named = label !== "";
    const detail = { label, lat: latitude, lon: longitude };
    map.dispatchEvent(new CustomEvent("porchlight:place", { detail }));
    named = false;
  };

  address.addEventListener("input", () => {
    // Typing after choosing means that another place is meant.
    if (shape() !== "point" || address.value === own.get(address)) return;
    lat.value = "";
    lon.value = "";
  });
  if (lat.value || drawn.value) own.set(address, address.value);
  if (drawn.value) own.set(end, end.value);

  const { placeSearch } = await import("porchlight/search.js");
  const words = JSON.parse(address.dataset.words);
  for (const field of [address, end]) {
    field.addEventListener("change", () => {
      const typed = field.value && field.value !== own.get(field);
      if (shape() !== "point" && drawn.value && typed) map.dispatchEvent(new CustomEvent("porchlight:undraw"));
    });
    placeSearch(field, {
      address: "/api/places",
      words,
      onchoose: ({ label, lat: latitude, lon: longitude }) => show(latitude, longitude, label),
    });
  }

  if (history.state?.kept && lat.value) show(Number(lat.value), Number(lon.value), address.value);

  const asked = new Map(); // for each field the place whose name was asked for last
  const name = async (field, place) => {
    if (place && asked.get(field)?.equals(place) && field.value === own.get(field)) return;
    if (!place && field.value !== (own.get(field) ?? "")) return; // typed, so it stays
    asked.set(field, place);
    own.set(field, "");
    field.value = "";
    const label = place ? await nameAt(place.lat, place.lng) : "";
    // What was typed or tapped meanwhile counts.
    if (asked.get(field) !== place || field.value) return;
    own.set(field, label);
    field.value = label;
  };
  document.addEventListener("porchlight:picked", ({ detail: { latlng } }) => {
    if (!named) name(address, latlng);
  });
  document.addEventListener("porchlight:drawn", ({ detail: { corners, shape: drawnShape } }) => {
    name(address, corners[0]);
    name(end, drawnShape === "line" ? corners.slice(1).at(-1) : undefined);
  });

  const button = document.querySelector("[data-locate]");
  const status = document.querySelector("[data-locate-status]");
  button.addEventListener("click", () => {
    status.textContent = button.dataset.busy;
    navigator.geolocation.getCurrentPosition(
      ({ coords: { latitude, longitude } }) => {
        status.textContent = "";
        show(latitude, longitude, "");
      },
      () => {
        status.textContent = button.dataset.failed;
      },
      { enableHighAccuracy: true, timeout: 15_000, maximumAge: 30_000 },
    );
  });
}

/** Asks for the street lights around the place whenever that changes, and shows them on the map. */
function lights() {
  const map = document.querySelector("[data-pick-map] .folium-map");
  const ask = () => document.body.dispatchEvent(new CustomEvent("porchlight:lights"));
  const show = () => {
    const marks = [...document.querySelectorAll("#lights [data-light]")].map((light) => ({
      lat: Number(light.dataset.lat),
      lon: Number(light.dataset.lon),
      number: light.dataset.pole,
      chosen: light.checked ?? true,
      choose:
        light.type === "radio"
          ? () => {
              light.checked = true;
              show();
            }
          : undefined,
    }));
    map.dispatchEvent(new CustomEvent("porchlight:lights", { detail: marks }));
  };
  for (const chosen of ["porchlight:picked", "porchlight:drawn"]) document.addEventListener(chosen, ask);
  form.addEventListener("change", ({ target }) => {
    if (["kind", "category", "shape"].includes(target.name)) ask();
    if (target.name === "street_light") show();
  });
  document.querySelector("[data-lights]")?.addEventListener("click", ask);
  // Where they cannot be loaded, those of the place before are not the ones to choose from.
  for (const answered of ["afterSwap", "responseError", "sendError", "timeout"]) {
    document.addEventListener(`htmx:${answered}`, show);
  }
  addEventListener("pageshow", () => (history.state?.kept ? ask() : show()));
  show();
}

/** Says how many characters are left, once few are. */
function count(text) {
  const said = document.querySelector("[data-count]");
  const limit = Number(text.dataset.limit);
  const tell = () => {
    const left = limit - [...text.value].length;
    const words = left < 0 ? text.dataset.over : text.dataset.left;
    said.textContent = left > 200 ? "" : words.replace("{n}", Math.abs(left));
    said.classList.toggle("report-error", left < 0);
  };
  text.addEventListener("input", tell);
  tell();
}

/** Shows the photos that were chosen, before they are sent. */
function preview(list) {
  const fields = [...document.querySelectorAll("[data-photos]")];
  const show = () => {
    const files = fields.flatMap((field) => [...field.files]);
    list.replaceChildren(
      ...files.map((file) => {
        const [item, image] = [document.createElement("li"), document.createElement("img")];
        image.alt = list.dataset.alt.replace("{name}", file.name);
        image.src = URL.createObjectURL(file);
        image.addEventListener("load", () => URL.revokeObjectURL(image.src));
        image.addEventListener("error", () => image.replaceWith(file.name));
        item.append(image);
        return item;
      }),
    );
    list.hidden = files.length === 0;
  };
  for (const field of fields) field.addEventListener("change", show);
  addEventListener("pageshow", show);
}

if (form) {
  const chosen = document.querySelector("[data-photo-previews]");
  if (chosen) preview(chosen);
  keepPlace();
  const ends = [document.getElementById("address"), document.getElementById("to")];
  places(...ends);
  lights();
  count(document.getElementById("description"));
  // Enter in an address field chooses a place; it should not send a form that is half filled in.
  for (const field of ends) {
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
  const send = form.querySelector("[type=submit]");
  form.addEventListener("submit", ({ submitter }) => {
    if (submitter?.name === "change") return; // shown in the other language, and not sent
    send.disabled = true;
    send.textContent = send.dataset.busy;
  });
  // The browser's "back" may bring the page as it was left.
  const words = send.textContent;
  addEventListener("pageshow", () => {
    send.disabled = false;
    send.textContent = words;
  });
}
