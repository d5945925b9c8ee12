// The base map drawn from imported geometry: city, water, blocks, streets and their names. It is
// calm on purpose; what people report is meant to stand out from it.

import { colour, onThemeChange } from "porchlight/theme.js";

const {
  CenteredTextSymbolizer,
  LineLabelPlacement,
  LineLabelSymbolizer,
  LineSymbolizer,
  PolygonSymbolizer,
  TileCache,
  View,
  leafletLayer,
} = globalThis.protomapsL;

const DEEPEST = 15;
const BEHIND = 1; // the data of one zoom fills tiles of twice the size at the next
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Grows by the same factor from one zoom to the next, between a least and a most. */
const growing = (at15, least, most) => (zoom) =>
  Math.min(most, Math.max(least, at15 * 1.45 ** (zoom - 15)));

const street = (rank, width, from) => {
  const filter = (_, { props }) => props.rank === rank;
  return {
    edge: {
      dataLayer: "street",
      minzoom: Math.max(from, 13),
      filter,
      symbolizer: new LineSymbolizer({
        color: colour("map-street-edge"),
        width: (zoom) => width(zoom) + 1.5,
        lineCap: "round",
        lineJoin: "round",
      }),
    },
    middle: {
      dataLayer: "street",
      minzoom: from,
      filter,
      symbolizer: new LineSymbolizer({
        color: colour(`map-street-${rank}`),
        width,
        lineCap: "round",
        lineJoin: "round",
      }),
    },
  };
};

function paintRules() {
  const area = (dataLayer, fill, edge, minzoom) => ({
    dataLayer,
    minzoom,
    symbolizer: new PolygonSymbolizer({
      fill: colour(fill),
      stroke: colour(edge),
      width: 1,
      perFeature: true,
    }),
  });
  const streets = [
    street(3, growing(3.2, 0.5, 16), 12),
    street(2, growing(4.6, 0.9, 20), 11),
    street(1, growing(6.2, 1.4, 26), 9),
  ];
  return [
    area("city", "map-city", "map-city-edge"),
    area("block", "map-block", "map-block-edge", 12),
    area("park", "map-park", "map-park"),
    area("water", "map-water", "map-water"),
    ...streets.map(({ edge }) => edge),
    ...streets.map(({ middle }) => middle),
  ];
}

function labelRules() {
  const halo = { stroke: colour("map-label-halo"), width: 2 };
  const place = (type, options) => ({
    dataLayer: "label",
    filter: (_, { props }) => props.type === type,
    sort: (a, b) => (a.rank ?? 9) - (b.rank ?? 9),
    symbolizer: new CenteredTextSymbolizer({
      labelProps: ["name"],
      fontFamily: FONT,
      lineHeight: 1.35,
      ...halo,
      ...options,
    }),
  });
  const streetName = (rank, from, size) => ({
    dataLayer: "street",
    minzoom: from,
    filter: (_, { props }) => props.rank === rank,
    symbolizer: new LineLabelSymbolizer({
      labelProps: ["name"],
      fontFamily: FONT,
      fontSize: size,
      fontWeight: 500,
      fill: colour("map-label-street"),
      stroke: colour("map-label-halo"),
      width: 3,
      position: LineLabelPlacement.Center,
      repeatDistance: 420,
    }),
  });
  return [
    { ...place("city", { fontSize: 15, fontWeight: 600, fill: colour("map-label") }), maxzoom: 11 },
    {
      ...place("neighbourhood", {
        fontSize: (zoom) => (zoom < 14 ? 11 : 12.5),
        fontWeight: 500,
        fill: colour("map-label"),
        maxLineChars: 14,
      }),
      minzoom: 12,
    },
    { ...place("park", { fontSize: 11, fontStyle: "italic", fill: colour("map-label-park") }), minzoom: 13 },
    { ...place("water", { fontSize: 12, fontStyle: "italic", fill: colour("map-label-water") }), minzoom: 11 },
    streetName(1, 13, 11.5),
    streetName(2, 14, 11.5),
    streetName(3, 15, 11),
  ];
}

/** The base map as a Leaflet layer over any source of tiles. */
export function baseLayer(source) {
  const layer = leafletLayer({
    url: "base", // the view below takes the place of the one this makes
    attribution: "",
    lang: document.documentElement.lang,
    paintRules: paintRules(),
    labelRules: labelRules(),
    backgroundColor: colour("map-land"),
  });
  const watched = {
    async get(tile, size) {
      try {
        const features = await source.get(tile, size);
        layer.fire("porchlight:loaded", { failed: false });
        return features;
      } catch (error) {
        layer.fire("porchlight:loaded", { failed: true });
        throw error;
      }
    },
  };
  const show = () => {
    layer.views = new Map([["", new View(new TileCache(watched, 256 << BEHIND), DEEPEST, BEHIND)]]);
    layer.clearLayout();
    layer.rerenderTiles();
  };
  layer.refresh = (query) => {
    if (query === source.query) return;
    source.query = query;
    show();
  };
  onThemeChange(() => {
    layer.paintRules = paintRules();
    layer.labelRules = labelRules();
    layer.backgroundColor = colour("map-land");
    layer.clearLayout();
    layer.rerenderTiles();
  });
  show();
  return layer;
}
