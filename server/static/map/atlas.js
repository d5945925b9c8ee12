// Brings the parts of a map together. Folium's script makes the map, its layers and its controls by
// calling what is exported here.

import { namesOn, read, turnOn, write } from "porchlight/address.js";
import { baseLayer } from "porchlight/base.js";
import { boundary } from "porchlight/boundary.js";
import { deskView } from "porchlight/desk.js";
import { Features } from "porchlight/features.js";
import { fillForm, filtersIn, onFilters } from "porchlight/filters.js";
import { hotSpots } from "porchlight/hot_spots.js";
import { InlineSource } from "porchlight/inline.js";
import { layersPanel } from "porchlight/legend.js";
import { followVersions } from "porchlight/live.js";
import { Notices } from "porchlight/notices.js";
import { Outline } from "porchlight/outline.js";
import { numberAt, pick, pinAt } from "porchlight/pick.js";
import { Popups } from "porchlight/popups.js";
import { searchControl } from "porchlight/search.js";
import { TileSource } from "porchlight/tiles.js";

const PAUSE = 250; // milliseconds of rest after a move before the list is told

if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  const still = { zoomAnimation: false, fadeAnimation: false, markerZoomAnimation: false, inertia: false };
  L.Map.mergeOptions(still);
}

/** A snapshot's data stand in the page as JSON; a served map's come as tiles. */
const inPage = (name) => {
  const block = document.getElementById(`snapshot-${name}`);
  return block && JSON.parse(block.textContent);
};

/** The base map. Called by the script that Folium writes. */
export function base(config) {
  const block = inPage("base");
  return baseLayer(block ? new InlineSource(block, false) : new TileSource(config.tiles));
}

/** A layer of features. Called by the script that Folium writes. */
export function features(config) {
  const block = inPage(config.name);
  const source = block
    ? new InlineSource({ [config.name]: block }, config.features_from > 0)
    : new TileSource(config.tiles);
  return new Features(config, source);
}

function debounced(callback) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => callback(...values), PAUSE);
  };
}

