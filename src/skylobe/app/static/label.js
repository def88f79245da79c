// The view that labels: one source at a time, keys for tags, the next ones proposed by what was learnt.

import { note, said } from "/static/address.js";
import { attempt, by, fill, json, make, picture, query, save, saver, shared, typing } from "/static/common.js";
import { archives, named } from "/static/gallery.js";

const BATCH = 12;
const KEYS = 9;

let tags = {}; // name to number of sources
let numbers = {}; // name to the number that is its key, for ever
let lookedAt = 0;
let queue = [];
let at = 0;
let past = []; // sources that were left behind
let done = []; // what takes each change back
let opened = false;
let under = Promise.resolve(); // the change that is on its way

const current = () => queue[at];

// One change after the other: each sees what the one before it made.
function inTurn(action) {
  under = under.catch(() => {}).then(action);
  return under;
}

async function post(path, change) {
  const found = await attempt(() => json(path, change));
  if (!found) return false;
  [tags, numbers, lookedAt] = [found.tags, found.keys, found.looked_at];
  return true;
}

// Give a source other tags; with `seen` false it was never looked at.
async function retag(source, wanted, seen = true) {
  const change = seen ? { ids: [source.id], add: wanted.filter((one) => !source.tags.includes(one)),
    remove: source.tags.filter((one) => !wanted.includes(one)) } : { ids: [source.id], forget: true };
  if (!await post("tags", change)) return false;
  Object.assign(source, { tags: wanted, looked_at: seen });
  return true;
}

async function change(source, wanted) {
  const before = { tags: [...source.tags], seen: Boolean(source.looked_at) };
  if (!await retag(source, wanted)) return false;
  done.push(async () => {
    const taken = await retag(source, before.tags, before.seen);
    if (taken) visit(source);
    return taken;
  });
  return true;
}

async function toggle(source, tag) {
  if (!source) return;
  const has = source.tags.includes(tag);
  if (await change(source, has ? source.tags.filter((one) => one !== tag) : [...source.tags, tag])) draw();
}

// A new tag has a key from now on; no source has it by that.
async function add(tag) {
  if (Object.hasOwn(numbers, tag)) return;
  if (!await post("tags/new", { tag })) return;
  done.push(() => post("tags/unmade", { tag }));
  draw();
}

async function undo() {
  const last = done.pop();
  if (!last) return;
  if (!await last()) done.push(last);
  draw();
}

