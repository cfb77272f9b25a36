// The vocabulary as points: hover, search, brush, keyboard, and a table of what is chosen.
// Strangers' text only ever becomes textContent or canvas text; the columns come packed from the page itself.

const ROWS_SHOWN = 50;
const REACH = 18; // pixels from the pointer within which a point is found
const CELL = 16;
const FAINTEST = 60; // alpha that points which are not chosen stay below, however dense
const SHORTEST = 5; // pixels of a drag
const TREND = 24; // steps along x of the line of medians
const ENOUGH = 20; // points that a median is taken of
const NARROWEST = 8; // steps that a zoom shows
const RANGES = ["x-from", "x-to", "y-from", "y-to"];
const EVERYTHING = [-1, STEPS + 1, -1, STEPS + 1];
const ROLES = ["data", "muted", "null", "alternative", "fit"];

class Scatter {
  constructor(root, packed, columns) {
    const [xs, ys, groups, rows, tokens, exact] = columns;
    this.root = root;
    this.n = packed.n;
    this.x = new Scale(packed.x, packed.x_range, new Uint16Array(xs), exact.byteLength ? new Float64Array(exact) : null);
    this.y = new Scale(packed.y, packed.y_range, new Uint16Array(ys));
    this.groups = new Uint8Array(groups);
    this.names = packed.group_names;
    this.rows = new Uint32Array(rows);
    this.tokens = JSON.parse(new TextDecoder().decode(tokens));
    this.shown = this.names.map(() => true);
    this.query = "";
    this.box = null; // brushed steps: [x from, x to, y from, y to]
    this.at = -1; // the point under the pointer or the keyboard
    this.find = (name) => root.querySelector(`[data-part="${name}"]`);
    this.canvas = this.find("canvas");
    this.cloud = document.createElement("canvas");
    this.controls();
    root.dataset.live = "";
    this.choose();
    new ResizeObserver(() => this.resize()).observe(this.canvas.parentElement);
    this.resize();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  // ---- what is chosen

  choose() {
    const { query, box, n } = this;
    const x = this.x.steps, y = this.y.steps;
    this.active = query !== "" || box !== null;
    this.chosen = new Uint8Array(n);
    const wanted = query.toLowerCase();
    const row = /^#\d+$/.test(query) ? Number(query.slice(1)) : -1;
    if (wanted && !this.lower) this.lower = this.tokens.map((token) => token.toLowerCase());
    const ranked = [[], [], []]; // the token itself, tokens that begin so, tokens that hold it
    for (const i of this.order()) {
      if (!this.shown[this.groups[i]] || (this.zoomed && !this.within(i))) continue;
      if (box && (x[i] < box[0] || x[i] > box[1] || y[i] < box[2] || y[i] > box[3])) continue;
      if (query && this.rows[i] !== row && !this.lower[i].includes(wanted)) continue;
      this.chosen[i] = 1;
      ranked[query ? this.rank(i, wanted.trim()) : 0].push(i);
    }
    this.list = ranked.flat();
    this.table();
    if (this.width) this.paint();
  }

  // every point, the largest x first and else as given
  order() {
    const { steps } = this.x;
    this.sortedByX ??= Uint32Array.from(steps.keys()).sort((one, two) => steps[two] - steps[one] || one - two);
    return this.sortedByX;
  }

  rank(i, wanted) {
    const token = this.lower[i].trim();
    return token === wanted ? 0 : token.startsWith(wanted) ? 1 : 2;
  }

  table() {
    const { list } = this;
    const first = Math.min(list.length, ROWS_SHOWN);
    const what = this.active ? "tokens chosen" : this.zoomed ? "tokens in view" : "tokens";
    const order = this.query ? "best matches first" : `by ${this.x.label}`;
    this.find("caption").textContent = `${list.length.toLocaleString("en")} ${what}${first ? `; ${first} shown, ${order}` : ""}`;
    const body = document.createElement("tbody");
    for (const i of list.slice(0, first)) {
      const line = body.insertRow();
      this.cells(i).forEach((text, column) => {
        const cell = line.insertCell();
        if (column && column < 4) cell.className = "number";
        cell.appendChild(document.createElement("bdi")).textContent = text;
      });
    }
    this.find("table").tBodies[0].replaceWith(body);
    this.find("count").textContent = this.active || this.zoomed ? `${list.length.toLocaleString("en")} ${what}` : "";
    this.find("clear").disabled = !this.active && !this.root.querySelector("[aria-invalid]");
    this.find("zoom").disabled = !this.box && !this.zoomed;
    this.find("zoom").textContent = this.box || !this.zoomed ? "Zoom to the range" : "Show all";
  }

  cells(i) {
    const { x, y } = this;
    return [visible(this.tokens[i]), String(this.rows[i]), x.text(x.steps[i]), y.text(y.steps[i]), this.names[this.groups[i]]];
  }

  // all that are chosen, also those that the table has no room for
  save() {
    const { x, y } = this;
    const plain = (value) => String(Number(value.toPrecision(9)));
    const rows = this.list.map((i) => [
      this.tokens[i], this.rows[i], plain(x.value(x.steps[i])), plain(y.value(y.steps[i])), this.names[this.groups[i]],
    ]);
    const lines = [["token", "row", x.label, y.label, "kind"], ...rows].map((row) => row.map(field).join(","));
    const url = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    Object.assign(document.createElement("a"), { href: url, download: "tokens.csv" }).click();
    URL.revokeObjectURL(url);
  }

  say(i) {
    this.at = i;
    const out = this.find("said");
    if (i < 0) out.textContent = "";
    else {
      const [token, row, x, y, group] = this.cells(i);
      out.textContent = `${token} (row ${row}, ${group}): ${this.x.label} ${x}, ${this.y.label} ${y}`;
    }
    this.overlay();
  }

  // ---- drawing

  resize() {
    const width = Math.floor(this.canvas.parentElement.clientWidth);
    const ratio = devicePixelRatio || 1;
    if (!width || (width === this.width && ratio === this.ratio)) return;
    if (ratio !== this.ratio) {
      // another screen or zoom changes no size that the observer sees
      matchMedia(`(resolution: ${ratio}dppx)`).addEventListener("change", () => this.resize(), { once: true });
    }
    this.width = width;
    this.ratio = ratio;
    this.height = Math.round(Math.min(520, Math.max(280, width * 0.56)));
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
    this.plot = { left: 58, right: width - 12, top: 10, bottom: this.height - 46 };
    this.paint();
  }

  px(step) {
    return this.plot.left + this.x.fraction(step) * (this.plot.right - this.plot.left);
  }

  py(step) {
    return this.plot.bottom - this.y.fraction(step) * (this.plot.bottom - this.plot.top);
  }

  colour(name) {
    return getComputedStyle(this.root).getPropertyValue(`--${name}`).trim();
  }

  // points go straight into pixels, which is many times faster than a path each
  paint() {
    const { cloud, canvas, plot, ratio, n, groups, shown, chosen, active } = this;
    const xs = this.x.steps, ys = this.y.steps, fromX = this.x.from, fromY = this.y.from;
    [cloud.width, cloud.height] = [canvas.width, canvas.height];
    const context = cloud.getContext("2d");
    const image = context.createImageData(cloud.width, cloud.height);
    const pixels = image.data;
    const colours = this.names.map((_, group) => {
      const hex = this.colour(ROLES[group % ROLES.length]);
      return parseInt(hex.slice(1), 16);
    });
    let seen = 0;
    for (let i = 0; i < n; i++) seen += shown[groups[i]] && this.within(i);
    // few points are drawn larger: what a zoom leaves is to be seen
    const side = Math.max(1, Math.round((seen > 5e3 ? 1.6 : seen > 500 ? 2.6 : 4) * ratio));
    const strong = seen > 2e4 ? 0.4 : 0.7;
    const [left, top, right, bottom] = [plot.left, plot.top, plot.right, plot.bottom].map((at) => Math.round(at * ratio));
    const across = cloud.width;
    const sx = (right - left) / (this.x.to - fromX), sy = (bottom - top) / (this.y.to - fromY);
    const index = { columns: Math.ceil((plot.right - plot.left) / CELL) + 1 };
    index.cells = index.columns * (Math.ceil((plot.bottom - plot.top) / CELL) + 1);
    const cell = new Int32Array(n).fill(-1);
    for (const pass of active ? [0, 1] : [1]) {
      const opacity = pass ? (active ? 0.9 : strong) : 0.12;
      for (let i = 0; i < n; i++) {
        if (!shown[groups[i]] || (active && chosen[i] !== pass)) continue;
        const px = (left + (xs[i] - fromX) * sx) | 0, py = (bottom - (ys[i] - fromY) * sy) | 0;
        if (px < left || px >= right || py < top || py >= bottom) continue;
        cell[i] = (((py - top) / ratio / CELL) | 0) * index.columns + (((px - left) / ratio / CELL) | 0);
        const colour = colours[groups[i]];
        const red = colour >> 16, green = (colour >> 8) & 255, blue = colour & 255;
        for (let v = py; v < py + side && v < bottom; v++) {
          for (let u = px; u < px + side && u < right; u++) {
            const at = (v * across + u) * 4;
            if (!pass && pixels[at + 3] >= FAINTEST) continue;
            const under = (pixels[at + 3] / 255) * (1 - opacity), total = under + opacity;
            pixels[at] = (pixels[at] * under + red * opacity) / total;
            pixels[at + 1] = (pixels[at + 1] * under + green * opacity) / total;
            pixels[at + 2] = (pixels[at + 2] * under + blue * opacity) / total;
            pixels[at + 3] = total * 255;
          }
        }
      }
    }
    context.putImageData(image, 0, 0);
    this.index = Object.assign(index, this.sorted(cell, index.cells));
    this.overlay();
  }

  // points in order of their cell, and where each cell begins
  sorted(cell, cells) {
    const starts = new Int32Array(cells + 1);
    for (const at of cell) if (at >= 0) starts[at + 1]++;
    for (let at = 0; at < cells; at++) starts[at + 1] += starts[at];
    const next = starts.slice(), order = new Int32Array(starts[cells]);
    for (let i = 0; i < cell.length; i++) if (cell[i] >= 0) order[next[cell[i]]++] = i;
    return { starts, order };
  }

  nearest(mx, my) {
    const { columns, cells, starts, order } = this.index;
    const column = Math.floor((mx - this.plot.left) / CELL), line = Math.floor((my - this.plot.top) / CELL);
    const around = Math.ceil(REACH / CELL);
    let [best, least] = [-1, REACH * REACH];
    for (let v = line - around; v <= line + around; v++) {
      for (let u = Math.max(0, column - around); u <= Math.min(columns - 1, column + around); u++) {
        const at = v * columns + u;
        if (at < 0 || at >= cells) continue;
        for (let k = starts[at]; k < starts[at + 1]; k++) {
          const i = order[k];
          const away = (this.px(this.x.steps[i]) - mx) ** 2 + (this.py(this.y.steps[i]) - my) ** 2;
          if (away < least) [best, least] = [i, away];
        }
      }
    }
    return best;
  }

  // axes, marks of what is chosen, the brush, and the point in hand
  overlay() {
    const { canvas, plot, ratio } = this;
    if (!plot) return;
    const g = canvas.getContext("2d");
    const [ink, quiet, line, page] = ["ink", "quiet", "line", "page"].map((name) => this.colour(name));
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, this.width, this.height);
    g.font = "12px system-ui, sans-serif";
    g.lineWidth = 1;
    g.fillStyle = quiet;
    g.strokeStyle = line;
    g.textAlign = "center";
    for (const at of this.x.ticks(this.width < 500 ? 4 : 8)) {
      const px = Math.round(this.px(this.x.step(at))) + 0.5;
      this.stroke(g, px, plot.top, px, plot.bottom);
      const text = shown(at, 0);
      g.fillText(text, Math.min(px, this.width - g.measureText(text).width / 2), plot.bottom + 16);
    }
    g.fillText(this.x.label, (plot.left + plot.right) / 2, this.height - 8);
    g.textAlign = "right";
    for (const at of this.y.ticks(6)) {
      const py = Math.round(this.py(this.y.step(at))) + 0.5;
      this.stroke(g, plot.left, py, plot.right, py);
      g.fillText(shown(at, 0), plot.left - 6, py + 4);
    }
    g.save();
    g.translate(13, (plot.top + plot.bottom) / 2);
    g.rotate(-Math.PI / 2);
    g.textAlign = "center";
    g.fillText(this.y.label, 0, 0);
    g.restore();
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.drawImage(this.cloud, 0, 0);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.trend(g, ink, page);
    g.strokeStyle = ink;
    if (this.query) for (const i of this.list.slice(0, ROWS_SHOWN)) this.ring(g, i, 4);
    const box = this.drag ? this.drag.box : this.box;
    if (box) {
      g.setLineDash([4, 3]);
      const [left, right] = [box[0], box[1]].map((step) => Math.min(Math.max(this.px(step), plot.left), plot.right));
      const [bottom, top] = [box[2], box[3]].map((step) => Math.min(Math.max(this.py(step), plot.top), plot.bottom));
      g.strokeRect(left, top, right - left, bottom - top);
      g.setLineDash([]);
    }
    if (this.at >= 0) this.label(g, ink, page);
  }

