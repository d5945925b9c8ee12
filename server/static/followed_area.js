// The form of an area to follow: the address search and the place on the map, of which the last counts.
// Without this module the form works by typing an address.

import { placeSearch } from "porchlight/search.js";

document.querySelector("[data-focus]")?.focus();

const [address, lat, lon] = ["address", "lat", "lon"].map((id) => document.getElementById(id));
const map = document.querySelector("[data-pick-map] .folium-map");

if (address) {
  let named = false; // whether the place that the map is told of has a name
  placeSearch(address, {
    address: "/api/places",
    words: JSON.parse(address.dataset.words),
    onchoose: ({ label, lat: latitude, lon: longitude }) => {
      named = true;
      map.dispatchEvent(new CustomEvent("porchlight:place", { detail: { label, lat: latitude, lon: longitude } }));
      named = false;
    },
  });
  // Typing after choosing means that another place is meant, and a tap after typing another one, too.
  address.addEventListener("input", () => {
    lat.value = "";
    lon.value = "";
  });
  document.addEventListener("porchlight:picked", () => {
    if (!named) address.value = "";
  });
  // Enter in the address field chooses a place; it should not send a form that is half filled in.
  address.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}
