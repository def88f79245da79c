// Mouse, pen and fingers on the map: dragging moves it or draws an outline, two fingers zoom, a tap points.

const STILL = 4; // pixels within which a press is a click
const CLOSE = 3; // pixels between the points of a lasso

export function listen(canvas, view, on) {
  const fingers = new Map();
  let from = null; // where the press began
  let path = [];
  let moved = false;

  const tool = () => document.querySelector("input[name=tool]:checked").value;
  const at = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };
  const box = ([x0, y0], [x1, y1]) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  const distance = ([x0, y0], [x1, y1]) => Math.hypot(x1 - x0, y1 - y0);
  const onMap = (points) => points.map(([x, y]) => view.toMap(x, y));

  function pinch(event) {
    const [one, other] = [...fingers.values()];
    const before = distance(one, other);
    fingers.set(event.pointerId, at(event));
    const [a, b] = [...fingers.values()];
    view.zoom(before / Math.max(distance(a, b), 1), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    from = at(event);
    fingers.set(event.pointerId, from);
    path = [from];
    moved = fingers.size > 1;
    on.hover(null);
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event);
    if (!fingers.has(event.pointerId)) {
      on.hover(...now);
      return;
    }
    if (fingers.size > 1) {
      pinch(event);
      return;
    }
    moved ||= distance(from, now) > STILL;
    if (!moved) return;
    const last = fingers.get(event.pointerId);
    fingers.set(event.pointerId, now);
    if (tool() === "pan") view.move(now[0] - last[0], now[1] - last[1]);
    else if (tool() === "box") on.draft(onMap(box(from, now)));
    else if (distance(path.at(-1), now) > CLOSE) {
      path.push(now);
      on.draft(onMap(path));
    }
  });
  const end = (event) => {
    if (!fingers.delete(event.pointerId) || fingers.size) return;
    const now = at(event);
    if (event.type === "pointercancel") return;
    if (!moved) {
      if (event.pointerType !== "mouse") on.hover(...now);
      on.click(...now);
    } else if (tool() === "box" && path.length) on.select(onMap(box(from, now)));
    else if (tool() === "lasso" && path.length > 2) on.select(onMap(thinned(path)));
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => on.hover(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 250), ...at(event));
  }, { passive: false });
}

// An outline stands in the address, and no hand draws finer than this.
function thinned(path) {
  const step = Math.ceil(path.length / 200);
  return path.filter((_, place) => place % step === 0);
}
