// What all three views share: asking the server, building elements, saying what went wrong, saving files.

// the index; and what the present question is answered with: null while nobody knows, or { problem }
export const shared = { facts: null, answer: null };
export const events = new EventTarget(); // "answer": there is a new one; "search": detail is a source to search from

export const by = (id) => document.getElementById(id);

export function make(kind, given = {}, ...children) {
  const element = document.createElement(kind);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((one) => one !== null && one !== undefined && one !== ""));
  return element;
}

async function ask(path, body, signal) {
  const raw = body instanceof Blob;
  const options = body === undefined ? { signal } : {
    method: "POST",
    headers: { "Content-Type": raw ? "application/octet-stream" : "application/json" },
    body: raw ? body : JSON.stringify(body),
    signal,
  };
  let answer;
  try {
    answer = await fetch(`/api/${path}`, options);
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Error("The server cannot be reached; is it still running?");
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    const problem = new Error(told.error ?? `The server answered ${answer.status}.`);
    throw Object.assign(problem, { instead: told.instead });
  }
  return answer;
}

export const json = async (path, body, signal) => (await ask(path, body, signal)).json();
export const blob = async (path, body, signal) => (await ask(path, body, signal)).blob();
export const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined)).toString();

// Put new elements in the place of old ones; the keyboard's focus stays on what has the same data-key.
export function fill(place, ...children) {
  const held = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  place.replaceChildren(...children);
  if (held === undefined) return;
  const all = [...place.querySelectorAll("[data-key]:not(:disabled)")];
  (all.find((one) => one.dataset.key === held) ?? all[0])?.focus({ preventScroll: true });
}

let hiding;
export function notice(text, good = false) {
  const shown = by("notice");
  shown.textContent = text;
  shown.classList.toggle("good", good);
  shown.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { shown.hidden = true; }, good ? 4000 : 12000);
}

// Run what a person started, and say why if it fails.
export async function attempt(action) {
  by("notice").hidden = true;
  try {
    return await action();
  } catch (problem) {
    if (problem.name !== "AbortError") notice(problem.message);
    return undefined;
  }
}

export async function save(path, body, name) {
  const address = URL.createObjectURL(await blob(path, body));
  const link = make("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

const FORMATS = { ".csv": "CSV", ".fits": "FITS", ".vot": "VOTable", ".ecsv": "ECSV", ".parquet": "Parquet", ".reg": "DS9 regions", ".moc.fits": "MOC" };

// A choice of format and a button that downloads what `which` describes.
export function saver(place, which) {
  const formats = Object.entries(FORMATS).map(([ending, name]) => make("option", { value: ending }, name));
  const choice = make("select", { "aria-label": "Format" }, ...formats);
  const press = () => attempt(() => save("export", { format: choice.value, ...which() }, `sources${choice.value}`));
  place.replaceChildren(choice, make("button", { onclick: press, type: "button" }, "Download"));
}

export function picture(source, size) {
  if (!source.thumbnail) return make("span", { className: "blank" }, "no picture");
  return make("img", { src: source.thumbnail, alt: "", width: size, height: size, draggable: false });
}

const TEXT = "input:not([type=checkbox], [type=radio]), select, textarea";
export const typing = (event) => event.target.closest?.(TEXT) !== null;