/** What is public of a feature: from the server, or from the block of a snapshot. */
async function factsOf(config, layer, feature) {
  if (layer.source instanceof InlineSource) {
    const { title, facts } = (feature.props ? feature : layer.source.feature(layer.config.name, feature.id)).props;
    return { title, facts, url: null };
  }
  const facts = layer.config.staff ? config.staff_facts : config.facts;
  const address = facts.replace("{layer}", layer.config.name).replace("{id}", feature.id);
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${response.status} ${address}`);
  return response.json();
}

const MARKS = { padding: [28, 28], maxZoom: 17, animate: false };

/** Sets the map going. Called at the end of the script that Folium writes. */
export function start(map, base_, layers, config) {
  const { words } = config;
  const container = map.getContainer();
  container.setAttribute("role", "region");
  container.setAttribute("aria-label", words.map);
  map.attributionControl.setPrefix(false);
  // The full-screen button changes its title alone, but it is the label that is read aloud.
  map.on("enterFullscreen exitFullscreen", () => {
    const button = container.querySelector(".leaflet-fullscreen-icon");
    button.setAttribute("aria-label", button.title);
  });
  const notices = new Notices(map);
  if (config.layers_panel) layersPanel(map, layers, words);
  if (config.places) searchControl(map, { address: config.places, words });
  if (config.mode === "pick") pick(map, config);
  else if (config.mode === "draw") boundary(map, config);
  else if (config.facts) clicks(map, layers, config);
  if (config.cells) hotSpots(map, config, notices);
  if (config.ground) {
    outlineOf(map, config, notices).show(new URLSearchParams(config.ground), { move: !config.cells });
  } else if (config.mode === "look" && config.pin) {
    pinAt(map.getCenter(), { interactive: false }).addTo(map);
  } else if (config.mode === "look" && config.marks.length) {
    // By the real size of the map, which may be much wider than it is high.
    map.fitBounds(config.marks.map(({ lat, lon }) => [lat, lon]), MARKS);
  }
  for (const mark of config.marks) numberAt(mark).addTo(map);
  if (config.mode === "browse") sayNoPosition(map, notices, words);
  watchLoading(map, base_, layers, notices, words);
  if (config.mode === "snapshot") base_.addTo(map);
  else follow(map, base_, layers, config, notices);
}

/** Keeps the tiles at the newest version and under the filters of the page. */
function follow(map, base_, layers, config, notices) {
  const { mode, versions: address, words } = config;
  const browsing = mode === "browse";
  const views = { browse: sharedView, desk: deskView };
  const state = views[mode]?.(map, layers, config, notices) ?? { filters: new URLSearchParams() };
  let versions = null;
  const query = (name, filters) => {
    const asked = new URLSearchParams(filters);
    if (versions && name in versions) asked.set("v", versions[name]);
    return asked.toString();
  };
  const refresh = () => {
    for (const layer of layers) {
      const { name, filtered } = layer.config;
      layer.refresh(query(name, filtered ? state.filters : ""));
    }
    base_.refresh?.(query("base", ""));
    base_.addTo(map);
  };
  state.onfilters = () => versions && refresh();
  followVersions(
    address,
    (now) => {
      const changed = versions !== null;
      versions = now;
      refresh();
      if (changed) state.tell?.();
    },
    (failed) => {
      notices.set("live", failed ? words.live_failed : "", "warning");
      if (!failed || versions) return;
      versions = {}; // without versions the map still works; it only may be behind
      refresh();
    },
  );
}

/** Clicks open popups, or step into a count; the pointer shows where there is something. */
function clicks(map, layers, config) {
  const popups = new Popups(map, (layer, feature) => factsOf(config, layer, feature), config.words);
  const hits = (latlng) => {
    const found = layers
      .filter((layer) => map.hasLayer(layer))
      .map((layer) => ({ layer, ...layer.hit(latlng) }))
      .filter(({ features: some, cell }) => some.length > 0 || cell)
      .reverse();
    return found.find(({ area }) => !area) ?? found[0];
  };
  map.on("click", ({ latlng }) => {
    const hit = hits(latlng);
    if (!hit) return;
    if (hit.cell) map.setView(hit.cell, Math.min(map.getZoom() + 2, map.getMaxZoom()));
    else popups.open(hit.layer, hit.features, hit.at);
  });
  let asked = 0;
  map.on("mousemove", ({ latlng }) => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => {
      const hit = hits(latlng);
      map.getContainer().classList.toggle("over-feature", Boolean(hit) && !hit.area);
    });
  });
  // An entry of the list, anywhere in the page: pointing at it rings its place, pressing opens it.
  const ring = L.circleMarker([0, 0], { className: "list-ring", radius: 16, interactive: false });
  const place = (entry) => [Number(entry.dataset.lat), Number(entry.dataset.lon)];
  const entryOf = ({ target }) => target.closest?.("[data-feature][data-lat][data-lon]");
  for (const event of ["mouseover", "focusin"]) {
    document.addEventListener(event, (happened) => {
      const entry = entryOf(happened);
      if (entry) ring.setLatLng(place(entry)).addTo(map);
      else ring.remove();
    });
  }
  document.addEventListener("click", (happened) => {
    if (!happened.target.closest?.("[data-show-on-map]")) return;
    const entry = entryOf(happened);
    if (!entry) return;
    const [name, id] = entry.dataset.feature.split("/");
    const layer = layers.find(({ config: { name: own } }) => own === name);
    map.setView(place(entry), Math.max(map.getZoom(), 16));
    popups.open(layer, [{ id }], place(entry));
    map.getContainer().focus();
  });
}

/** Says that the phone's position is not to be had, until the map moves. */
function sayNoPosition(map, notices, words) {
  map.on("locationerror", () => notices.set("position", words.no_position_here, "warning"));
  map.on("locationfound movestart", () => notices.set("position", ""));
}

/** Says in words what could not be loaded, and, apart from it, that there is nothing here. */
function watchLoading(map, base_, layers, notices, words) {
  base_.on("porchlight:loaded", ({ failed }) => {
    notices.set("failed-base", failed ? words.base_failed : "", "warning");
  });
  for (const layer of layers) {
    const { name, title, empty } = layer.config;
    layer.on("porchlight:loaded", ({ failed }) => {
      notices.set(`failed-${name}`, failed ? words.load_failed.replace("{layer}", title) : "", "warning");
      const nothing = empty && !failed && map.getZoom() >= layer.config.min_zoom && layer.count() === 0;
      notices.set(`empty-${name}`, nothing ? empty : "");
    });
    layer.on("remove", () => {
      notices.set(`failed-${name}`, "");
      notices.set(`empty-${name}`, "");
    });
  }
}

/** Marks grounds, and says so where that failed. */
function outlineOf(map, { grounds, words }, notices) {
  return new Outline(map, grounds, (failed) => {
    notices.set("outline", failed ? words.outline_failed : "", "warning");
  });
}

/** Keeps map, form, address and list in step. */
function sharedView(map, layers, { grounds, words }, notices) {
  const outline = outlineOf(map, { grounds, words }, notices);
  const form = document.querySelector("form[data-map-filters]");
  const bbox = document.querySelector("input[data-map-bbox]");
  const state = { filters: filtersIn(form), onfilters: () => {} };

  state.tell = () => {
    const bounds = map.getBounds().toBBoxString();
    if (bbox) bbox.value = bounds;
    document.body.dispatchEvent(
      new CustomEvent("porchlight:view", { detail: { bbox: bounds, filters: state.filters.toString() } }),
    );
  };
  const moved = debounced(() => {
    write(map, namesOn(map, layers), state.filters);
    state.tell();
  });
  const restore = ({ view, layers: names, filters }) => {
    if (names) turnOn(map, layers, names);
    if (view) map.setView(view.center, view.zoom, { animate: false });
    fillForm(form, filters);
    state.filters = filtersIn(form); // without what the form does not know
    state.onfilters();
    outline.show(state.filters, { move: !view });
  };

  onFilters(form, () => {
    state.filters = filtersIn(form);
    notices.set("left-out", "");
    state.onfilters();
    moved();
    outline.show(state.filters, { move: true });
  });
  const leftOut = document.querySelector("[data-left-out]");
  notices.set("left-out", leftOut?.textContent.trim() ?? "", "warning");
  leftOut?.remove();
  restore(read());
  globalThis.addEventListener("popstate", () => restore(read()));
  map.on("moveend overlayadd overlayremove", moved);
  moved();
  return state;
}
