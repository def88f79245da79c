// The latent map: pictures of the part in view come from the server; query, neighbours and lasso lie on top.

import { go, note, said } from "/static/address.js";
import { attempt, blob, by, events, json, make, picture, query, saver, shared } from "/static/common.js";
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
let coloured = null; // the column that the map shows, or is about to
let below = ""; // what the sources below the map answer
let waiting;
let asking = new AbortController();

const part = () => [view.x, view.y, view.unit].map((one) => Number(one.toPrecision(7))).join(" ");
const notePart = () => note({ part: part() });

async function fetchPicture() {
  if (by("map").hidden) return; // it has no size; it is drawn when it is opened again
  asking.abort();
  asking = new AbortController();
  const extent = view.extent;
  const fine = Math.min(window.devicePixelRatio || 1, FINEST);
  const size = { width: Math.round(view.width * fine), height: Math.round(view.height * fine) };
  const wanted = query({ ...extent, ...size, column: coloured });
  const shown = `${part()} ${coloured}`;
  notePart();
  try {
    const file = await blob(`map/picture?${wanted}`, undefined, asking.signal);
    drawn = { extent, shown, image: await createImageBitmap(file) };
    lose("");
  } catch (problem) {
    if (problem.name === "AbortError") return;
    drawn = null; // not that of another column or part
    lose(problem.message);
  }
  paint();
}

// Say in the map's place why there is none.
function lose(text) {
  by("lost").hidden = !text;
  by("lost").textContent = text;
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
  if (!shared.answer?.answers) return;
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
  } else if (by("lost").hidden) {
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

const select = (polygon) => go({ part: part(), select: polygon.map((point) => point.map((one) => one.toPrecision(5)).join(" ")).join(",") });

function tellBelow(text, sources, which, failed = false) {
  by("selected").textContent = text;
  by("selected").classList.toggle("failed", failed);
  show(by("selection"), sources);
  by("save-selected").hidden = !sources.length;
  if (sources.length) saver(by("save-selected"), which);
}

async function showSelection(text) {
  const polygon = text.split(",").map((point) => point.split(" ").map(Number));
  outline = polygon;
  paint();
  tellBelow("Looking …", []);
  let found;
  try {
    found = await json("map/selection", { polygon, n: 60 });
  } catch (problem) {
    if (below === text) tellBelow(problem.message, [], null, true);
    return;
  }
  if (below !== text) return;
  const shown = found.count > found.sources.length ? `, the ${found.sources.length} most central below` : "";
  tellBelow(`${found.count.toLocaleString("en-GB")} sources selected${shown}.`, found.sources, () => ({ polygon }));
}

// Below the map: what the outline holds, or else what answers the search.
function showBelow() {
  paint();
  const wanted = said().values.get("select") ?? "";
  if (wanted) {
    if (wanted !== below) showSelection(below = wanted);
    return;
  }
  [below, outline] = ["", []];
  paint();
  const { query: asked, answers, request, problem } = shared.answer ?? {};
  if (answers) tellBelow(`${answers.length} sources most like ${asked.name}.`, answers, () => ({ search: request }));
  else tellBelow(problem ?? "", [], null, Boolean(problem));
}

const viewPolygon = () => {
  const { x0, x1, y0, y1 } = view.extent;
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
};

async function legend() {
  const column = coloured;
  let found;
  try {
    found = await json(`map/colours?${query({ column })}`);
  } catch {
    found = null; // the drawing fails for the same reason, and says it
  }
  if (column !== coloured) return;
  by("legend").replaceChildren(...(found === null ? [] : found.kind === "class" ? classes(found) : scale(found)));
}

function classes({ names, colours }) {
  return names.map((name, at) => {
    const mark = make("i");
    mark.style.background = colours[at];
    return make("span", {}, mark, name);
  });
}

function scale({ names: [low, high], colours, unit }) {
  const steps = colours.map((colour) => {
    const step = make("span");
    step.style.background = colour;
    return step;
  });
  return [`${low}${unit}`, make("span", { className: "scale" }, ...steps), `${high}${unit}`];
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
    if (!shared.facts.has_map) lose("The index has no map yet: run skylobe map on it, and start the server again.");
    return;
  }
  const { values } = said();
  const wanted = values.get("colour") ?? facts.colour;
  if (coloured !== wanted) {
    by("colour").value = coloured = wanted;
    legend();
    changed();
  }
  const there = (values.get("part") ?? "").split(" ").map(Number);
  if (there.length !== 3 || !there.every(Number.isFinite)) {
    if (!view.unit) view.fit(facts.extent);
  } else if (values.get("part") !== (view.unit && part())) {
    view.show(...there);
  }
  if (drawn?.shown !== `${part()} ${coloured}`) changed();
  showBelow();
}

export async function start() {
  if (!shared.facts.has_map) return;
  const found = await attempt(() => json("map"));
  if (!found) return;
  facts = found;
  const canvas = by("canvas");
  view = new View(canvas, changed);
  by("colour").replaceChildren(...facts.columns.map((name) => make("option", { value: name }, name)));
  by("map-facts").textContent = `${facts.points.toLocaleString("en-GB")} points, ${facts.method.toUpperCase()} of `
    + `${(100 * facts.variance_kept).toFixed(1)} % of the variance. The two axes mean nothing. A click searches from a point; rings are the query and its neighbours.`;
  by("colour").addEventListener("change", () => go({ part: part(), colour: by("colour").value }));
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
      notePart();
      if (found) events.dispatchEvent(new CustomEvent("search", { detail: found }));
    },
  });
  window.addEventListener("resize", () => { if (!by("map").hidden) changed(); });
  events.addEventListener("answer", showBelow);
  walk(by("selection"));
  if (!by("map").hidden) open();
}
