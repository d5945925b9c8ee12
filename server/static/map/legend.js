// One panel for the layers and what their marks mean: Folium's grouped layer control above, and below
// it the legend of the layers that are on.

import { swatch } from "porchlight/marks.js";
import { onThemeChange } from "porchlight/theme.js";

const WIDE = 1000; // CSS pixels from which the panel is open at first

function legendOf({ title, legend, cell_note: note }, zoomedOut) {
  const section = document.createElement("section");
  const heading = document.createElement("h3");
  heading.textContent = title;
  const list = document.createElement("ul");
  for (const { label, symbol } of legend) {
    const item = document.createElement("li");
    const text = document.createElement("span");
    text.textContent = label;
    item.append(swatch(symbol), text);
    list.append(item);
  }
  section.append(heading, list);
  if (note && zoomedOut) {
    const words = document.createElement("p");
    words.textContent = note;
    section.append(words);
  }
  return section;
}

/** Puts the panel on the map and keeps its legend to the layers shown. */
export function layersPanel(map, layers, words) {
  const container = map.getContainer();
  const control = container.querySelector(".leaflet-control-layers");
  const bar = L.DomUtil.create("div", "leaflet-control layers-panel");
  const button = L.DomUtil.create("button", "layers-button", bar);
  button.type = "button";
  button.setAttribute("aria-controls", "layers-panel");
  const name = L.DomUtil.create("span", "", button);
  name.textContent = words.layers;
  const panel = L.DomUtil.create("div", "layers-body", bar);
  panel.id = "layers-panel";
  const legend = L.DomUtil.create("div", "layers-legend");
  control.replaceWith(bar);
  control.removeAttribute("aria-haspopup");
  panel.append(control, legend);
  L.DomEvent.disableClickPropagation(bar);
  L.DomEvent.disableScrollPropagation(bar);

  const open = (wanted) => {
    panel.hidden = !wanted;
    button.setAttribute("aria-expanded", String(wanted));
  };
  button.addEventListener("click", () => open(panel.hidden));
  bar.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || panel.hidden) return;
    open(false);
    button.focus();
  });
  open(container.clientWidth >= WIDE);

  const show = () => {
    const on = layers.filter((layer) => map.hasLayer(layer)).reverse(); // the topmost first
    legend.replaceChildren(
      ...on.map(({ config }) => legendOf(config, map.getZoom() - 1 < config.features_from)),
    );
  };
  map.on("overlayadd overlayremove zoomend", show);
  onThemeChange(show);
  show();
}
