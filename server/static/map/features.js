// One layer of features on one canvas that covers the view.
//
// A canvas for the view instead of one for each tile, since a mark that stands on the edge of a tile
// would be cut in two, and since new tiles can then replace old ones in a single stroke: nothing
// flickers while the layer updates.

import { merged } from "porchlight/cells.js";
import { drawCell, isMixed, pen, repaintMarks, sprite, symbolOf } from "porchlight/marks.js";
import { onThemeChange } from "porchlight/theme.js";

const TILE = 512; // CSS pixels that a tile covers at its own zoom; the data is one zoom behind
const DEEPEST = 16; // tiles of this zoom are drawn larger beyond it: 11 cm a unit is fine enough
const KEPT = 200; // tiles a layer remembers
const CELL = 64; // pixels of a tile within which counts are drawn as one circle
const CORNERS = [[-7, -7], [7, -7], [-7, 7], [7, 7]];
const FINGER = 14; // CSS pixels around a click within which a mark is meant

const AFTER_FAILURE = 10_000; // milliseconds until a tile that failed is asked for again

const POINT = 1;
const LINE = 2;

function within(ring, x, y) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [a, b] = [ring[i], ring[j]];
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside;
}

function distanceToLine(line, x, y) {
  let least = Infinity;
  for (let i = 1; i < line.length; i++) {
    const [a, b] = [line[i - 1], line[i]];
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const along = ((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy || 1);
    const t = Math.max(0, Math.min(1, along));
    least = Math.min(least, Math.hypot(x - a.x - t * dx, y - a.y - t * dy));
  }
  return least;
}

function trace(context, feature, scale) {
  context.beginPath();
  for (const part of feature.geom) {
    part.forEach(({ x, y }, index) => {
      if (index) context.lineTo(x * scale, y * scale);
      else context.moveTo(x * scale, y * scale);
    });
  }
}

const sized = (symbol, grown) => ({ ...symbol, size: symbol.size * grown, icon: grown < 0.6 ? "" : symbol.icon });

/** Marks grow as one comes nearer: far out they are many and only say where. */
const growth = (zoom) => Math.min(1, Math.max(0.5, 1 - (16 - zoom) * 0.17));

export const Features = L.Renderer.extend({
  options: { padding: 0.3 },

  /** `config` comes from the layer's Python class; `source` gives its tiles. */
  initialize(config, source) {
    L.Renderer.prototype.initialize.call(this, { pane: `porchlight-${config.name}` });
    this.config = config;
    this.source = source;
    this.tiles = new Map();
    this.shown = [];
    this.peak = 1;
  },

  onAdd(map) {
    if (!map.getPane(this.options.pane)) {
      map.createPane(this.options.pane).style.zIndex = this.config.order;
    }
    L.Renderer.prototype.onAdd.call(this, map);
  },

  _initContainer() {
    this._container = document.createElement("canvas");
    this._container.className = "porchlight-features";
    this._container.setAttribute("aria-hidden", "true");
    onThemeChange(() => {
      repaintMarks();
      if (this._map) this.paint();
    });
  },

  _destroyContainer() {
    this.request = null;
    this.shown = [];
    this.marks = [];
    this._center = undefined;
    this._container.width = 0; // what it showed may be out of date when the layer comes back
    this._container.remove();
  },

  /** Asks for other tiles (another version, other filters); the old ones stay until these are here. */
  refresh(query) {
    if (query === this.source.query) return;
    this.source.query = query;
    this.tiles = new Map();
    if (this._map) this._update();
  },

  /** The tiles the view needs, or none where the layer has nothing to show yet. */
  wanted() {
    const zoom = this._map.getZoom();
    if (zoom < this.config.min_zoom) return [];
    const z = Math.min(zoom - 1, DEEPEST);
    const size = TILE * 2 ** (zoom - 1 - z);
    const view = this._map.getPixelBounds();
    const margin = 40;
    const last = 2 ** z - 1;
    const range = (from, to) => {
      const first = Math.max(0, Math.floor((from - margin) / size));
      const count = Math.min(last, Math.floor((to + margin) / size)) - first + 1;
      return Array.from({ length: Math.max(0, count) }, (_, index) => first + index);
    };
    return range(view.min.y, view.max.y).flatMap((y) =>
      range(view.min.x, view.max.x).map((x) => ({ z, x, y, size, key: `${z}/${x}/${y}` })),
    );
  },

  /** A tile, asked for once. A failed one is forgotten, so that it is asked for again. */
  tile({ z, x, y, key }) {
    const { tiles, source } = this;
    let entry = tiles.get(key);
    if (!entry) {
      entry = { features: null };
      entry.promise = source.get({ z, x, y }, TILE).then(
        (layers) => {
          entry.features = layers;
        },
        (error) => {
          tiles.delete(key);
          throw error;
        },
      );
    }
    tiles.delete(key);
    tiles.set(key, entry);
    if (tiles.size > KEPT) tiles.delete(tiles.keys().next().value);
    return entry;
  },

  // Leaflet calls this when the view has changed.
  _update() {
    if (this._map._animatingZoom || this.source.query === null) return;
    const wanted = this.wanted();
    const entries = wanted.map((tile) => ({ ...tile, entry: this.tile(tile) }));
    const request = { entries };
    this.request = request;
    const ready = () => entries.filter(({ entry }) => entry.features);
    const show = () => {
      if (this.request !== request || !this._map) return;
      this.shown = ready();
      this.paint();
    };
    // At the zoom already on the canvas the tiles at hand are shown at once. At another one, or with
    // other data, the old picture stays, moved and scaled, until the new one is whole.
    const sameSight = this.shown.length > 0 && this.shown[0].z === wanted[0]?.z && this.paintedZoom === this._map.getZoom();
    if (ready().length === entries.length || (sameSight && ready().length > 0)) show();
    this.fire("porchlight:loading");
    Promise.allSettled(entries.map(({ entry }) => entry.promise)).then((results) => {
      if (this.request !== request || !this._map) return;
      show();
      const failed = results.some(({ status }) => status === "rejected");
      if (failed) setTimeout(() => this.request === request && this._map && this._update(), AFTER_FAILURE);
      this.fire("porchlight:loaded", { failed });
    });
  },

  _reset() {
    this._update();
    this._updateTransform(this._center, this._zoom);
  },

  // Moves and scales the picture with the map; before the first there is none.
  _updateTransform(center, zoom) {
    if (this._center) L.Renderer.prototype._updateTransform.call(this, center, zoom);
  },

  _onZoomEnd() {},

  /** Draws the tiles at hand for where the map is now. */
  paint() {
    L.Renderer.prototype._update.call(this);
    const bounds = this._bounds;
    const size = bounds.getSize();
    const scale = Math.max(1, globalThis.devicePixelRatio);
    const canvas = this._container;
    L.DomUtil.setPosition(canvas, bounds.min);
    canvas.width = Math.round(size.x * scale);
    canvas.height = Math.round(size.y * scale);
    canvas.style.width = `${size.x}px`;
    canvas.style.height = `${size.y}px`;
    this.paintedZoom = this._map.getZoom();
    const context = canvas.getContext("2d");
    const corner = this._map.getPixelOrigin().add(bounds.min);
    const place = (tile) => ({
      scale: tile.size / TILE,
      left: tile.x * tile.size - corner.x,
      top: tile.y * tile.size - corner.y,
    });
    for (const tile of this.shown) this.paintShapes(context, scale, tile, place(tile));
    // What is open is drawn last, so that it is never hidden by what is over.
    this.marks = this.shown
      .flatMap((tile) => this.marksOf(tile, place(tile)))
      .sort((a, b) => Number(a.symbol?.filled ?? false) - Number(b.symbol?.filled ?? false));
    this.paintMarks(context, scale);
  },

  /** Lines and areas, cut at the tile's edge, beyond which the next tile draws them. */
  paintShapes(context, scale, tile, { scale: stretch, left, top }) {
    const features = (tile.entry.features.get(this.config.name) ?? []).filter(({ geomType }) => geomType !== POINT);
    if (!features.length) return;
    context.save();
    context.setTransform(scale, 0, 0, scale, left * scale, top * scale);
    context.beginPath();
    context.rect(0, 0, tile.size, tile.size);
    context.clip();
    for (const feature of features) {
      const symbol = symbolOf(this.config.rules, feature.props);
      trace(context, feature, stretch);
      pen(context, symbol);
      if (feature.geomType !== LINE) {
        context.fillStyle = context.strokeStyle;
        context.globalAlpha = symbol.opacity ?? 0.15;
        context.fill("evenodd");
        context.globalAlpha = 1;
      }
      context.stroke();
    }
    context.restore();
  },

  /** Points that this tile owns: those in its margin belong to the next one. */
  marksOf(tile, { scale, left, top }) {
    const { features } = tile.entry;
    const owned = ({ geomType, geom: [[{ x, y }]] }) =>
      geomType === POINT && x >= 0 && y >= 0 && x < TILE && y < TILE;
    const at = (feature, more) => ({
      feature,
      x: left + feature.geom[0][0].x * scale,
      y: top + feature.geom[0][0].y * scale,
      ...more,
    });
    const counted = (features.get("cells") ?? []).filter(owned);
    const mixed = counted.some(({ props }) => isMixed(props));
    const cells = mixed ? merged(counted, CELL) : counted;
    // Counts of several layers stand at the same spots: each has its own corner there.
    const [dx, dy] = mixed ? [0, 0] : CORNERS[this.config.order % CORNERS.length];
    const grown = growth(this._map.getZoom());
    for (const { props } of cells) this.peak = Math.max(this.peak, props.n);
    return [
      ...cells.map((feature) => {
        const mark = at(feature, { cell: true });
        return { ...mark, x: mark.x + dx, y: mark.y + dy };
      }),
      ...(features.get(this.config.name) ?? [])
        .filter(owned)
        .map((feature) => at(feature, { symbol: sized(symbolOf(this.config.rules, feature.props), grown) })),
    ];
  },

  paintMarks(context, scale) {
    const again = () => this._map && this.paint();
    const largest = Math.max(40, this.peak);
    for (const mark of this.marks) {
      context.setTransform(scale, 0, 0, scale, mark.x * scale, mark.y * scale);
      if (mark.cell) {
        const most = isMixed(mark.feature.props) ? 24 : 14;
        mark.radius = Math.max(8, most * Math.sqrt(mark.feature.props.n / largest));
        drawCell(context, mark.feature.props, mark.radius, this.config.cell);
      } else {
        const { canvas, half } = sprite(mark.symbol, scale, again);
        context.drawImage(canvas, -half, -half, 2 * half, 2 * half);
      }
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
  },

  /** How many features of the layer stand in view, cells counted by what is in them. */
  count() {
    const size = this._map.getSize();
    const corner = this._map.containerPointToLayerPoint([0, 0]).subtract(this._bounds.min);
    const inView = ({ x, y }) =>
      x >= corner.x && y >= corner.y && x <= corner.x + size.x && y <= corner.y + size.y;
    const marks = (this.marks ?? []).filter(inView);
    const view = this._map.getPixelBounds();
    const reachesView = ({ feature: { bbox }, tile: { x, y, size: side } }) => {
      const [stretch, left, top] = [side / TILE, x * side, y * side];
      return (
        left + bbox.maxX * stretch >= view.min.x &&
        left + bbox.minX * stretch <= view.max.x &&
        top + bbox.maxY * stretch >= view.min.y &&
        top + bbox.minY * stretch <= view.max.y
      );
    };
    const counts = marks.map(({ cell, feature }) => (cell ? feature.props.n : 1));
    return counts.reduce((sum, n) => sum + n, 0) + this.shapes().filter(reachesView).length;
  },

  shapes() {
    return this.shown.flatMap((tile) =>
      (tile.entry.features.get(this.config.name) ?? [])
        .filter(({ geomType }) => geomType !== POINT)
        .map((feature) => ({ feature, tile })),
    );
  },

  /**
   * What is meant by a click: the nearest marks (several where they share a place), else lines, else
   * the areas around it. Areas come marked as such, so that any other layer's feature goes first.
   */
  hit(latlng) {
    if (!this._bounds) return { features: [] };
    const layerPoint = this._map.latLngToLayerPoint(latlng);
    const { x, y } = layerPoint.subtract(this._bounds.min);
    const distance = (mark) => Math.hypot(mark.x - x, mark.y - y);
    const near = (this.marks ?? []).filter((mark) => distance(mark) <= (mark.radius ?? FINGER));
    if (near.length) {
      near.sort((a, b) => distance(a) - distance(b));
      const [nearest] = near;
      const same = near.filter((mark) => !mark.cell && Math.hypot(mark.x - nearest.x, mark.y - nearest.y) < 3);
      const at = this._map.layerPointToLatLng(L.point(nearest.x, nearest.y).add(this._bounds.min));
      if (nearest.cell) return { features: [], cell: at };
      return { features: same.map(({ feature }) => feature), at };
    }
    const world = this._map.getPixelOrigin().add(layerPoint);
    const inTile = ({ tile }) => {
      const stretch = tile.size / TILE;
      return [(world.x - tile.x * tile.size) / stretch, (world.y - tile.y * tile.size) / stretch, stretch];
    };
    const shapes = this.shapes();
    const lines = shapes.filter((shape) => {
      const [px, py, stretch] = inTile(shape);
      return (
        shape.feature.geomType === LINE &&
        shape.feature.geom.some((line) => distanceToLine(line, px, py) * stretch <= FINGER / 2)
      );
    });
    if (lines.length) return { features: [lines[0].feature], at: latlng };
    const areas = shapes.filter((shape) => {
      const [px, py] = inTile(shape);
      const inTileBounds = px >= 0 && py >= 0 && px < TILE && py < TILE;
      return (
        shape.feature.geomType !== LINE &&
        inTileBounds &&
        shape.feature.geom.filter((part) => within(part, px, py)).length % 2 === 1
      );
    });
    return { features: areas.map(({ feature }) => feature), at: latlng, area: true };
  },
});
