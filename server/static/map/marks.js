// Marks on canvas, for the map and its legend alike. Kinds differ in shape as well as in colour, and
// what is over differs from what is open by being hollow, so that no meaning hangs on colour alone.

import { colour } from "porchlight/theme.js";

const TURN = 2 * Math.PI;

function polygon(context, corners) {
  corners.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
}

function ring(count, radius, start = -TURN / 4) {
  return Array.from({ length: count }, (_, index) => {
    const angle = start + (index * TURN) / count;
    const reach = typeof radius === "function" ? radius(index) : radius;
    return [reach * Math.cos(angle), reach * Math.sin(angle)];
  });
}

const SHAPES = {
  circle: (context, r) => context.arc(0, 0, r, 0, TURN),
  square: (context, r) => context.roundRect(-0.86 * r, -0.86 * r, 1.72 * r, 1.72 * r, 0.25 * r),
  diamond: (context, r) => polygon(context, ring(4, 1.15 * r)),
  triangle: (context, r) => {
    context.translate(0, 0.16 * r);
    polygon(context, ring(3, 1.2 * r));
  },
  pentagon: (context, r) => polygon(context, ring(5, 1.08 * r)),
  star: (context, r) => polygon(context, ring(16, (index) => (index % 2 ? 0.72 : 1.2) * r)),
  cross: (context, r) => {
    const w = 0.38 * r;
    polygon(context, [
      [-w, -r], [w, -r], [w, -w], [r, -w], [r, w], [w, w],
      [w, r], [-w, r], [-w, w], [-r, w], [-r, -w], [-w, -w],
    ]);
  },
};

function drawShape(context, symbol) {
  const tint = colour(`mark-${symbol.colour}`);
  const halo = colour("mark-halo");
  context.beginPath();
  SHAPES[symbol.shape](context, symbol.size);
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = halo;
  context.stroke();
  context.fillStyle = symbol.filled ? tint : halo;
  context.fill();
  context.lineWidth = symbol.filled ? 1 : 2;
  context.strokeStyle = symbol.filled ? colour("mark-edge") : tint;
  context.stroke();
  if (symbol.inside) drawInside(context, symbol, tint);
}

function drawInside(context, { inside, size }, tint) {
  const reach = 0.42 * size;
  context.beginPath();
  if (inside === "tick") {
    context.moveTo(-reach, 0);
    context.lineTo(-0.2 * reach, 0.8 * reach);
    context.lineTo(reach, -0.8 * reach);
  } else if (inside === "slash") {
    context.moveTo(-1.6 * reach, 1.6 * reach);
    context.lineTo(1.6 * reach, -1.6 * reach);
  } else if (inside === "cross") {
    context.moveTo(-reach, -reach);
    context.lineTo(reach, reach);
    context.moveTo(reach, -reach);
    context.lineTo(-reach, reach);
  } else {
    context.arc(0, 0, 0.3 * size, 0, TURN);
    context.fillStyle = tint;
    context.fill();
    return;
  }
  context.lineWidth = 1.8;
  context.strokeStyle = tint;
  context.stroke();
}

const icons = new Map();

/** The picture of an icon, once it is loaded; calls back when it is. */
function picture(address, onload) {
  let image = icons.get(address);
  if (!image) {
    image = new Image();
    image.src = address;
    icons.set(address, image);
  }
  if (image.complete && image.naturalWidth) return image;
  image.addEventListener("load", onload, { once: true });
  return null;
}

function drawIcon(context, image, size, scale) {
  // The icons are black; painting through them gives them the colour of the halo, as on a sign.
  const side = Math.ceil(1.3 * size * scale);
  const stencil = new OffscreenCanvas(side, side);
  const brush = stencil.getContext("2d");
  brush.drawImage(image, 0, 0, side, side);
  brush.globalCompositeOperation = "source-in";
  brush.fillStyle = colour("mark-halo");
  brush.fillRect(0, 0, side, side);
  context.drawImage(stencil, -side / scale / 2, -side / scale / 2, side / scale, side / scale);
}

let sprites = new Map();

/** Forgets what was painted, after the colours have changed. */
export function repaintMarks() {
  sprites = new Map();
}

