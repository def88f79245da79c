// The view that labels: one source at a time, keys for tags, the next ones proposed by what was learnt.

import { attempt, by, json, make, picture, query, save, saver, shared, typing } from "/static/common.js";
import { archives } from "/static/gallery.js";

const BATCH = 12;
const KEYS = 9;

let tags = {}; // name to number of sources
let lookedAt = 0;
let queue = [];
let at = 0;
let past = []; // sources that were left behind
let done = []; // changes, for undo
let opened = false;

const current = () => queue[at];

function counted(found) {
  tags = found.tags;
  lookedAt = found.looked_at;
}

async function post(change) {
  const found = await attempt(() => json("tags", change));
  if (!found) return false;
  counted(found);
  return true;
}

async function toggle(tag) {
  const source = current();
  if (!source) return;
  const has = source.tags.includes(tag);
  if (!await post({ ids: [source.id], [has ? "remove" : "add"]: [tag] })) return;
  const before = [...source.tags];
  source.tags = has ? before.filter((one) => one !== tag) : [...before, tag];
  done.push({ source, before, fresh: !source.seen });
  source.seen = true;
  draw();
}

async function undo() {
  const last = done.pop();
  if (!last) return;
  const { source, before, fresh } = last;
  const gone = source.tags.filter((one) => !before.includes(one));
  const back = before.filter((one) => !source.tags.includes(one));
  const change = fresh && !before.length ? { ids: [source.id], forget: true } : { ids: [source.id], add: back, remove: gone };
  if (!await post(change)) return;
  source.tags = before;
  if (change.forget) source.seen = false;
  if (current() !== source) visit(source);
  else draw();
}

async function next() {
  const source = current();
  if (!source) return;
  if (!source.seen) { // none of the tags applies, and that is worth knowing
    if (!await post({ ids: [source.id] })) return;
    done.push({ source, before: [], fresh: true });
    source.seen = true;
  }
  past = [...past.filter((one) => one.id !== source.id), source].slice(-200);
  at += 1;
  if (at >= queue.length) await propose();
  else draw();
}

function visit(source) {
  queue = [source, ...queue.slice(at).filter((one) => one.id !== source.id)];
  at = 0;
  draw();
}

function back() {
  const source = past.pop();
  if (source) visit(source);
}

async function propose() {
  const chosen = by("by").value;
  const wanted = { by: chosen, n: BATCH, tag: chosen === "similarity" ? by("like-tag").value || null : null };
  const found = await attempt(() => json(`tags/next?${query(wanted)}`));
  if (!found) return;
  [queue, at] = [found.sources, 0];
  const learnt = Object.keys(found.sources[0]?.guesses ?? {}).length;
  const how = { uncertainty: "what the probe is least sure of", similarity: "most like what has the tag", chance: "by chance" }[found.by];
  by("learnt").textContent = `${learnt ? `Learnt ${learnt} ${learnt === 1 ? "tag" : "tags"} from ${lookedAt} sources in ${found.seconds.toFixed(2)} s. ` : ""}`
    + `Next: ${queue.length ? how : "nothing left"}.`;
  draw();
}

function drawCurrent() {
  const source = current();
  if (!source) {
    by("current").replaceChildren(make("p", {}, "Every source has been looked at."));
    return;
  }
  const size = source.size_arcsec === null ? "" : `${source.size_arcsec.toFixed(0)}″`;
  const line = [source.label && `catalogue: ${source.label}`, size, source.place].filter(Boolean).join(" · ");
  by("current").replaceChildren(
    make("div", { className: "large" }, picture(source, 560)),
    make("h2", {}, source.id),
    make("p", { className: "quiet" }, line),
    make("p", {}, ...source.tags.map((tag) => make("span", { className: "tag" }, tag))),
    archives(source));
}

function drawTags() {
  const source = current();
  const buttons = Object.entries(tags).map(([tag, number], place) => {
    const guess = source?.guesses?.[tag];
    const belief = guess === undefined ? make("span") : make("meter", { min: 0, max: 1, value: guess, title: `the probe: ${(100 * guess).toFixed(0)} %` });
    return make("button", {
      type: "button", "aria-pressed": String(Boolean(source?.tags.includes(tag))), onclick: () => toggle(tag),
    }, place < KEYS ? make("kbd", {}, `${place + 1}`) : make("span"), make("span", {}, tag), belief,
    make("span", { className: "number" }, number.toLocaleString("en-GB")));
  });
  const hint = make("p", { className: "quiet" }, "No tags yet: type the first below, such as “bent”.");
  by("tags").replaceChildren(...(buttons.length ? buttons : [hint]));
  const names = Object.keys(tags).map((tag) => make("option", { value: tag }, tag));
  const kept = by("like-tag").value;
  by("like-tag").replaceChildren(...names);
  if (kept in tags) by("like-tag").value = kept;
}

function strip(place, sources) {
  place.replaceChildren(...sources.map((source) => make("button", {
    type: "button", title: source.id, "aria-label": `Look at ${source.id}`, "aria-current": String(source === current()),
    onclick: () => visit(source),
  }, picture(source, 52))));
}

function draw() {
  drawCurrent();
  drawTags();
  strip(by("queue"), queue.slice(at));
  strip(by("recent"), past.slice(-16).reverse());
  by("progress").textContent = `${lookedAt.toLocaleString("en-GB")} of ${shared.facts.sources.toLocaleString("en-GB")} sources, kept on disk.`;
  by("training").disabled = by("save-tagged").hidden = !Object.keys(tags).length;
  by("undo").disabled = !done.length;
  by("back").disabled = !past.length;
}

function keys(event) {
  if (by("label").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") event.target.blur?.();
  // Enter on a button presses that button
  if (typing(event) || (event.key === "Enter" && event.target.closest("button, a"))) return;
  const name = Object.keys(tags)[Number(event.key) - 1];
  const actions = { Enter: next, ArrowRight: next, ArrowLeft: back, u: undo, n: () => by("tag").focus() };
  const action = /^[1-9]$/.test(event.key) && name ? () => toggle(name) : actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

export async function open() {
  if (opened) return;
  opened = true;
  const found = await attempt(() => json("tags"));
  if (!found) return;
  counted(found);
  past = (await attempt(() => json("tags/sources?n=16")) ?? []).reverse().map((one) => ({ ...one, seen: true }));
  await propose();
}

export function start() {
  by("new-tag").addEventListener("submit", async (event) => {
    event.preventDefault();
    const tag = by("tag").value.trim().replace(/\s+/g, " ");
    if (!tag) return;
    if (!current()?.tags.includes(tag)) await toggle(tag);
    by("tag").value = "";
    by("tag").blur();
  });
  by("next").addEventListener("click", next);
  by("back").addEventListener("click", back);
  by("undo").addEventListener("click", undo);
  by("by").addEventListener("change", () => {
    by("by-tag").hidden = by("by").value !== "similarity";
    propose();
  });
  by("like-tag").addEventListener("change", propose);
  by("training").addEventListener("click", () => attempt(() => save("tags/table", {}, "training_table.zip")));
  saver(by("save-tagged"), () => ({ tagged: true }));
  document.addEventListener("keydown", keys);
}
