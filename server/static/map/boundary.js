// Drawing the boundary of a block watch: one outline whose corners are set, chosen, moved, added and
// deleted, each by a tap, by a drag, or by buttons and arrow keys, and taken back one by one. It
// goes into a field of the form as GeoJSON. With `data-fixed` the field is shown and nothing more.

import { cornersIn, positionOf } from "porchlight/draw.js";

const ROOM = [40, 40]; // pixels between the outline and the edge of the map
const CLOSEST = 17; // zoom that a small outline is brought to
const STEP = 8; // pixels that an arrow key moves a corner; with Shift one
const APART = 56; // pixels between two corners from which a dot between them can be hit
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

const side = (a, b, c) => Math.sign((b.lng - a.lng) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lng - a.lng));
const meet = (a, b, c, d) => side(a, b, c) !== side(a, b, d) && side(c, d, a) !== side(c, d, b);

/** Whether two sides of the outline cross that are not neighbours. */
function crosses(corners) {
  const n = corners.length;
  const at = (index) => corners[index % n];
  for (let one = 0; one < n - 2; one += 1) {
    for (let other = one + 2; other < n; other += 1) {
      if (one === 0 && other === n - 1) continue;
      if (meet(at(one), at(one + 1), at(other), at(other + 1))) return true;
    }
  }
  return false;
}

/** `config.pick.drawn` names the form's field as a selector; its `data-words` are what is said. */
export function boundary(map, { pick: { drawn } }) {
  const field = document.querySelector(drawn);
  const outline = new Outline(map, field);
  outline.draw();
  outline.fit();
  if (field.dataset.fixed === undefined) outline.open();
}

class Outline {
  constructor(map, field) {
    this.map = map;
    this.field = field;
    this.words = JSON.parse(field.dataset.words ?? "{}");
    this.corners = cornersIn(field.value);
    this.chosen = null; // index of the corner that taps and arrow keys move
    this.tracing = this.corners.length === 0; // taps set one corner after another
    this.past = [];
    this.nudged = false; // whether the last change was by an arrow key: many are one step back
    this.shown = L.featureGroup().addTo(map);
  }

  fit() {
    if (this.corners.length === 0) return;
    this.map.fitBounds(L.latLngBounds(this.corners), { padding: ROOM, animate: false, maxZoom: CLOSEST });
  }

  open() {
    const container = this.map.getContainer();
    container.classList.add("picks-place");
    this.said = document.querySelector("[data-boundary-status]");
    this.buttons = document.querySelector("[data-boundary-tools]");
    this.buttons.hidden = false;
    const cross = L.DomUtil.create("div", "map-crosshair", container);
    cross.setAttribute("aria-hidden", "true");
    const acts = {
      previous: () => this.choose((this.chosen ?? 0) - 1, true),
      next: () => this.choose((this.chosen ?? -1) + 1, true),
      add: () => this.insert(this.chosen ?? this.corners.length - 1),
      delete: () => this.remove(),
      undo: () => this.undo(),
      restart: () => this.change([], { tracing: true }),
    };
    for (const button of this.buttons.querySelectorAll("[data-act]")) {
      button.addEventListener("click", () => {
        acts[button.dataset.act]();
        // What is disabled loses the focus, which must not fall to the top of the page.
        if (button.disabled) container.focus();
      });
    }
    this.buttons.addEventListener("keydown", (event) => this.onArrow(event));
    this.map.doubleClickZoom.disable(); // two quick taps are two corners
    this.map.on("click", ({ latlng }) => this.put(latlng));
    this.map.on("zoomend", () => this.draw());
    container.addEventListener("pointerdown", () => container.classList.remove("by-keyboard"));
    container.addEventListener("keydown", (event) => {
      if (event.target !== container) return;
      container.classList.add("by-keyboard");
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.put(this.map.getCenter());
    });
    addEventListener("pageshow", () => {
      // The browser's "back" may bring what was drawn into the field, and nothing else.
      const corners = cornersIn(this.field.value);
      if (corners.length !== this.corners.length) this.change(corners);
    });
    this.editable = true;
    this.tell();
  }

  /** A tap: the next corner of an outline that is being traced, or the new place of the chosen one. */
  put(latlng) {
    if (this.tracing) {
      const last = this.corners.at(-1);
      if (last && this.map.distance(last, latlng) < 0.5) return; // metres: the same tap, twice
      this.change([...this.corners, latlng], { tracing: true });
    } else if (this.chosen !== null) {
      this.change(this.corners.with(this.chosen, latlng), { chosen: this.chosen });
    } else {
      this.choose(this.nearest(latlng));
    }
  }

  nearest(latlng) {
    const away = this.corners.map((corner) => this.map.distance(corner, latlng));
    return away.indexOf(Math.min(...away));
  }

