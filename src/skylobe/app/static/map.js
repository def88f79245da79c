// The latent map: pictures of the part in view come from the server; query, neighbours and lasso lie on top.

import { attempt, blob, by, events, json, make, notice, picture, query, saver, shared } from "/static/common.js";
import { show, walk } from "/static/gallery.js";
import { listen } from "/static/pointer.js";
import { View } from "/static/view.js";

const REACH = 14; // pixels around the pointer in which a point is meant
const WAIT = 110; // milliseconds without a movement before the server draws
const FINEST = 2; // device pixels per pixel that are drawn at most

let facts;
let view;
let drawn = null; // the latest picture and the part that it shows
let outline = []; // of the selection, in map units
let waiting;
let asking = new AbortController();

async function fetchPicture() {
  asking.abort();
  asking = new AbortController();
  const extent = view.extent;
  const fine = Math.min(window.devicePixelRatio || 1, FINEST);
  const size = { width: Math.round(view.width * fine), height: Math.round(view.height * fine) };
  const wanted = query({ ...extent, ...size, column: by("colour").value });
  const file = await attempt(() => blob(`map/picture?${wanted}`, undefined, asking.signal));
  if (!file) return;
  drawn = { extent, image: await createImageBitmap(file) };
  paint();
}

function changed() {
  paint();
  clearTimeout(waiting);
  waiting = setTimeout(fetchPicture, WAIT);
}

