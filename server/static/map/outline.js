// The ground that a filter keeps to, a block watch or an area, or the place of a plan: its outline stands out, and the map
// goes there.

const GROUNDS = { area: "areas", block_watch: "block_watches", plan: "plans" };
const ROOM = [24, 24]; // pixels between the outline and the edge of the map

export class Outline {
  constructor(map, address, onfailed) {
    this.map = map;
    this.address = address;
    this.onfailed = onfailed;
    this.shapes = L.featureGroup().addTo(map);
    this.asked = "";
  }

  /** Marks what the filters keep to; with `move` the map goes to the smallest of it. */
  async show(filters, { move }) {
    const grounds = Object.entries(GROUNDS).flatMap(([name, path]) =>
      filters.getAll(name).map((id) => this.address.replace("{path}", path).replace("{id}", id)),
    );
    const asked = grounds.join(" ");
    if (asked === this.asked) return;
    this.asked = asked;
    let found = [];
    try {
      found = await Promise.all(grounds.map(ground));
      this.onfailed(false);
    } catch {
      if (this.asked === asked) {
        this.asked = "";
        this.onfailed(true);
      }
      return;
    }
    if (this.asked !== asked) return; // another was chosen meanwhile
    this.shapes.clearLayers();
    for (const shape of found) {
      for (const className of ["outline-halo", "outline"]) {
        L.geoJSON(shape, { interactive: false, style: { className, fill: false } }).addTo(this.shapes);
      }
    }
    if (!move || !found.length) return;
    const size = ([west, south, east, north]) => (east - west) * (north - south);
    const [[west, south, east, north]] = found.map(({ bbox }) => bbox).sort((a, b) => size(a) - size(b));
    this.map.fitBounds([[south, west], [north, east]], { padding: ROOM });
  }
}

async function ground(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${response.status} ${address}`);
  return response.json();
}
