// Search for a place: a combobox after the ARIA pattern with a list that suggests.

const PAUSE = 180; // milliseconds of rest before a question is sent

let made = 0;

/**
 * Makes an input suggest places.
 *
 * `onchoose` gets {label, kind, lon, lat}. Words come from the page.
 */
export function placeSearch(input, { address, words, onchoose }) {
  const id = `places-${(made += 1)}`;
  const list = document.createElement("ul");
  list.id = id;
  list.className = "place-list";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", words.places);
  list.hidden = true;
  const status = document.createElement("div");
  status.className = "place-status";
  status.setAttribute("role", "status");
  input.after(list, status);
  for (const [name, value] of Object.entries({
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-controls": id,
    "aria-expanded": "false",
    autocomplete: "off",
  })) {
    input.setAttribute(name, value);
  }

  let places = [];
  let active = -1;
  let timer = 0;
  let question = null;

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  }

  function mark(index) {
    active = index;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    if (index < 0) {
      input.removeAttribute("aria-activedescendant");
      return;
    }
    input.setAttribute("aria-activedescendant", `${id}-${index}`);
    list.children[index].scrollIntoView({ block: "nearest" });
  }

  function choose(index) {
    const place = places[index];
    if (!place) return;
    input.value = place.label;
    status.textContent = "";
    close();
    onchoose(place);
  }

  function show() {
    list.replaceChildren(
      ...places.map(({ label, kind }, index) => {
        const option = document.createElement("li");
        option.id = `${id}-${index}`;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        const name = document.createElement("span");
        name.textContent = label;
        const sort = document.createElement("small");
        sort.textContent = words.place_kinds[kind] ?? "";
        option.append(name, sort);
        option.addEventListener("pointerdown", (event) => event.preventDefault());
        option.addEventListener("click", () => choose(index));
        return option;
      }),
    );
    list.hidden = places.length === 0;
    input.setAttribute("aria-expanded", String(places.length > 0));
    active = -1;
    status.textContent = places.length ? "" : words.no_place;
  }

  async function ask() {
    const q = input.value.trim();
    question?.abort();
    if (q.length < 2) {
      status.textContent = "";
      close();
      return;
    }
    question = new AbortController();
    const { signal } = question;
    try {
      const response = await fetch(`${address}?${new URLSearchParams({ q })}`, { signal });
      if (!response.ok) throw new Error(`${response.status}`);
      ({ places } = await response.json());
    } catch (error) {
      if (error.name === "AbortError") return;
      places = [];
      close();
      status.textContent = words.search_failed;
      return;
    }
    if (document.activeElement === input) show();
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const { key } = event;
    if (key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    } else if (key === "Enter" && (active >= 0 || places.length > 0) && !list.hidden) {
      event.preventDefault();
      choose(Math.max(active, 0));
    } else if ((key === "ArrowDown" || key === "ArrowUp") && places.length > 0) {
      event.preventDefault();
      if (list.hidden) show();
      const step = key === "ArrowDown" ? 1 : -1;
      mark((active + step + places.length) % places.length);
    }
  });
}

/** The search as a control of the map, which moves the map to what was chosen. */
export function searchControl(map, { address, words }) {
  const box = L.DomUtil.create("div", "leaflet-control map-search");
  const label = L.DomUtil.create("label", "visually-hidden", box);
  label.htmlFor = "map-search";
  label.textContent = words.search;
  const input = L.DomUtil.create("input", "form-control", box);
  input.id = "map-search";
  input.type = "search";
  input.placeholder = words.search;
  L.DomEvent.disableClickPropagation(box);
  L.DomEvent.disableScrollPropagation(box);
  map.getContainer().querySelector(".leaflet-top.leaflet-left").prepend(box);
  let pin = null;
  placeSearch(input, {
    address,
    words,
    onchoose: ({ label: name, lat, lon }) => {
      pin?.remove();
      pin = L.circleMarker([lat, lon], { className: "search-pin", radius: 11, interactive: false }).addTo(map);
      map.setView([lat, lon], Math.max(map.getZoom(), 16));
      map.getContainer().dispatchEvent(
        new CustomEvent("porchlight:place", { bubbles: true, detail: { label: name, lat, lon } }),
      );
    },
  });
}