  choose(index, go = false) {
    const n = this.corners.length;
    if (n === 0) return;
    this.chosen = ((index % n) + n) % n;
    this.tracing = false;
    this.nudged = false;
    if (go) this.map.panTo(this.corners[this.chosen]);
    this.tell();
  }

  insert(after, latlng) {
    const [one, other] = [this.corners[after], this.corners[(after + 1) % this.corners.length]];
    const place = latlng ?? L.latLng((one.lat + other.lat) / 2, (one.lng + other.lng) / 2);
    this.change(this.corners.toSpliced(after + 1, 0, place), { chosen: after + 1 });
  }

  remove() {
    const corners = this.corners.toSpliced(this.chosen, 1);
    this.change(corners, { chosen: corners.length > 0 ? this.chosen % corners.length : null });
  }

  undo() {
    const before = this.past.pop();
    if (before) Object.assign(this, before, { nudged: false });
    this.tell();
  }

  onArrow(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || this.chosen === null) return;
    event.preventDefault();
    const pixels = event.shiftKey ? 1 : STEP;
    const from = this.map.latLngToContainerPoint(this.corners[this.chosen]);
    const to = this.map.containerPointToLatLng(from.add(L.point(arrow).multiplyBy(pixels)));
    const again = this.nudged;
    this.change(this.corners.with(this.chosen, to), { chosen: this.chosen, again });
    this.nudged = true;
    if (!this.map.getBounds().pad(-0.1).contains(to)) this.map.panTo(to);
  }

  /** Takes new corners. What stood before can be brought back, unless it belongs to the same move. */
  change(corners, { chosen = null, tracing = false, again = false } = {}) {
    const { corners: held, chosen: was, tracing: traced } = this;
    if (!again) this.past.push({ corners: held, chosen: was, tracing: traced });
    Object.assign(this, { corners, chosen, tracing: tracing || corners.length === 0, nudged: false });
    this.tell();
  }

  /** Brings the field, the status, the buttons and the map up to date. */
  tell() {
    const n = this.corners.length;
    const positions = this.corners.map(positionOf);
    const ring = [...positions, positions[0]];
    this.field.value = n > 0 ? JSON.stringify({ type: "Polygon", coordinates: [ring] }) : "";
    const ready = {
      previous: n > 0,
      next: n > 0,
      add: n > 1,
      delete: this.chosen !== null,
      undo: this.past.length > 0,
      restart: n > 0,
    };
    for (const button of this.buttons.querySelectorAll("[data-act]")) {
      button.disabled = !ready[button.dataset.act];
    }
    const state = this.tracing ? (n === 0 ? "empty" : "tracing") : this.chosen === null ? "whole" : "chosen";
    const text = this.words[state].replace("{n}", n).replace("{index}", this.chosen + 1);
    this.said.textContent = crosses(this.corners) ? `${text} ${this.words.crosses}` : text;
    this.draw();
  }

  draw() {
    this.shown.clearLayers();
    if (this.corners.length === 0) return;
    const area = this.corners.length > 2;
    const crossed = area && crosses(this.corners) ? " drawn-crossed" : "";
    const outlines = ["drawn-halo", `${area ? "drawn drawn-area" : "drawn"}${crossed}`].map((className) =>
      (area ? L.polygon : L.polyline)(this.corners, { className, interactive: false }).addTo(this.shown),
    );
    if (!this.editable) return;
    const follow = (handle, corners) => {
      handle.on("drag", () => {
        for (const outline of outlines) outline.setLatLngs(corners(handle.getLatLng()));
      });
    };
    const place = (latlng, className) => {
      const icon = L.divIcon({ className, iconSize: [28, 28] });
      return L.marker(latlng, { icon, draggable: true, autoPan: true, keyboard: false }).addTo(this.shown);
    };
    this.corners.forEach((corner, index) => {
      const handle = place(corner, index === this.chosen ? "drawn-corner drawn-chosen" : "drawn-corner");
      follow(handle, (latlng) => this.corners.with(index, latlng));
      handle.on("click", () => this.choose(index));
      handle.on("dragend", () =>
        this.change(this.corners.with(index, handle.getLatLng()), { chosen: index, tracing: this.tracing }),
      );
    });
    if (!area || this.tracing) return;
    this.corners.forEach((corner, index) => {
      const next = this.corners[(index + 1) % this.corners.length];
      const [from, to] = [corner, next].map((at) => this.map.latLngToContainerPoint(at));
      if (from.distanceTo(to) < APART) return;
      const handle = place(this.map.containerPointToLatLng(from.add(to).divideBy(2)), "drawn-middle");
      follow(handle, (latlng) => this.corners.toSpliced(index + 1, 0, latlng));
      handle.on("click", () => this.insert(index));
      handle.on("dragend", () => this.insert(index, handle.getLatLng()));
    });
  }
}
