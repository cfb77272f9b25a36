// Words in the hyperbolic plane and in the flat one: found in both, and moved by each plane's own isometries.

const NEAR = 22; // pixels from the pointer within which a word is found
const KEY_STEP = 0.15; // of a plane's radius
const FARTHEST = 0.98; // of the disk's radius that a drag takes hold of
const LINE = 14; // pixels of a label's height

// complex numbers are pairs
const times = ([a, b], [c, d]) => [a * c - b * d, a * d + b * c];
const over = ([a, b], [c, d]) => [(a * c + b * d) / (c * c + d * d), (b * c - a * d) / (c * c + d * d)];

// the isometry of the disk that takes p to its middle: z to (z - p) / (1 - conj(p) z)
function centred(z, p) {
  const [u, v] = times([p[0], -p[1]], z);
  return over([z[0] - p[0], z[1] - p[1]], [1 - u, -v]);
}

class Plane {
  constructor(canvas, places, disk) {
    Object.assign(this, { canvas, places, disk, moved: places });
  }
  // what takes `from` to `to`
  drag(start, from, to) {
    const shift = this.disk
      ? (z) => centred(centred(z, from), [-to[0], -to[1]])
      : (z) => [z[0] + to[0] - from[0], z[1] + to[1] - from[1]];
    this.moved = start.map(shift);
  }
  reset() {
    this.moved = this.places;
  }
  px([x, y]) {
    const middle = this.size / 2, radius = 0.46 * this.size;
    return [middle + radius * x, middle - radius * y];
  }
  place(px, py) {
    const middle = this.size / 2, radius = 0.46 * this.size;
    const [x, y] = [(px - middle) / radius, (middle - py) / radius];
    const length = Math.hypot(x, y);
    return this.disk && length > FARTHEST ? [(x * FARTHEST) / length, (y * FARTHEST) / length] : [x, y];
  }
}

class WordMap {
  constructor(root, { words, disk, plane }) {
    Object.assign(this, { root, words, at: -1, query: "" });
    this.find = (name) => root.querySelector(`[data-part="${name}"]`);
    this.planes = [new Plane(this.find("disk"), disk, true), new Plane(this.find("plane"), plane, false)];
    root.dataset.live = "";
    root.planes = this.planes;
    this.find("search").addEventListener("input", (event) => {
      this.query = event.target.value.trim().toLowerCase();
      this.say(this.query ? this.words.findIndex((word) => word.toLowerCase().startsWith(this.query)) : -1);
    });
    this.find("reset").addEventListener("click", () => this.reset());
    for (const each of this.planes) this.listen(each);
    new ResizeObserver(() => this.resize()).observe(root);
    this.resize();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  reset() {
    for (const each of this.planes) each.reset();
    this.say(-1);
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    for (const each of this.planes) {
      each.size = Math.floor(each.canvas.clientWidth);
      each.canvas.width = each.canvas.height = Math.round(each.size * ratio);
      each.ratio = ratio;
    }
    this.paint();
  }

  say(at) {
    this.at = at;
    this.find("said").textContent = at < 0 ? "" : this.words[at];
    this.paint();
  }

  paint() {
    for (const each of this.planes) this.draw(each);
  }

  draw(plane) {
    const g = plane.canvas.getContext("2d");
    const [data, ink, line, page, fit] = ["data", "ink", "muted", "page", "fit"].map((name) =>
      getComputedStyle(this.root).getPropertyValue(`--${name}`).trim(),
    );
    g.setTransform(plane.ratio, 0, 0, plane.ratio, 0, 0);
    g.clearRect(0, 0, plane.size, plane.size);
    if (plane.disk) {
      g.strokeStyle = line;
      g.beginPath();
      g.arc(plane.size / 2, plane.size / 2, 0.46 * plane.size, 0, 2 * Math.PI);
      g.stroke();
    }
    const places = plane.moved.map((place) => plane.px(place));
    places.forEach(([x, y], i) => {
      const found = i === this.at || (this.query && this.words[i].toLowerCase().includes(this.query));
      g.fillStyle = found ? fit : data;
      g.beginPath();
      g.arc(x, y, found ? 5 : 3, 0, 2 * Math.PI);
      g.fill();
    });
    // the word in hand first, then the most frequent ones, as far as there is room
    g.font = "12px system-ui, sans-serif";
    const order = [...places.keys()];
    if (this.at >= 0) order.unshift(this.at);
    const taken = [];
    for (const i of order) {
      const [x, y] = places[i], width = g.measureText(this.words[i]).width;
      const left = x + 6 + width > plane.size ? x - 6 - width : x + 6; // at the edge, on the other side
      const box = [left, y - LINE / 2, left + width, y + LINE / 2];
      const clear = taken.every((other) => box[0] > other[2] || box[2] < other[0] || box[1] > other[3] || box[3] < other[1]);
      if (!clear && i !== this.at) continue;
      taken.push(box);
      g.lineWidth = 3;
      g.strokeStyle = page;
      g.strokeText(this.words[i], left, y + 4);
      g.fillStyle = i === this.at ? fit : ink;
      g.fillText(this.words[i], left, y + 4);
    }
    g.lineWidth = 1;
  }

  nearest(plane, px, py) {
    let [best, least] = [-1, NEAR];
    plane.moved.forEach((place, i) => {
      const [x, y] = plane.px(place), away = Math.hypot(x - px, y - py);
      if (away < least) [best, least] = [i, away];
    });
    return best;
  }

  listen(plane) {
    const { canvas } = plane;
    const here = (event) => {
      const frame = canvas.getBoundingClientRect();
      return [event.clientX - frame.left, event.clientY - frame.top];
    };
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || event.pointerType === "touch") return this.say(this.nearest(plane, ...here(event)));
      drag = { from: plane.place(...here(event)), start: plane.moved };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return this.say(this.nearest(plane, ...here(event)));
      plane.drag(drag.start, drag.from, plane.place(...here(event)));
      this.paint();
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(end, () => (drag = null));
    canvas.addEventListener("pointerleave", () => this.say(-1));
    canvas.addEventListener("keydown", (event) => {
      const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      const turn = { Home: 1, End: -1 }[event.key];
      if (way) plane.drag(plane.moved, [0, 0], way.map((step) => step * KEY_STEP)), this.paint();
      else if (turn) this.say((this.at + turn + this.words.length) % this.words.length);
      else if (event.key === "Escape") this.reset();
      else return;
      event.preventDefault();
    });
  }
}

for (const root of document.querySelectorAll("[data-words]")) {
  new WordMap(root, JSON.parse(root.querySelector("script").textContent));
}