  // the median of y in steps of x, where a step has points enough
  trend(g, ink, page) {
    const bins = Array.from({ length: TREND }, () => []);
    const { x, y } = this;
    for (let i = 0; i < this.n; i++) {
      if (!this.shown[this.groups[i]] || !this.within(i) || x.steps[i] === x.zero) continue;
      bins[Math.min(Math.floor(x.fraction(x.steps[i]) * TREND), TREND - 1)].push(i);
    }
    const points = bins.flatMap((bin) => {
      if (bin.length < ENOUGH) return [];
      const middle = (scale) => Float64Array.from(bin, (i) => scale.steps[i]).sort()[bin.length >> 1];
      return [[this.px(middle(x)), this.py(middle(y))]];
    });
    g.lineJoin = "round";
    for (const [colour, width] of [[page, 5], [ink, 2]]) {
      g.strokeStyle = colour;
      g.lineWidth = width;
      g.beginPath();
      points.forEach((point) => g.lineTo(...point));
      g.stroke();
    }
    g.lineWidth = 1;
  }

  stroke(g, ...[fromX, fromY, toX, toY]) {
    g.beginPath();
    g.moveTo(fromX, fromY);
    g.lineTo(toX, toY);
    g.stroke();
  }

  ring(g, i, radius) {
    g.beginPath();
    g.arc(this.px(this.x.steps[i]), this.py(this.y.steps[i]), radius, 0, 2 * Math.PI);
    g.stroke();
  }

