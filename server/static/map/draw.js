// Drawing a stretch of street or a lot: its corners are set one after another, by taps or at the
// crosshair, and can be dragged and taken back. The shape goes into a field of the form as GeoJSON.

const ROOM = [30, 30]; // pixels between a shape and the edge of the map
const CLOSEST = 17; // zoom that a small shape is brought to
const FEWEST = { line: 2, polygon: 3 };

export const positionOf = ({ lat, lng }) => [Number(lng.toFixed(6)), Number(lat.toFixed(6))];

/** The corners of a GeoJSON geometry, or none where the text is none. */
export function cornersIn(text) {
  try {
    const { type, coordinates } = JSON.parse(text);
    const positions = type === "Polygon" ? coordinates[0].slice(0, -1) : coordinates;
    return positions.map(([lng, lat]) => L.latLng(lat, lng));
  } catch {
    return [];
  }
}

export class Drawing {
  /** `field` takes the GeoJSON; `say` shows a text; `onchange` gets the corners and the shape. */
  constructor(map, field, { words, say, onchange }) {
    this.map = map;
    this.field = field;
    this.words = words;
    this.say = say;
    this.onchange = onchange;
    this.shape = "line";
    this.corners = cornersIn(field.value);
    this.shown = L.featureGroup();
    this.buttons = this.makeButtons();
  }

  makeButtons() {
    const row = L.DomUtil.create("p", "draw-buttons");
    row.hidden = true;
    const make = (label, onclick) => {
      const button = L.DomUtil.create("button", "btn btn-outline-secondary", row);
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", () => {
        onclick();
        // What is disabled loses the focus, which must not fall to the top of the page.
        if (button.disabled) this.map.getContainer().focus();
      });
      return button;
    };
    this.undo = make(this.words.undo_point, () => this.change(this.corners.slice(0, -1)));
    this.restart = make(this.words.start_over, () => this.change([]));
    this.map.getContainer().parentElement.after(row);
    return row;
  }

  /** Shows the drawing as a line or a polygon. */
  open(shape) {
    this.shape = shape;
    this.buttons.hidden = false;
    this.shown.addTo(this.map);
    this.map.doubleClickZoom.disable(); // two quick taps are two corners
    this.write();
  }

  /** Puts the drawing away. It comes back as it was. */
  close() {
    this.buttons.hidden = true;
    this.shown.remove();
    this.map.doubleClickZoom.enable();
  }

  /** Brings the whole shape into view. */
  fit() {
    if (this.corners.length === 0) return;
    this.map.fitBounds(L.latLngBounds(this.corners), { padding: ROOM, animate: false, maxZoom: CLOSEST });
  }

  add(latlng) {
    const last = this.corners.at(-1);
    if (last && this.map.distance(last, latlng) < 0.2) return; // metres: the same tap, twice
    this.change([...this.corners, latlng]);
  }

  change(corners) {
    this.corners = corners;
    this.write();
    this.onchange(corners, this.shape);
  }

  /** Takes everything back without telling of it. */
  forget() {
    this.corners = [];
    this.write();
  }

  write() {
    const positions = this.corners.map(positionOf);
    const geometry =
      this.shape === "line"
        ? { type: "LineString", coordinates: positions }
        : { type: "Polygon", coordinates: [[...positions, positions[0]]] };
    this.field.value = positions.length > 0 ? JSON.stringify(geometry) : "";
    this.undo.disabled = positions.length === 0;
    this.restart.disabled = positions.length === 0;
    this.say(this.told(positions.length));
    this.draw();
  }

  told(n) {
    if (n === 0) return this.words[`${this.shape}_help`];
    if (n === 1) return this.words.one_point;
    const text = n < FEWEST[this.shape] ? this.words.one_more : this.words.points;
    return text.replace("{n}", n);
  }

  draw() {
    this.shown.clearLayers();
    const area = this.shape === "polygon" && this.corners.length > 2;
    const outlines = ["drawn-halo", area ? "drawn drawn-area" : "drawn"].map((className) =>
      (area ? L.polygon : L.polyline)(this.corners, { className, interactive: false }).addTo(this.shown),
    );
    this.corners.forEach((corner, index) => {
      const icon = L.divIcon({ className: "drawn-corner", iconSize: [26, 26] });
      const handle = L.marker(corner, { icon, draggable: true, autoPan: true, keyboard: false }).addTo(this.shown);
      const moved = () => this.corners.with(index, handle.getLatLng());
      handle.on("drag", () => {
        for (const outline of outlines) outline.setLatLngs(moved());
      });
      handle.on("dragend", () => this.change(moved()));
    });
  }
}