/**
 * A mark ready to be drawn with drawImage, and its half width in CSS pixels.
 *
 * Calls `onload` where the mark has an icon that is still under way; the mark is plain until then.
 */
export function sprite(symbol, scale, onload) {
  const key = `${JSON.stringify(symbol)}@${scale}`;
  let made = sprites.get(key);
  if (made) return made;
  const half = Math.ceil(symbol.size * 1.3) + 3;
  const canvas = new OffscreenCanvas(2 * half * scale, 2 * half * scale);
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, half * scale, half * scale);
  drawShape(context, symbol);
  made = { canvas, half };
  const image = symbol.icon ? picture(symbol.icon, onload) : null;
  if (image) {
    context.setTransform(scale, 0, 0, scale, half * scale, half * scale);
    drawIcon(context, image, symbol.size, scale);
  }
  if (image || !symbol.icon) sprites.set(key, made);
  return made;
}

/** What the rules say of a feature: each rule that fits adds to what those before it said. */
export function symbolOf(rules, properties) {
  const symbol = {};
  for (const rule of rules) {
    const fits = Object.entries(rule.when).every(([name, values]) => values.includes(properties[name]));
    if (fits) Object.assign(symbol, rule.symbol);
  }
  return symbol;
}

/** Sets a line's or an area's pen. */
export function pen(context, symbol) {
  context.strokeStyle = colour(`mark-${symbol.colour}`);
  context.lineWidth = symbol.width ?? 2;
  context.setLineDash(symbol.dash ?? []);
  context.lineJoin = "round";
  context.lineCap = symbol.dash ? "butt" : "round";
}

/** A small canvas with the mark on it, for the legend. */
export function swatch(symbol) {
  const scale = Math.max(2, Math.ceil(globalThis.devicePixelRatio));
  const canvas = document.createElement("canvas");
  canvas.width = 28 * scale;
  canvas.height = 24 * scale;
  canvas.className = "legend-swatch";
  canvas.setAttribute("aria-hidden", "true");
  const draw = () => {
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, 28, 24);
    if (symbol.shape) {
      const { canvas: mark, half } = sprite(symbol, scale, draw);
      context.drawImage(mark, 14 - half, 12 - half, 2 * half, 2 * half);
      return;
    }
    context.beginPath();
    if (symbol.opacity) context.rect(4, 5, 20, 14);
    else {
      context.moveTo(3, 12);
      context.lineTo(25, 12);
    }
    if (symbol.opacity) {
      context.globalAlpha = symbol.opacity;
      context.fillStyle = colour(`mark-${symbol.colour}`);
      context.fill();
      context.globalAlpha = 1;
    }
    pen(context, symbol);
    context.stroke();
  };
  draw();
  return canvas;
}

const KINDS = ["problem_spot", "lighting", "cleanup"];
let short = null;

/** Whether a count says of which kinds of report it is. */
export const isMixed = (properties) => KINDS.some((kind) => kind in properties);

/**
 * A circle whose area goes with the count, the count inside. For reports it is dark with a ring of
 * their kinds; the counts of other layers are light, so that they stay in the background.
 */
export function drawCell(context, properties, radius, tint) {
  const { n } = properties;
  const mixed = isMixed(properties);
  short ??= new Intl.NumberFormat(document.documentElement.lang || "en", {
    notation: "compact",
    maximumFractionDigits: 1,
  });
  const disc = (reach, name) => {
    context.beginPath();
    context.arc(0, 0, reach, 0, TURN);
    context.fillStyle = colour(name);
    context.fill();
  };
  disc(radius + (mixed ? 2 : 1), "mark-halo");
  disc(radius, `mark-${tint}`);
  let from = -TURN / 4;
  for (const kind of KINDS) {
    const to = from + (TURN * (properties[kind] ?? 0)) / n;
    context.beginPath();
    context.moveTo(0, 0);
    context.arc(0, 0, radius, from, to);
    context.fillStyle = colour(`mark-${kind}`);
    context.fill();
    from = to;
  }
  disc(radius - (mixed ? 3 : 1.5), mixed ? "mark-cell" : "mark-halo");
  context.fillStyle = colour(mixed ? "mark-cell-text" : "mark-cell");
  context.font = `600 ${radius < 13 ? 10 : 12}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(short.format(n), 0, 0.5);
}