  label(g, ink, page) {
    const i = this.at;
    g.lineWidth = 2;
    this.ring(g, i, 6);
    const text = visible(this.tokens[i], 40);
    g.font = "600 13px system-ui, sans-serif";
    const width = g.measureText(text).width + 12;
    const px = Math.min(Math.max(this.px(this.x.steps[i]) + 10, this.plot.left), this.plot.right - width);
    const py = Math.max(this.py(this.y.steps[i]) - 14, this.plot.top + 12);
    g.fillStyle = page;
    g.fillRect(px, py - 14, width, 20);
    g.lineWidth = 1;
    g.strokeRect(px + 0.5, py - 13.5, width, 20);
    g.fillStyle = ink;
    g.textAlign = "left";
    g.fillText(text, px + 6, py);
  }

  within(i) {
    const { x, y } = this;
    return x.steps[i] >= x.from && x.steps[i] <= x.to && y.steps[i] >= y.from && y.steps[i] <= y.to;
  }

  // ---- controls

  controls() {
    const groups = this.find("groups");
    this.names.forEach((name, group) => {
      if (!this.groups.includes(group)) return;
      const label = document.createElement("label");
      const box = document.createElement("input");
      Object.assign(box, { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        this.shown[group] = box.checked;
        this.choose();
      });
      const dot = document.createElement("span");
      dot.className = `dot ${ROLES[group % ROLES.length]}`;
      label.append(box, dot, ` ${name}`);
      groups.append(label);
    });
    this.find("search").addEventListener("input", (event) => {
      this.query = event.target.value;
      this.choose();
    });
    for (const name of RANGES) this.find(name).addEventListener("change", () => this.typed());
    this.find("clear").addEventListener("click", () => this.clear());
    this.find("zoom").addEventListener("click", () => this.zoom());
    this.find("save").addEventListener("click", () => this.save());
    this.pointer();
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("blur", () => this.say(-1));
  }

