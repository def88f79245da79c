// Starts the page: reads what the index holds, shows the view that the address names.

import { go, listen, said } from "/static/address.js";
import { attempt, by, json, shared, typing } from "/static/common.js";
import * as label from "/static/label.js";
import * as map from "/static/map.js";
import * as search from "/static/search.js";
import * as source from "/static/source.js";

// by the ids of their panels in index.html, in the order of the tabs; one starts with the page, opens when shown
const VIEWS = { search, map, label };
const NAMES = Object.keys(VIEWS);

function open(again = false) {
  const view = said().tab;
  for (const one of NAMES) {
    by(one).hidden = one !== view;
    by(`tab-${one}`).setAttribute("aria-selected", String(one === view));
    by(`tab-${one}`).tabIndex = one === view ? 0 : -1;
  }
  search.follow(again); // its answers lie on the map too
  VIEWS[view].open?.();
  source.follow();
}

function steer() {
  for (const [at, one] of NAMES.entries()) {
    by(`tab-${one}`).addEventListener("click", () => { if (said().tab !== one) go({}, one); });
    by(`tab-${one}`).addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: NAMES.length - 1 }[event.key];
      if (!step) return;
      const other = NAMES[(at + step) % NAMES.length];
      go({}, other);
      by(`tab-${other}`).focus();
    });
  }
  listen(open);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || typing(event) || by("source").open) return;
    event.preventDefault();
    if (said().tab !== "search") go({}, "search");
    by("box").focus();
    by("box").select();
  });
}

shared.facts = await attempt(() => json("index"));
if (shared.facts) {
  const { sources, data, model, damaged } = shared.facts;
  const broken = damaged ? ` · ${damaged} damaged` : "";
  by("about").textContent = `${sources.toLocaleString("en-GB")} sources of ${data.join(", ")} · ${model}${broken}`;
  for (const view of Object.values(VIEWS)) view.start();
  source.start();
  steer();
  open();
}
