// What is on view stands in the address of the page, so that a link shows others the same: the place,
// the layers, and the filters under the names that the list and the API use too.

export const FILTERS = ["kind", "category", "status", "from", "to", "area", "block_watch"];

/** The filters that say something, of any query. */
export function filtersOf(query) {
  const kept = new URLSearchParams();
  for (const name of FILTERS) {
    for (const value of query.getAll(name)) if (value) kept.append(name, value);
  }
  return kept;
}

/** What the address says now: the view where it is whole, the layers where it names any. */
export function read() {
  const query = new URLSearchParams(location.search);
  const [lat, lon, zoom] = ["lat", "lon", "zoom"].map((name) =>
    query.has(name) ? Number(query.get(name)) : Number.NaN,
  );
  const whole = [lat, lon, zoom].every(Number.isFinite) && Math.abs(lat) <= 85 && Math.abs(lon) <= 180;
  return {
    view: whole ? { center: [lat, lon], zoom } : null,
    layers: query.has("layers") ? query.get("layers").split(",").filter(Boolean) : null,
    filters: filtersOf(query),
  };
}

/** Puts the view into the address, without a step in the browser's history. */
export function write(map, layers, filters) {
  const { lat, lng } = map.getCenter();
  const query = new URLSearchParams(filters);
  query.set("lat", lat.toFixed(5));
  query.set("lon", lng.toFixed(5));
  query.set("zoom", map.getZoom());
  query.set("layers", layers.join(","));
  // Commas are allowed here and make the link easier to read.
  history.replaceState(history.state, "", `?${query.toString().replaceAll("%2C", ",")}`);
}

/** The names of the layers that are on. */
export const namesOn = (map, layers) =>
  layers.filter((layer) => map.hasLayer(layer)).map(({ config: { name } }) => name);

/** Has these layers on, and no others. */
export function turnOn(map, layers, names) {
  for (const layer of layers) {
    const wanted = names.includes(layer.config.name);
    if (wanted !== map.hasLayer(layer)) wanted ? layer.addTo(map) : layer.remove();
  }
}