  typed() {
    let given = false;
    const bounds = RANGES.map((name, end) => {
      const field = this.find(name), scale = end < 2 ? this.x : this.y, upper = end % 2;
      const text = field.value.trim().replaceAll(",", "");
      const value = Number(text);
      if (Number.isNaN(value)) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      if (text === "" || Number.isNaN(value)) return EVERYTHING[end];
      given = true;
      // half a step more at each end: a typed value means the points that show it
      const step = scale.step(value) + (upper ? 0.6 : -0.6) * scale.grain;
      return Math.min(Math.max(step, EVERYTHING[0]), EVERYTHING[1]);
    });
    this.box = given ? bounds : null;
    this.choose();
  }

  brushed(box) {
    this.box = box;
    RANGES.forEach((name, end) => {
      const scale = end < 2 ? this.x : this.y;
      this.write(name, box[end] === EVERYTHING[end] ? "" : scale.text(box[end]));
    });
    this.choose();
  }

  write(name, text) {
    this.find(name).value = text;
    this.find(name).removeAttribute("aria-invalid");
  }

  clear() {
    for (const name of ["search", ...RANGES]) this.write(name, "");
    this.query = "";
    this.box = null;
    this.choose();
  }

  zoom() {
    this.zoomed = Boolean(this.box);
    [this.x, this.y].forEach((scale, axis) => {
      if (!this.box) return scale.whole();
      const [from, to] = this.box.slice(2 * axis, 2 * axis + 2);
      const wider = Math.max(NARROWEST - (to - from), 0) / 2;
      [scale.from, scale.to] = [from - wider, to + wider];
    });
    this.clear();
  }

