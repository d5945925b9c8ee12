// The same tiles, cut in the browser out of GeoJSON that stands in the page. A snapshot opened from
// disk has no server to ask.

import { merged } from "porchlight/cells.js";

const WORLD = Math.PI;
const POINT = 1;
const LINE = 2;
const AREA = 3;
const CELLS_BELOW = 14; // as on the server
const CELL = 32; // pixels of a tile, as on the server

function unit([lon, lat]) {
  const sine = Math.sin((lat * Math.PI) / 180);
  return { x: lon / 360 + 0.5, y: 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * WORLD) };
}

function parts({ type, coordinates }) {
  switch (type) {
    case "Point":
      return [POINT, [[coordinates]]];
    case "MultiPoint":
      return [POINT, coordinates.map((position) => [position])];
    case "LineString":
      return [LINE, [coordinates]];
    case "MultiLineString":
      return [LINE, coordinates];
    case "Polygon":
      return [AREA, coordinates];
    case "MultiPolygon":
      return [AREA, coordinates.flat()];
    default:
      throw new TypeError(`A snapshot cannot draw a ${type}.`);
  }
}

function prepared(feature) {
  const [geomType, lines] = parts(feature.geometry);
  const geom = lines.map((line) => line.map(unit));
  const xs = geom.flat().map(({ x }) => x);
  const ys = geom.flat().map(({ y }) => y);
  const least = (values) => values.reduce((a, b) => Math.min(a, b));
  const most = (values) => values.reduce((a, b) => Math.max(a, b));
  return {
    id: feature.id,
    props: feature.properties ?? {},
    geomType,
    geom,
    bbox: { minX: least(xs), minY: least(ys), maxX: most(xs), maxY: most(ys) },
  };
}

export class InlineSource {
  /** `collections` maps a layer of the tile to its GeoJSON; `counted` ones become cells far out. */
  constructor(collections, counted) {
    this.query = "";
    this.counted = counted;
    this.layers = new Map(
      Object.entries(collections).map(([name, { features }]) => [name, features.map(prepared)]),
    );
  }

  /** A feature by its id. */
  feature(name, id) {
    return this.layers.get(name).find((feature) => feature.id === Number(id));
  }

  async get({ z, x, y }, size) {
    const tiles = 2 ** z;
    const margin = 0.05;
    const reaches = ({ bbox }) =>
      bbox.maxX * tiles >= x - margin &&
      bbox.minX * tiles <= x + 1 + margin &&
      bbox.maxY * tiles >= y - margin &&
      bbox.minY * tiles <= y + 1 + margin;
    const scaled = ({ x: ux, y: uy }) => ({
      x: (ux * tiles - x) * size,
      y: (uy * tiles - y) * size,
      clone() {
        return { ...this };
      },
      mult(by) {
        return { ...this, x: this.x * by, y: this.y * by };
      },
      add(other) {
        return { ...this, x: this.x + other.x, y: this.y + other.y };
      },
    });
    const result = new Map();
    for (const [name, features] of this.layers) {
      const here = features.filter(reaches).map((feature) => {
        const geom = feature.geom.map((part) => part.map(scaled));
        const corner = scaled({ x: feature.bbox.minX, y: feature.bbox.minY });
        const far = scaled({ x: feature.bbox.maxX, y: feature.bbox.maxY });
        return {
          ...feature,
          geom,
          numVertices: geom.reduce((sum, part) => sum + part.length, 0),
          bbox: { minX: corner.x, minY: corner.y, maxX: far.x, maxY: far.y },
        };
      });
      if (this.counted && z < CELLS_BELOW) {
        const inside = ({ geomType, geom: [[{ x: px, y: py }]] }) =>
          geomType === POINT && px >= 0 && py >= 0 && px < size && py < size;
        const counts = ({ kind }) => (kind ? { n: 1, [kind]: 1 } : { n: 1 });
        const ones = here.filter(inside).map((point) => ({ ...point, props: counts(point.props) }));
        result.set("cells", merged(ones, CELL));
        result.set(name, here.filter(({ geomType }) => geomType !== POINT));
      } else {
        result.set(name, here);
      }
    }
    return result;
  }
}
