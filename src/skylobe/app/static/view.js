// A window onto the plane of the map: which part the canvas shows, and what moves it.

export class View {
  constructor(canvas, changed) {
    Object.assign(this, { canvas, changed, x: 0, y: 0, unit: 0 }); // centre, and map units per pixel
  }

  get width() { return this.canvas.clientWidth; }
  get height() { return this.canvas.clientHeight; }

  get extent() {
    const [w, h] = [this.width * this.unit / 2, this.height * this.unit / 2];
    return { x0: this.x - w, x1: this.x + w, y0: this.y - h, y1: this.y + h };
  }

  fit([x0, x1, y0, y1]) {
    [this.x, this.y] = [(x0 + x1) / 2, (y0 + y1) / 2];
    this.unit = Math.max((x1 - x0) / this.width, (y1 - y0) / this.height);
    this.changed();
  }

  show(x, y, unit) {
    Object.assign(this, { x, y, unit });
    this.changed();
  }

  toPixel(x, y) {
    return [(x - this.x) / this.unit + this.width / 2, this.height / 2 - (y - this.y) / this.unit];
  }

  toMap(px, py) {
    return [this.x + (px - this.width / 2) * this.unit, this.y - (py - this.height / 2) * this.unit];
  }

  move(dx, dy) { // pixels
    this.x -= dx * this.unit;
    this.y += dy * this.unit;
    this.changed();
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) { // what lies under the pointer stays there
    const [x, y] = this.toMap(px, py);
    this.unit *= factor;
    this.x = x - (px - this.width / 2) * this.unit;
    this.y = y + (py - this.height / 2) * this.unit;
    this.changed();
  }
}