function ring(context, x, y, radius, colour, width = 2) {
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function paintAnswer(context) {
  if (!shared.answer) return;
  for (const one of shared.answer.answers) {
    if (one.x === null) continue;
    const [x, y] = view.toPixel(one.x, one.y);
    ring(context, x, y, 7, "#000", 4);
    ring(context, x, y, 7, "#fff");
  }
  const asked = shared.answer.query;
  if (asked.x === null) return;
  const [x, y] = view.toPixel(asked.x, asked.y);
  ring(context, x, y, 12, "#000", 6);
  ring(context, x, y, 12, "#ffb454", 3);
}

function paintOutline(context) {
  if (outline.length < 2) return;
  context.beginPath();
  for (const [x, y] of outline) context.lineTo(...view.toPixel(x, y));
  context.closePath();
  context.fillStyle = "rgba(255, 180, 84, .14)";
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "#ffb454";
  context.stroke();
}

function paint() {
  const canvas = by("canvas");
  const fine = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(view.width * fine), Math.round(view.height * fine)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(fine, 0, 0, fine, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  if (drawn) {
    const { x0, x1, y0, y1 } = drawn.extent;
    const [left, top] = view.toPixel(x0, y1);
    context.drawImage(drawn.image, left, top, (x1 - x0) / view.unit, (y1 - y0) / view.unit);
  } else {
    context.font = "16px system-ui, sans-serif";
    context.fillStyle = "#b3bfd0";
    context.fillText("Drawing …", 16, 30);
  }
  paintAnswer(context);
  paintOutline(context);
}

const near = (px, py) => {
  const [x, y] = view.toMap(px, py);
  return json(`map/nearest?${query({ x, y, radius: REACH * view.unit })}`);
};

let pointing = 0;
async function hover(px, py) {
  const mine = ++pointing;
  await new Promise((done) => { setTimeout(done, 60); });
  if (mine !== pointing) return;
  const found = px === null ? null : await near(px, py).catch(() => null);
  if (mine !== pointing) return;
  const shown = by("hover");
  shown.hidden = !found;
  if (!found) return;
  const size = found.size_arcsec === null ? "" : `${found.size_arcsec.toFixed(0)}″`;
  shown.replaceChildren(picture(found, 158), make("b", {}, found.id), make("div", {}, [found.label, size].filter(Boolean).join(" · ")));
  shown.style.left = `${Math.min(px + 16, view.width - 182)}px`;
  shown.style.top = `${Math.max(4, Math.min(py + 16, view.height - 240))}px`;
}

async function select(polygon) {
  outline = polygon;
  paint();
  const found = await attempt(() => json("map/selection", { polygon, n: 60 }));
  if (!found) return;
  const shown = found.count > found.sources.length ? `, the ${found.sources.length} most central below` : "";
  by("selected").textContent = `${found.count.toLocaleString("en-GB")} sources selected${shown}.`;
  show(by("selection"), found.sources);
  by("save-selected").hidden = found.count === 0;
  saver(by("save-selected"), () => ({ polygon }));
}

// A search that was started here shows its answers here too.
function showAnswer() {
  paint();
  if (by("map").hidden || !shared.answer) return;
  outline = [];
  paint();
  const { query: asked, answers, request } = shared.answer;
  by("selected").textContent = `${answers.length} sources most like ${asked.name}.`;
  show(by("selection"), answers);
  by("save-selected").hidden = false;
  saver(by("save-selected"), () => ({ search: request }));
}

const viewPolygon = () => {
  const { x0, x1, y0, y1 } = view.extent;
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
};

async function legend() {
  const found = await attempt(() => json(`map/colours?${query({ column: by("colour").value })}`));
  if (!found) return;
  const dot = (colour) => {
    const mark = make("i");
    mark.style.background = colour;
    return mark;
  };
  if (found.kind === "class") {
    by("legend").replaceChildren(...found.names.map((name, at) => make("span", {}, dot(found.colours[at]), name)));
    return;
  }
  const steps = found.colours.map((colour) => {
    const step = make("span");
    step.style.background = colour;
    return step;
  });
  const [low, high] = found.names;
  by("legend").replaceChildren(low, make("span", { className: "scale" }, ...steps), high);
}

const KEYS = {
  ArrowLeft: () => view.move(60, 0),
  ArrowRight: () => view.move(-60, 0),
  ArrowUp: () => view.move(0, 60),
  ArrowDown: () => view.move(0, -60),
  "+": () => view.zoom(0.7),
  "=": () => view.zoom(0.7),
  "-": () => view.zoom(1 / 0.7),
  0: () => view.fit(facts.extent),
  s: () => select(viewPolygon()),
};

export function open() {
  if (!facts) {
    if (!shared.facts.has_map) notice("The index has no map; make one with skylobe map, and start the server again.");
    return;
  }
  if (drawn === null) view.fit(facts.extent);
  else changed();
}

export async function start() {
  if (!shared.facts.has_map) return;
  facts = await attempt(() => json("map"));
  if (!facts) return;
  const canvas = by("canvas");
  view = new View(canvas, changed);
  by("colour").replaceChildren(...facts.columns.map((name) => make("option", { value: name }, name)));
  by("map-facts").textContent = `${facts.points.toLocaleString("en-GB")} points, ${facts.method.toUpperCase()} of `
    + `${(100 * facts.variance_kept).toFixed(1)} % of the variance. The two axes mean nothing. A click searches from a point; rings are the query and its neighbours.`;
  by("colour").addEventListener("change", () => { legend(); changed(); });
  by("zoom-in").addEventListener("click", KEYS["+"]);
  by("zoom-out").addEventListener("click", KEYS["-"]);
  by("zoom-all").addEventListener("click", KEYS[0]);
  by("select-view").addEventListener("click", KEYS.s);
  for (const tool of document.getElementsByName("tool")) {
    tool.addEventListener("change", () => { canvas.className = tool.value; });
  }
  canvas.addEventListener("keydown", (event) => {
    if (!KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  listen(canvas, view, {
    hover,
    draft: (points) => { outline = points; paint(); },
    select,
    click: async (px, py) => {
      const found = await attempt(() => near(px, py));
      if (found) events.dispatchEvent(new CustomEvent("search", { detail: found }));
    },
  });
  window.addEventListener("resize", () => { if (!by("map").hidden) changed(); });
  events.addEventListener("answer", showAnswer);
  walk(by("selection"));
  legend();
  if (!by("map").hidden) open();
}
