// The view that searches: what is asked, what was found, marks, filters, downloads. The question is the
// address's; the page shows its answer, or why there is none, and never that of another.

import { go, note, said } from "/static/address.js";
import { by, events, fill, json, make, notice, picture, query, saver, shared } from "/static/common.js";
import { show, walk } from "/static/gallery.js";

const UPLOADED = "upload:";
const USUAL = { n: "24", within: "1" }; // what the address need not say
const FIELDS = { where: "where", around: "cone", within: "cone-radius", from: "size-from", to: "size-to", n: "count", order: "order" };

let asked = null; // the question whose answer stands here, or is on its way
let asking = new AbortController();
const known = new Map(); // terms that were seen before: their name and picture
const sending = new Map(); // files on their way to the server

function read() {
  const { values } = said();
  const found = { like: values.getAll("like"), unlike: values.getAll("unlike"), start: values.get("start") ?? "" };
  for (const name of Object.keys(FIELDS)) found[name] = values.get(name) ?? USUAL[name] ?? "";
  return found;
}

const isFiltered = ({ where, around, from, to }) => Boolean(where || around || from || to);

function filters({ where, around, within, from, to }) {
  const wanted = {};
  if (where) wanted.where = where;
  if (around) Object.assign(wanted, { cone: around, cone_radius: Number(within) || 1 });
  if (from || to) wanted.sizes = [Number(from) || 0, Number(to) || 1e6];
  return wanted;
}

// What goes to the server: sources like some, or without any, those that pass the filter.
function request(question) {
  const { like, unlike, n, order, start } = question;
  const wanted = { ...filters(question), n: Number(n) || 24 };
  return like.length ? { ...wanted, like, unlike } : { ...wanted, order: order || null, start: Number(start) || 0 };
}

// A single term that somebody typed stands in the box, where it can be changed.
function inBox({ like, unlike }) {
  return like.length === 1 && !unlike.length && !like[0].startsWith(UPLOADED) ? like[0] : "";
}

function fillIn(question) {
  by("box").value = inBox(question);
  for (const [name, id] of Object.entries(FIELDS)) by(id).value = question[name];
  if (isFiltered(question)) by("filters").open = true;
}

function typedFilters() {
  const found = { start: null };
  for (const [name, id] of Object.entries(FIELDS)) {
    const value = by(id).value.trim();
    found[name] = value === USUAL[name] ? null : value;
  }
  return found;
}

function chip(term, kind) {
  const part = known.get(term) ?? { name: term, thumbnail: null };
  const drop = () => {
    const [like, unlike] = [asked.like, asked.unlike].map((some) => some.filter((other) => other !== term));
    go({ like, unlike: like.length ? unlike : [], start: null });
  };
  return make("div", { className: `chip ${kind}` }, picture(part, 44),
    make("span", {}, `${kind} `, make("b", {}, part.name)),
    make("button", { type: "button", "data-key": term, "aria-label": `Leave out ${part.name}`, onclick: drop }, "×"));
}

function drawChips() {
  by("asked").hidden = !asked.like.length;
  fill(by("asked"), ...asked.like.map((one) => chip(one, "like")), ...asked.unlike.map((one) => chip(one, "unlike")));
}

function tell(text, failed = false) {
  by("found").textContent = text;
  by("found").classList.toggle("failed", failed);
}

function publish(answer) {
  shared.answer = answer;
  events.dispatchEvent(new Event("answer"));
}

// Nothing of the last answer counts from here on.
function wait() {
  drawChips();
  tell("Searching …");
  by("gallery").setAttribute("aria-busy", "true");
  by("save-found").hidden = by("instead").hidden = true;
  document.title = "skylobe";
  publish(null);
}

function fail(problem) {
  if (by("gallery").contains(document.activeElement)) by("box").focus();
  show(by("gallery"), []);
  tell(problem.message, true);
  by("pages").hidden = true;
  const choose = (id) => make("button", { type: "button", onclick: () => {
    by("box").focus(); // the button goes
    go({ like: [id], unlike: null, start: null });
  } }, id);
  by("instead").hidden = !problem.instead?.length;
  by("instead").replaceChildren(...(problem.instead ?? []).map(choose));
  publish({ problem: problem.message });
}

function showFound(answer, wanted) {
  for (const one of [...answer.query.like, ...answer.query.unlike]) known.set(one.term, one);
  drawChips();
  const { name, unusual } = answer.query;
  const several = asked.like.length + asked.unlike.length > 1;
  const share = unusual === null ? ""
    : ` ${(100 * unusual).toFixed(0)} % of the index have a nearer neighbour than ${several ? "this query" : name} has.`;
  tell(`${answer.answers.length} sources in ${answer.seconds.toFixed(2)} s.${share}`);
  show(by("gallery"), answer.answers);
  by("pages").hidden = true;
  saver(by("save-found"), () => ({ search: wanted }));
  document.title = `${name} · skylobe`;
  publish({ ...answer, request: wanted });
}

