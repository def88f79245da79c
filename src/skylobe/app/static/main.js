// Starts the page: reads what the index holds, shows the view that the address names.

import { attempt, by, json, shared, typing } from "/static/common.js";
import * as label from "/static/label.js";
import * as map from "/static/map.js";
import * as search from "/static/search.js";

// by the ids of their panels in index.html, in the order of the tabs; one starts with the page, opens when shown
const VIEWS = { search, map, label };
const NAMES = Object.keys(VIEWS);

function open() {
  const wanted = location.hash.slice(1);
  const view = NAMES.includes(wanted) ? wanted : "search";
  for (const one of NAMES) {
    by(one).hidden = one !== view;
    by(`tab-${one}`).setAttribute("aria-selected", String(one === view));
    by(`tab-${one}`).tabIndex = one === view ? 0 : -1;
  }
  VIEWS[view].open?.();
}

function steer() {
  for (const [at, one] of NAMES.entries()) {
    by(`tab-${one}`).addEventListener("click", () => { location.hash = one; });
    by(`tab-${one}`).addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: NAMES.length - 1 }[event.key];
      if (!step) return;
      location.hash = NAMES[(at + step) % NAMES.length];
      by(`tab-${NAMES[(at + step) % NAMES.length]}`).focus();
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
  for (const view of Object.values(VIEWS)) view.start();
  steer();
  open();
}
