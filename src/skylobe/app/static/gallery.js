// Sources as cards: the picture searches from them, two buttons mark them, links lead to the archives.

import { changed, go } from "/static/address.js";
import { events, fill, make, picture } from "/static/common.js";

const number = (value, digits) => value.toFixed(digits);

function facts(source) {
  const size = source.size_arcsec === null ? "" : `${number(source.size_arcsec, 0)}″`;
  const away = source.separation_arcsec ?? null;
  const top = source.similarity === undefined ? null
    : make("span", { className: "top" },
      make("span", { title: "similarity: cosine, at most 1" }, `S ${number(source.similarity, 3)}`),
      make("span", {}, `${source.rank}`));
  return make("div", { className: "facts" },
    top,
    make("b", {}, named(source)),
    make("span", {}, [source.label, size].filter(Boolean).join(" · ")),
    make("span", { className: "quiet" }, source.place),
    away !== null && away < 3600 ? make("span", { className: "quiet" }, `${number(away, 0)}″ away`) : null,
    source.entries > 1 ? make("span", { className: "quiet" }, `${source.entries} entries`) : null,
    make("span", {}, ...source.tags.map((tag) => make("span", { className: "tag" }, tag))));
}

// A source's name, which opens all that is known of it.
export function named(source) {
  return make("a", {
    href: changed({ source: source.id }), "data-key": `open ${source.id}`, title: "All about it",
    onclick: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go({ source: source.id });
    },
  }, source.id);
}

export function archives(source) {
  return make("div", { className: "links" }, ...Object.entries(source.links).map(([name, address]) =>
    make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, name)));
}

function card(source) {
  const send = (kind) => events.dispatchEvent(new CustomEvent(kind, { detail: source }));
  const mark = (kind, sign, text) => make("button", {
    type: "button", className: kind, "data-key": `${kind} ${source.id}`, "aria-label": `${text} ${source.id}`, title: text, onclick: () => send(kind),
  }, `${sign} ${kind}`);
  const open = make("button", {
    type: "button", className: "picture", "data-key": `search ${source.id}`, "aria-label": `Search from ${source.id}`, title: "Search from it",
    onclick: () => send("search"),
    onkeydown: (event) => {
      if (event.key === "+") send("like");
      if (event.key === "-") send("unlike");
    },
  }, picture(source, 168));
  return make("article", { className: "card" }, open, facts(source), archives(source),
    make("div", { className: "marks" }, mark("like", "+", "More like"), mark("unlike", "−", "Less like")));
}

export function show(place, sources) {
  fill(place, ...sources.map(card));
}

// Arrow keys go from picture to picture.
export function walk(place) {
  place.addEventListener("keydown", (event) => {
    const all = [...place.querySelectorAll(".picture")];
    const at = all.indexOf(event.target);
    if (at < 0) return;
    const columns = getComputedStyle(place).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (!step || !all[at + step]) return;
    event.preventDefault();
    all[at + step].focus();
  });
}
