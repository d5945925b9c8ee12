// The form of a report: address search, the phone's position, the place chosen on the map, and what
// is left of the description. Without this module the form works by typing an address.

document.querySelector("[data-focus]")?.focus();

const form = document.querySelector(".report-form");

/** Keeps the address field and the place on the map in step. */
async function places(address) {
  const [lat, lon] = [document.getElementById("lat"), document.getElementById("lon")];
  const map = document.querySelector("[data-pick-map] .folium-map");
  let chosen = ""; // the label that belongs to the place on the map
  let named = false; // whether the place that the map is told of has that label

  const show = (latitude, longitude, label) => {
    chosen = label;
    named = label !== "";
    lat.value = latitude.toFixed(6);
    lon.value = longitude.toFixed(6);
    const detail = { label, lat: latitude, lon: longitude };
    map.dispatchEvent(new CustomEvent("porchlight:place", { detail }));
    named = false;
  };

  const forget = () => {
    // Typing after choosing means that another place is meant.
    if (address.value === chosen) return;
    lat.value = "";
    lon.value = "";
  };
  address.addEventListener("input", forget);
  if (lat.value) chosen = address.value;

  const { placeSearch } = await import("porchlight/search.js");
  placeSearch(address, {
    address: "/api/places",
    words: JSON.parse(address.dataset.words),
    onchoose: ({ label, lat: latitude, lon: longitude }) => show(latitude, longitude, label),
  });

  let asked = 0;
  document.addEventListener("porchlight:picked", async ({ detail }) => {
    if (named) return;
    const turn = (asked += 1);
    chosen = "";
    address.value = "";
    const query = new URLSearchParams({ lat: detail.lat, lon: detail.lon });
    const response = await fetch(`/api/places/nearest?${query}`).catch(() => null);
    const place = response?.ok ? (await response.json()).place : null;
    // What was typed or tapped meanwhile counts.
    if (turn !== asked || address.value || !place) return;
    chosen = place.label;
    address.value = place.label;
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

if (form) {
  places(document.getElementById("address"));
  count(document.getElementById("description"));
  // Enter in the address field chooses a place; it should not send a form that is half filled in.
  document.getElementById("address").addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  const send = form.querySelector("[type=submit]");
  form.addEventListener("submit", () => {
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
