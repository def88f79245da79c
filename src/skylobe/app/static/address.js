// The address says what the page shows: which view, what is asked, which source is open. Whoever opens the
// address sees the same; each question is a step that Back undoes.

const TABS = ["search", "map", "label"];

export function said() {
  const [tab, text] = location.hash.slice(1).split(/\?(.*)/s);
  return { tab: TABS.includes(tab) ? tab : TABS[0], values: new URLSearchParams(text ?? "") };
}

// The address after some changes: a list is several values, nothing takes a value away.
export function changed(changes, wanted = null) {
  const { tab, values } = said();
  for (const [name, value] of Object.entries(changes)) {
    values.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") values.append(name, one);
    }
  }
  const text = values.toString();
  return `#${wanted ?? tab}${text ? `?${text}` : ""}`;
}

let follow = () => {};

// A step that Back undoes. Where the address stays as it is, the same is asked once more.
export function go(changes, wanted = null) {
  const address = changed(changes, wanted);
  const again = address === changed({});
  if (!again) history.pushState(null, "", address);
  follow(again);
}

// What the page has come to without a step, such as the part of the map in view.
export function note(changes) {
  history.replaceState(null, "", changed(changes));
}

export function listen(action) {
  follow = action;
  window.addEventListener("popstate", () => action(false));
}