  pointer() {
    const { canvas } = this;
    const place = (event) => {
      const frame = canvas.getBoundingClientRect();
      return [event.clientX - frame.left, event.clientY - frame.top];
    };
    const steps = ([mx, my]) => {
      const { left, right, top, bottom } = this.plot;
      const along = Math.min(Math.max((mx - left) / (right - left), 0), 1), up = Math.min(Math.max((bottom - my) / (bottom - top), 0), 1);
      return [this.x.from + along * (this.x.to - this.x.from), this.y.from + up * (this.y.to - this.y.from)];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return; // of a mouse, any other than the first has a use of its own
      if (event.pointerType === "touch") return this.say(this.nearest(...place(event)));
      this.drag = { from: place(event), box: null };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const here = place(event);
      if (!this.drag) return this.say(this.nearest(...here));
      // a drag along one axis chooses by that one alone
      const along = [0, 1].map((axis) => Math.abs(here[axis] - this.drag.from[axis]) >= SHORTEST);
      const [one, two] = [steps(this.drag.from), steps(here)];
      const range = (axis) => [Math.min(one[axis], two[axis]), Math.max(one[axis], two[axis])];
      this.drag.box = along.includes(true) ? along.flatMap((far, axis) => (far ? range(axis) : EVERYTHING.slice(0, 2))) : null;
      this.overlay();
    });
    canvas.addEventListener("pointerup", () => {
      const box = this.drag && this.drag.box;
      this.drag = null;
      if (box) this.brushed(box);
    });
    for (const lost of ["pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(lost, () => {
        this.drag = null;
        this.overlay();
      });
    }
    canvas.addEventListener("pointerleave", () => this.say(-1));
  }

  // arrows go to the next point that way; Home to the first of the table; Escape clears
  key(event) {
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape") this.clear();
    else if (event.key === "Home" || (way && this.at < 0)) this.say(this.list.find((i) => this.within(i)) ?? -1);
    else if (way) this.say(this.towards(...way));
    else return;
    event.preventDefault();
  }

  towards(right, down) {
    const [x, y] = [this.px(this.x.steps[this.at]), this.py(this.y.steps[this.at])];
    let [best, least] = [this.at, Infinity];
    for (const i of this.list) {
      const dx = this.px(this.x.steps[i]) - x, dy = this.py(this.y.steps[i]) - y;
      const along = dx * right + dy * down, across = Math.abs(dx * down) + Math.abs(dy * right);
      if (!this.within(i)) continue;
      if (along > 0.5 && along + 2 * across < least) [best, least] = [i, along + 2 * across];
    }
    return best;
  }
}

for (const root of document.querySelectorAll("[data-scatter]")) {
  const packed = JSON.parse(root.querySelector("script").textContent);
  const columns = ["x_values", "y_values", "groups", "rows", "tokens", "x_exact"].map((name) => inflate(packed[name]));
  Promise.all(columns).then((read) => {
    new Scatter(root, packed, read);
    requestAnimationFrame(() => (root.dataset.ready = performance.now().toFixed(0)));
  });
}
