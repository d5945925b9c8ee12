// Cells of an analysis on the map, told apart by pattern and outline as well as by colour, and in step
// with the list beside it.

import { colour, onThemeChange } from "porchlight/theme.js";

const STEP = 9; // pixels between the lines of a pattern
const EDGE = [48, 48]; // pixels between what was found and the edge of the map
const CLOSEST = 15; // the zoom up to which the map goes to what was found

/** How a cell looks: `fill` is the opacity of its ground, `lines` what is drawn over it. */
const LOOKS = {
  firm: { weight: 3, fill: 0.45, lines: "" },
  hot: { weight: 2, fill: 0.12, lines: "hatch" },
  dense: { weight: 1.5, fill: 0, lines: "dots", dashArray: "3 4" },
  gone: { weight: 2, fill: 0, lines: "", dashArray: "10 6" },
};

function pattern(context, lines, ink) {
  const tile = document.createElement("canvas");
  tile.width = STEP;
  tile.height = STEP;
  const draw = tile.getContext("2d");
  draw.strokeStyle = ink;
  draw.fillStyle = ink;
  draw.lineWidth = 2;
  if (lines === "dots") {
    draw.fillRect(STEP / 2 - 1, STEP / 2 - 1, 2, 2);
  } else {
    draw.beginPath();
    for (const shift of [-STEP, 0, STEP]) {
      draw.moveTo(shift, STEP);
      draw.lineTo(shift + STEP, 0);
    }
    draw.stroke();
  }
  return context.createPattern(tile, "repeat");
}

const Patterned = L.Canvas.extend({
  _fillStroke(context, layer) {
    const { lines, ground, color } = layer.options;
    context.save();
    context.globalAlpha = ground;
    context.fillStyle = color;
    if (ground) context.fill("evenodd");
    context.globalAlpha = 0.9;
    if (lines) {
      context.fillStyle = pattern(context, lines, color);
      context.fill("evenodd");
    }
    context.restore();
    L.Canvas.prototype._fillStroke.call(this, context, layer);
  },
});

const inkOf = ({ source }) => colour(source === "police" ? "hot-police" : "hot-reports");

/** The number of a hot spot, at its cell furthest north. */
function numberOf({ source, spot, title }, ring) {
  const mark = document.createElement("span");
  mark.textContent = source === "police" ? `P${spot}` : String(spot);
  const icon = L.divIcon({ className: `hot-number hot-number-${source}`, html: mark, iconSize: [28, 24] });
  const [lon, lat] = ring.reduce((sum, [x, y]) => [sum[0] + x / ring.length, sum[1] + y / ring.length], [0, 0]);
  return L.marker([lat, lon], { icon, keyboard: false, interactive: false, title, zIndexOffset: 900 });
}

/** Opens the panel of a cell: by its entry of the list where it has one. */
function open(cell) {
  const panel = document.querySelector("[data-cell-panel]");
  const link = [...document.querySelectorAll("[data-cell] a[href]")].find(
    (one) => one.getAttribute("href") === cell.href,
  );
  if (link) link.click();
  else if (panel && globalThis.htmx) {
    globalThis.htmx.ajax("GET", cell.href, { target: panel, select: "#cell" });
  } else globalThis.location.assign(cell.href);
}

/** Lays the smoothed density under the cells while its box is ticked; the address remembers it. */
function density(map, part, notices) {
  const { density: source, picture, bounds, failed } = part.dataset;
  const box = part.querySelector("input");
  const legend = part.querySelector("[data-density-legend]");
  const [south, west, north, east] = bounds.split(",").map(Number);
  const pane = map.getPane("density") ?? map.createPane("density");
  pane.style.zIndex = 350; // between the ground and the cells
  const shown = L.imageOverlay(picture, [[south, west], [north, east]], { pane: "density" });
  shown.on("error", () => notices.set(`density ${source}`, failed, "warning"));

  function show() {
    legend.hidden = !box.checked;
    notices.set(`density ${source}`, "");
    if (box.checked) shown.addTo(map);
    else shown.remove();
    const address = new URL(globalThis.location.href);
    const others = address.searchParams.getAll("density").filter((one) => one !== source);
    address.searchParams.delete("density");
    for (const one of box.checked ? [...others, source] : others) address.searchParams.append("density", one);
    globalThis.history.replaceState(globalThis.history.state, "", address);
  }

  box.addEventListener("change", show);
  show();
}

/** Shows what the address gives that the element of the selector `config.cells` names. */
export function hotSpots(map, { cells: selector }, notices) {
  const page = document.querySelector(selector);
  const address = page.dataset.cells;
  const renderer = new Patterned({ pane: "overlayPane", padding: 0.3 });
  const shapes = L.featureGroup().addTo(map);
  const numbers = L.layerGroup().addTo(map);
  const ring = L.circleMarker([0, 0], { className: "list-ring", radius: 16, interactive: false });

  function style({ options: { cell } }) {
    const look = LOOKS[cell.look];
    return {
      color: inkOf(cell),
      weight: look.weight,
      dashArray: look.dashArray,
      ground: look.fill,
      lines: look.lines,
    };
  }

  function draw(cells) {
    const numbered = new Set();
    for (const cell of cells) {
      const corners = cell.ring.map(([lon, lat]) => [lat, lon]);
      const shape = L.polygon(corners, { renderer, fill: false, bubblingMouseEvents: false, cell });
      shape.setStyle(style(shape)).addTo(shapes);
      shape.on("click", () => open(cell));
      shape.bindTooltip(() => {
        const said = document.createElement("span");
        said.textContent = cell.title;
        return said;
      });
      const key = `${cell.source} ${cell.spot}`;
      if (cell.spot && !numbered.has(key)) {
        numbered.add(key);
        numberOf(cell, cell.ring).addTo(numbers);
      }
    }
    const sure = shapes.getLayers().filter(({ options: { cell } }) => cell.spot);
    if (cells.length) {
      const found = sure.length ? L.featureGroup(sure) : shapes;
      map.fitBounds(found.getBounds(), { padding: EDGE, maxZoom: CLOSEST, animate: false });
    }
    inStep();
  }

  const entries = () => [...document.querySelectorAll("[data-cell][data-lat]")];
  const place = ({ dataset }) => [Number(dataset.lat), Number(dataset.lon)];

  /** Marks the entries whose place is on the map now, and says how many these are. */
  function inStep() {
    const bounds = map.getBounds();
    let seen = 0;
    for (const entry of entries()) {
      const here = bounds.contains(place(entry));
      entry.classList.toggle("in-view", here);
      seen += Number(here);
    }
    const said = document.querySelector("[data-in-view]");
    if (said) {
      said.textContent = said.dataset.inView.replace("{seen}", seen).replace("{all}", entries().length);
    }
  }

  for (const event of ["mouseover", "focusin"]) {
    document.addEventListener(event, ({ target }) => {
      const entry = target.closest?.("[data-cell][data-lat]");
      if (entry) ring.setLatLng(place(entry)).addTo(map);
      else ring.remove();
    });
  }
  map.on("moveend", inStep);
  onThemeChange(() => shapes.eachLayer((shape) => shape.setStyle(style(shape))));
  document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target?.matches("[data-cell-panel]")) detail.target.querySelector("h2")?.focus();
  });
  for (const part of document.querySelectorAll("[data-density]")) density(map, part, notices);
  fetch(address)
    .then((response) => {
      if (!response.ok) throw new Error(`${response.status} ${address}`);
      return response.json();
    })
    .then(draw)
    .catch(() => notices.set("cells", page.dataset.failed, "warning"));
}
