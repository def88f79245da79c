// Starts the page: reads what the index holds, shows the view that the address names.

import { attempt, by, json, shared, typing } from "/static/common.js";
import * as label from "/static/label.js";
import * as map from "/static/map.js";
import * as search from "/static/search.js";

const VIEWS = ["search", "map", "label"];

function open() {
  const wanted = location.hash.slice(1);
  const view = VIEWS.includes(wanted) ? wanted : "search";
  for (const one of VIEWS) {
    by(one).hidden = one !== view;
    by(`tab-${one}`).setAttribute("aria-selected", String(one === view));
    by(`tab-${one}`).tabIndex = one === view ? 0 : -1;
  }
  if (view === "map") map.open();
  if (view === "label") label.open();
}

function steer() {
  for (const [at, one] of VIEWS.entries()) {
    by(`tab-${one}`).addEventListener("click", () => { location.hash = one; });
    by(`tab-${one}`).addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: VIEWS.length - 1 }[event.key];
      if (!step) return;
      location.hash = VIEWS[(at + step) % VIEWS.length];
      by(`tab-${VIEWS[(at + step) % VIEWS.length]}`).focus();
    });
  }
  window.addEventListener("hashchange", open);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || typing(event)) return;
    event.preventDefault();
    location.hash = "search";
    open();
    by("box").focus();
  });
}

shared.facts = await attempt(() => json("index"));
if (shared.facts) {
  const { sources, data, model, damaged } = shared.facts;
  const broken = damaged ? ` · ${damaged} damaged` : "";
  by("about").textContent = `${sources.toLocaleString("en-GB")} sources of ${data.join(", ")} · ${model}${broken}`;
  search.start();
  map.start();
  label.start();
  steer();
  open();
}