function pages(answer, wanted) {
  const there = answer.start + answer.sources.length;
  const page = (text, key, start) => make("button", {
    type: "button", "data-key": key, disabled: start < 0 || start >= answer.count,
    onclick: () => { go({ start: start || null }); window.scrollTo({ top: 0 }); },
  }, text);
  by("pages").hidden = answer.count <= answer.sources.length;
  fill(by("pages"), page("← Before", "before", answer.start ? Math.max(0, answer.start - wanted.n) : -1),
    make("span", { className: "quiet" }, `${(answer.start + 1).toLocaleString("en-GB")}–${there.toLocaleString("en-GB")}`),
    page("After →", "after", there));
}

function showBrowsed(answer, wanted) {
  const all = shared.facts.sources.toLocaleString("en-GB");
  tell(isFiltered(asked) ? `${answer.count.toLocaleString("en-GB")} of ${all} sources pass the filter.`
    : `${all} sources. Choose one to find its like, or type what you have.`);
  show(by("gallery"), answer.sources);
  pages(answer, wanted);
  saver(by("save-found"), () => ({ browse: wanted }));
  publish(null);
}

// A file that is on its way becomes the term that the server gives it.
async function arrived(mine) {
  const file = sending.get(asked.like[0]);
  if (!file) return;
  const sent = await file;
  known.set(sent.term, sent);
  if (mine !== asking) return;
  note({ like: [sent.term] });
  asked = read();
}

async function answerIt() {
  asking.abort();
  const mine = asking = new AbortController();
  wait();
  try {
    await arrived(mine);
    const wanted = request(asked);
    const answer = await json(asked.like.length ? "search" : "browse", wanted, mine.signal);
    if (mine !== asking) return;
    if (asked.like.length) showFound(answer, wanted);
    else showBrowsed(answer, wanted);
    by("save-found").hidden = false;
  } catch (problem) {
    if (mine === asking) fail(problem);
  } finally {
    if (mine === asking) by("gallery").removeAttribute("aria-busy");
  }
}

// Do what the address says; the same question is answered again only if somebody asks for it.
export function follow(again) {
  const question = read();
  if (!again && JSON.stringify(question) === JSON.stringify(asked)) return;
  asked = question;
  fillIn(question);
  answerIt();
}

async function upload(file) {
  const most = shared.facts.upload_bytes;
  if (file.size > most) throw new Error(`${file.name}: larger than ${most / 1e6} MB; cut out the source first.`);
  return json(`uploads?${query({ name: file.name.slice(-200) })}`, new Blob([file]));
}

function send(file) {
  const term = `${UPLOADED}${sending.size}/${file.name.slice(-200)}`;
  known.set(term, { name: file.name, thumbnail: null });
  sending.set(term, upload(file));
  sending.get(term).catch(() => {}); // told where the answer would be
  go({ like: [term], unlike: null, start: null }, "search");
}

function catchDrops() {
  const holdsFile = (event) => event.dataTransfer?.types.includes("Files");
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      by("drop").hidden = false;
    });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) by("drop").hidden = true; });
  document.addEventListener("drop", (event) => {
    by("drop").hidden = true;
    if (!holdsFile(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  });
}

function submit(event) {
  event.preventDefault();
  const text = by("box").value.trim();
  const marks = text === inBox(asked) ? {} : { like: text ? [text] : null, unlike: null };
  go({ ...marks, ...typedFilters() });
}

// A source among those that the answers should be like, or unlike.
function mark(kind, { id, name, thumbnail }) {
  known.set(id, { name: name ?? id, thumbnail });
  const others = { like: "unlike", unlike: "like" }[kind];
  const found = { [kind]: [...asked[kind].filter((one) => one !== id), id], [others]: asked[others].filter((one) => one !== id) };
  if (found.like.length) go({ ...found, start: null, select: null });
  else notice("First choose what the sources should look like.");
}

export function start() {
  const { columns, examples } = shared.facts;
  by("columns").textContent = Object.keys(columns).join(", ");
  for (const [name, kind] of Object.entries(columns)) {
    if (kind !== "number") continue;
    by("order").append(make("option", { value: `-${name}` }, `${name}, largest first`), make("option", { value: name }, `${name}, smallest first`));
  }
  by("box").placeholder = window.innerWidth < 700 ? "id, J-name, position, object"
    : `${examples[0]} · 13:45:41.2 +23:22:53 · 206.42 23.38 · or drop a FITS or PNG here`;
  by("ask").addEventListener("submit", submit);
  by("file").addEventListener("change", (event) => {
    if (event.target.files[0]) send(event.target.files[0]);
    event.target.value = "";
  });
  events.addEventListener("search", ({ detail }) => {
    known.set(detail.id, { name: detail.id, thumbnail: detail.thumbnail });
    go({ like: [detail.id], unlike: null, start: null, select: null, source: null }, said().tab === "label" ? "search" : null);
    if (!by("search").hidden) window.scrollTo({ top: 0 });
  });
  for (const kind of ["like", "unlike"]) events.addEventListener(kind, ({ detail }) => mark(kind, detail));
  catchDrops();
  walk(by("gallery"));
}
