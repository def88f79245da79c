// One source at large: its picture with scale bar, compass and beam, all that is known of it, its neighbours.

import { go, said } from "/static/address.js";
import { attempt, by, events, json, make, picture, query, save } from "/static/common.js";
import { archives } from "/static/gallery.js";

const PIXELS = 70; // of a picture, each way
const LARGE = 560; // of the picture that is drawn
const BARS = [60, 30, 10, 5]; // arcsec
const NEIGHBOURS = 8;
const STRETCHES = { arcsinh: "arcsinh", linear: "linear", sqrt: "square root", faint: "faintest parts" };

let shown = null; // id of the source that is open
let source = null;
let stretch = "arcsinh";

async function load(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

function line(context, colour, width) {
  Object.assign(context, { strokeStyle: colour, fillStyle: colour, lineWidth: width });
}

// Everything on the picture is drawn twice: dark and wide, then bright, so that it shows on any sky.
function twice(context, draw) {
  for (const [colour, width] of [["#000c", 5], ["#fff", 2]]) {
    line(context, colour, width);
    draw(colour === "#fff");
  }
}

function text(context, words, x, y, isBright) {
  context.lineWidth = 4;
  if (isBright) context.fillText(words, x, y);
  else context.strokeText(words, x, y);
}

function bar(context, perPixel) {
  const angle = BARS.find((one) => one / perPixel <= LARGE / 3);
  if (!angle) return;
  const long = angle / perPixel;
  twice(context, (isBright) => {
    context.beginPath();
    context.moveTo(20, LARGE - 22);
    context.lineTo(20 + long, LARGE - 22);
    context.stroke();
    context.textAlign = "center";
    text(context, `${angle}″`, 20 + long / 2, LARGE - 32, isBright);
  });
}

// North is up and east left on every picture whose place is known.
function compass(context) {
  const [x, y, long] = [LARGE - 26, LARGE - 26, 46];
  twice(context, (isBright) => {
    context.beginPath();
    context.moveTo(x, y - long);
    context.lineTo(x, y);
    context.lineTo(x - long, y);
    context.stroke();
    context.textAlign = "center";
    text(context, "N", x, y - long - 8, isBright);
    text(context, "E", x - long - 12, y + 6, isBright);
  });
}

function beam(context, width) {
  twice(context, (isBright) => {
    context.beginPath();
    context.arc(22 + width / 2, 22 + width / 2, width / 2, 0, 2 * Math.PI);
    context.stroke();
    context.textAlign = "left";
    text(context, "beam", 34 + width, 28 + width / 2, isBright);
  });
}

async function drawPicture(canvas, one) {
  const address = `/api/source/picture?${query({ id: one.id, stretch })}`;
  const image = await load(address);
  if (source !== one || canvas.dataset.stretch !== stretch) return;
  const context = canvas.getContext("2d");
  Object.assign(context, { imageSmoothingEnabled: true, imageSmoothingQuality: "high", font: "17px system-ui, sans-serif", lineJoin: "round" });
  context.drawImage(image, 0, 0, LARGE, LARGE);
  if (one.pixel_scale === null) return;
  const perPixel = one.pixel_scale * PIXELS / LARGE;
  bar(context, perPixel);
  if (one.ra !== null) compass(context);
  if (one.beam_arcsec !== null) beam(context, one.beam_arcsec / perPixel);
}

function portrait(one) {
  const canvas = make("canvas", {
    width: LARGE, height: LARGE, role: "img", "aria-label": `Picture of ${one.id}${one.pixel_scale === null ? "" : `, ${Math.round(PIXELS * one.pixel_scale)}″ wide`}`,
  });
  canvas.dataset.stretch = stretch;
  const draw = () => attempt(() => drawPicture(canvas, one));
  const choice = make("select", {
    id: "stretch",
    onchange: () => { canvas.dataset.stretch = stretch = choice.value; draw(); },
  }, ...Object.entries(STRETCHES).map(([value, name]) => make("option", { value, selected: value === stretch }, name)));
  draw();
  const keep = () => canvas.toBlob((data) => {
    const address = URL.createObjectURL(data);
    make("a", { href: address, download: `${plain(one.id)}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  });
  const fits = () => attempt(() => save(`source/fits?${query({ id: one.id })}`, undefined, `${plain(one.id)}.fits`));
  return make("div", { className: "portrait" }, one.thumbnail ? canvas : make("p", { className: "quiet" }, "There is no picture of it."),
    make("div", { className: "row" }, make("label", { className: "inline" }, "Stretch ", choice),
      make("button", { type: "button", onclick: keep }, "PNG"), make("button", { type: "button", onclick: fits }, "FITS")));
}

const plain = (id) => id.replace(/[^\w.+-]+/g, "_").slice(0, 80) || "source";

const spoken = (value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value);

function columns(one) {
  const { ra, dec, place, size_arcsec, label, facts, tags } = one;
  const all = { position: place, ra, dec, size_arcsec, label, ...facts, tags: tags.join(", ") };
  const known = Object.entries(all).filter(([, value]) => value !== null && value !== "");
  return make("table", {}, make("tbody", {}, ...known.map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, `${spoken(value)}`)))));
}

async function neighbours(place, one) {
  let found;
  try {
    found = await json("search", { like: [one.id], n: NEIGHBOURS });
  } catch (problem) {
    if (source === one) place.replaceChildren(make("p", { className: "failed" }, problem.message));
    return;
  }
  if (source !== one) return;
  place.replaceChildren(...found.answers.map((other) => make("button", {
    type: "button", title: `${other.id}, S ${other.similarity.toFixed(3)}`, "aria-label": `Open ${other.id}`,
    onclick: () => go({ source: other.id }),
  }, picture(other, 68))));
}

function draw(one) {
  const near = make("div", { className: "strip" });
  const search = make("button", { type: "button", className: "main", onclick: () => events.dispatchEvent(new CustomEvent("search", { detail: one })) }, "Search from it");
  by("source-body").replaceChildren(
    portrait(one),
    make("div", { className: "about" }, search, columns(one), make("h3", {}, "Archives"), archives(one),
      make("h3", {}, "Most like it"), near));
  neighbours(near, one);
}

async function open(id) {
  [shown, source] = [id, null];
  by("source-name").textContent = id;
  by("source-body").replaceChildren();
  if (!by("source").open) by("source").showModal();
  let found;
  try {
    found = await json(`source?${query({ id })}`);
  } catch (problem) {
    if (shown === id) by("source-body").replaceChildren(make("p", { className: "failed", role: "alert" }, problem.message));
    return;
  }
  if (shown !== id) return;
  source = found;
  draw(found);
}

// Open the source that the address names, or close what is open.
export function follow() {
  const id = said().values.get("source");
  if (id === shown) return;
  if (id) {
    open(id);
    return;
  }
  [shown, source] = [null, null];
  by("source").close();
}

export function start() {
  const dialog = by("source");
  by("source-close").addEventListener("click", () => go({ source: null }));
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); go({ source: null }); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) go({ source: null }); });
}