async function next(source) {
  if (!source || source !== current()) return;
  if (!source.looked_at && !await change(source, [])) return; // none of the tags applies: worth knowing
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

const HOW = { uncertainty: "what the probe is least sure of", similarity: "most like what has the tag", chance: "by chance" };

async function propose() {
  const chosen = by("by").value;
  const wanted = { by: chosen, n: BATCH, tag: chosen === "similarity" ? by("like-tag").value || null : null };
  let found;
  try {
    found = await json(`tags/next?${query(wanted)}`);
  } catch (problem) { // nothing that was proposed by another rule stays
    [queue, at] = [[], 0];
    tell(problem.message, true);
    draw();
    return;
  }
  [queue, at] = [found.sources, 0];
  const learnt = Object.keys(found.sources[0]?.guesses ?? {}).length;
  tell(`${learnt ? `Learnt ${learnt} ${learnt === 1 ? "tag" : "tags"} from ${lookedAt} sources in ${found.seconds.toFixed(2)} s. ` : ""}`
    + `Next: ${queue.length ? HOW[found.by] : "nothing left"}.`);
  draw();
}

function tell(text, failed = false) {
  by("learnt").textContent = text;
  by("learnt").classList.toggle("failed", failed);
}

function drawCurrent() {
  const source = current();
  if (!source) {
    const failed = by("learnt").classList.contains("failed");
    by("current").replaceChildren(make("p", {}, failed ? by("learnt").textContent : "Every source has been looked at."));
    return;
  }
  const size = source.size_arcsec === null ? "" : `${source.size_arcsec.toFixed(0)}″`;
  const known = by("unblind").checked && source.label; // who sees it does not judge alone
  const line = [known && `catalogue: ${source.label}`, size, source.place].filter(Boolean).join(" · ");
  by("current").replaceChildren(
    make("div", { className: "large" }, picture(source, 560)),
    make("h2", {}, named(source)),
    make("p", { className: "quiet" }, line),
    make("p", {}, ...source.tags.map((tag) => make("span", { className: "tag" }, tag))),
    archives(source));
}

const inOrder = () => Object.keys(numbers).sort((one, other) => numbers[one] - numbers[other]);

function tagButton(tag) {
  const source = current();
  const guess = source?.guesses?.[tag];
  const belief = guess === undefined ? make("span")
    : make("meter", { min: 0, max: 1, value: guess, "aria-label": `${tag}, says the probe`, title: `the probe: ${(100 * guess).toFixed(0)} %` });
  return make("button", {
    type: "button", "data-key": tag, "aria-pressed": String(Boolean(source?.tags.includes(tag))),
    onclick: () => inTurn(() => toggle(source, tag)),
  }, numbers[tag] <= KEYS ? make("kbd", {}, `${numbers[tag]}`) : make("span"), make("span", {}, tag), belief,
  make("span", { className: "number" }, tags[tag].toLocaleString("en-GB")));
}

function drawTags() {
  const names = inOrder();
  const hint = make("p", { className: "quiet" }, "No tags yet: type the first below, such as “bent”.");
  fill(by("tags"), ...(names.length ? names.map(tagButton) : [hint]));
  const kept = by("like-tag").value;
  const used = names.filter((tag) => tags[tag]);
  by("like-tag").replaceChildren(...used.map((tag) => make("option", { value: tag }, tag)));
  if (used.includes(kept)) by("like-tag").value = kept;
}

function strip(place, sources) {
  fill(place, ...sources.map((source) => make("button", {
    type: "button", "data-key": source.id, title: source.id, "aria-label": `Look at ${source.id}`,
    "aria-current": String(source === current()), onclick: () => inTurn(() => visit(source)),
  }, picture(source, 52))));
}

function draw() {
  drawCurrent();
  drawTags();
  strip(by("queue"), queue.slice(at));
  strip(by("recent"), past.slice(-16).reverse());
  by("progress").textContent = `${lookedAt.toLocaleString("en-GB")} of ${shared.facts.sources.toLocaleString("en-GB")} sources, kept on disk.`;
  by("training").disabled = by("save-tagged").hidden = !inOrder().some((tag) => tags[tag]);
  by("undo").disabled = !done.length;
  by("back").disabled = !past.length;
  if (current()) note({ at: current().id });
}

function keys(event) {
  if (by("label").hidden || by("source").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") event.target.blur?.();
  // Enter on a button presses that button
  if (typing(event) || (event.key === "Enter" && event.target.closest("button, a"))) return;
  const name = inOrder().find((one) => String(numbers[one]) === event.key && numbers[one] <= KEYS);
  const source = current(); // what is seen when the key goes down, whatever comes before its turn
  const onward = () => inTurn(() => next(source));
  const actions = { Enter: onward, ArrowRight: onward, ArrowLeft: () => inTurn(back), u: () => inTurn(undo), n: () => by("tag").focus() };
  const action = name ? () => inTurn(() => toggle(source, name)) : actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

export async function open() {
  if (opened) return;
  opened = true;
  const found = await attempt(() => json("tags"));
  if (!found) return;
  [tags, numbers, lookedAt] = [found.tags, found.keys, found.looked_at];
  past = (await attempt(() => json("tags/sources?n=16")) ?? []).reverse();
  const { values } = said();
  by("by").value = values.get("by") ?? "uncertainty";
  by("by-tag").hidden = by("by").value !== "similarity";
  drawTags();
  by("like-tag").value = values.get("tag") ?? by("like-tag").value;
  await propose();
  const wanted = values.get("at");
  if (!wanted || wanted === current()?.id) return;
  const source = await attempt(() => json(`source?${query({ id: wanted })}`));
  if (source) visit(source);
}

function chooseAgain() {
  const chosen = by("by").value;
  by("by-tag").hidden = chosen !== "similarity";
  note({ by: chosen === "uncertainty" ? null : chosen, tag: chosen === "similarity" ? by("like-tag").value : null });
  inTurn(propose);
}

export function start() {
  by("new-tag").addEventListener("submit", async (event) => {
    event.preventDefault();
    const tag = by("tag").value.trim().replace(/\s+/g, " ");
    if (!tag) return;
    by("tag").value = "";
    by("tag").blur();
    await inTurn(() => add(tag));
  });
  by("next").addEventListener("click", () => inTurn(() => next(current())));
  by("back").addEventListener("click", () => inTurn(back));
  by("undo").addEventListener("click", () => inTurn(undo));
  by("by").addEventListener("change", chooseAgain);
  by("like-tag").addEventListener("change", chooseAgain);
  by("unblind").addEventListener("change", drawCurrent);
  by("training").addEventListener("click", () => attempt(() => save("tags/table", {}, "training_table.zip")));
  saver(by("save-tagged"), () => ({ tagged: true }));
  document.addEventListener("keydown", keys);
}
