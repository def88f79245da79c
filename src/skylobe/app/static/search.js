// The view that searches: what is asked, what was found, marks, filters, downloads.

import { attempt, by, events, json, make, notice, picture, query, saver, shared } from "/static/common.js";
import { show, walk } from "/static/gallery.js";

let like = [];
let unlike = [];
let typed = ""; // what the marks belong to: the same text again only filters anew

const value = (id) => by(id).value.trim();

function request() {
  const asked = { like: like.map((one) => one.term), unlike: unlike.map((one) => one.term), n: Number(value("count")) };
  if (value("where")) asked.where = value("where");
  if (value("cone")) Object.assign(asked, { cone: value("cone"), cone_radius: Number(value("cone-radius")) || 1 });
  if (value("size-from") || value("size-to")) {
    asked.sizes = [Number(value("size-from")) || 0, Number(value("size-to")) || 1e6];
  }
  return asked;
}

function chip(one, kind) {
  const drop = () => {
    like = like.filter((other) => other !== one);
    unlike = unlike.filter((other) => other !== one);
    if (like.length) search();
    else begin();
  };
  return make("div", { className: `chip ${kind}` }, picture(one, 44),
    make("span", {}, kind === "like" ? "like " : "unlike ", make("b", {}, one.name)),
    make("button", { type: "button", "aria-label": `Leave out ${one.name}`, onclick: drop }, "×"));
}

function tell(answer) {
  const unusual = answer.query.unusual;
  const share = unusual === null ? ""
    : ` ${(100 * unusual).toFixed(0)} % of the index have a nearer neighbour than ${like.length + unlike.length > 1 ? "this query" : answer.query.name} has.`;
  by("found").textContent = `${answer.answers.length} sources in ${answer.seconds.toFixed(2)} s.${share}`;
}

let turn = 0;
export async function search() {
  const asked = request();
  const mine = ++turn;
  const answer = await attempt(() => json("search", asked));
  if (!answer || mine !== turn) return;
  // a position that was typed is told by the source that it meant
  if (like.length === 1 && !unlike.length) {
    Object.assign(like[0], { name: answer.query.name, thumbnail: answer.query.thumbnails[0] });
  }
  by("asked").hidden = false;
  by("asked").replaceChildren(...like.map((one) => chip(one, "like")), ...unlike.map((one) => chip(one, "unlike")));
  tell(answer);
  show(by("gallery"), answer.answers);
  by("save-found").hidden = false;
  saver(by("save-found"), () => ({ search: asked }));
  shared.answer = { ...answer, request: asked };
  events.dispatchEvent(new Event("answer"));
}

// Without a query: some sources to start from.
export async function begin() {
  by("asked").hidden = by("save-found").hidden = true;
  shared.answer = null;
  events.dispatchEvent(new Event("answer"));
  const some = await attempt(() => json(`tags/next?${query({ by: "chance", n: 24 })}`));
  if (!some || like.length) return;
  by("found").textContent = "Some sources by chance. Choose one, or type what you have.";
  show(by("gallery"), some.sources);
}

async function send(file) {
  if (file.size > shared.facts.upload_bytes) {
    notice(`${file.name}: larger than ${shared.facts.upload_bytes / 1e6} MB; cut out the source first.`);
    return;
  }
  const sent = await attempt(() => json(`uploads?${query({ name: file.name.slice(-200) })}`, new Blob([file])));
  if (!sent) return;
  [like, unlike] = [[sent], []];
  by("box").value = typed = "";
  location.hash = "search";
  await search();
}

function mark(source, mine, others) {
  const term = { term: source.id, name: source.id, thumbnail: source.thumbnail };
  return [[...mine.filter((one) => one.term !== source.id), term], others.filter((one) => one.term !== source.id)];
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

export function start() {
  const { columns, examples } = shared.facts;
  by("columns").textContent = Object.keys(columns).join(", ");
  by("box").placeholder = window.innerWidth < 700 ? "id, J-name, position, object"
    : `${examples[0]} · 13:45:41.2 +23:22:53 · 206.42 23.38 · or drop a FITS or PNG here`;
  by("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = value("box");
    if (text && text !== typed) [like, unlike, typed] = [[{ term: text, name: text, thumbnail: null }], [], text];
    if (like.length) search();
    else notice("Type what to search for, or choose a source.");
  });
  by("file").addEventListener("change", (event) => {
    if (event.target.files[0]) send(event.target.files[0]);
    event.target.value = "";
  });
  events.addEventListener("search", ({ detail }) => {
    [like, unlike] = mark(detail, [], []);
    by("box").value = typed = "";
    search();
    if (location.hash !== "#map") window.scrollTo({ top: 0 });
  });
  events.addEventListener("like", ({ detail }) => { [like, unlike] = mark(detail, like, unlike); search(); });
  events.addEventListener("unlike", ({ detail }) => {
    const [others, mine] = mark(detail, unlike, like);
    if (!mine.length) {
      notice("First choose what the sources should look like.");
      return;
    }
    [unlike, like] = [others, mine];
    search();
  });
  catchDrops();
  walk(by("gallery"));
  begin();
}
