// Strangers' text made visible, packed columns read, and one axis of a scatter.
"use strict";

const STEPS = 65535;
const NAMED = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

async function inflate(packed) {
  if (!packed) return new ArrayBuffer(0);
  const text = atob(packed);
  const raw = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) raw[at] = text.charCodeAt(at);
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

function visible(text, limit = 120) {
  const characters = [...text.slice(0, 4 * limit)];
  const escape = (character) => NAMED[character] ?? "\\u{" + character.codePointAt(0).toString(16) + "}";
  const shown = characters.slice(0, limit).join("").replace(HIDDEN, escape);
  if (characters.length > limit) return `${shown}… (${text.length.toLocaleString("en")} characters)`;
  return shown.replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length));
}

// A field of a CSV file: text that a spreadsheet would run as a formula is marked as text.
function field(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// One axis: places of points in steps, steps to values, and values to ticks.
class Scale {
  // packed steps are coarse; where the values themselves are known, points stand at their places to the last digit
  constructor(axis, [low, high], packed, exact) {
    Object.assign(this, { label: axis.label, log: axis.scale === "log", low, span: high - low || 1 });
    this.grain = exact ? 1e-8 : 1;
    this.zero = -Infinity; // where 0 is drawn on a logarithmic axis, if it is
    this.least = Infinity; // the smallest that is not 0
    this.steps = exact ? Float64Array.from(packed, (step, i) => this.place(exact[i], step)) : packed;
    this.whole();
  }
  place(value, packed) {
    if (this.log && value <= 0) return (this.zero = packed);
    this.least = Math.min(this.least, value);
    return this.step(value);
  }
  whole() {
    this.from = -0.02 * STEPS;
    this.to = 1.02 * STEPS;
  }
  fraction(step) {
    return (step - this.from) / (this.to - this.from);
  }
  step(value) {
    if (this.log && value <= 0) return this.zero;
    return (((this.log ? Math.log(value) : value) - this.low) / this.span) * STEPS;
  }
  value(step) {
    return step === this.zero ? 0 : this.at(step);
  }
  at(step) {
    const placed = this.low + (step / STEPS) * this.span;
    return this.log ? Math.exp(placed) : placed;
  }
  text(step) {
    const value = this.value(step), grain = (0.51 * this.grain * this.span) / STEPS;
    return shown(value, this.log ? Math.abs(value) * grain : grain);
  }
  ticks(most) {
    const [low, high] = [this.at(this.from), this.at(this.to)];
    const found = [];
    // by their number: where a step is too small to add, a sum would never end
    const add = (first, value) => {
      for (let k = 0; k <= most && value(first + k) <= high; k++) found.push(value(first + k));
    };
    if (this.log && high / low >= 10) {
      const every = Math.max(1, Math.ceil(Math.log10(high / low) / most));
      add(Math.ceil(Math.log10(low) / every), (k) => 10 ** (k * every));
    } else {
      const rough = (high - low) / most;
      const unit = 10 ** Math.floor(Math.log10(rough));
      const step = unit * [1, 2, 5, 10].find((times) => times * unit >= rough);
      add(Math.ceil(low / step), (k) => +(k * step).toPrecision(12));
    }
    const { zero, from, to } = this;
    if (zero === -Infinity) return found;
    // nothing lies between 0 and the least, whatever the axis would say there
    return [...(zero >= from && zero <= to ? [0] : []), ...found.filter((tick) => tick >= this.least)];
  }
}

// A value known within an error: a whole number where that is the only one so near, else no digits that are not known.
function shown(value, error) {
  const near = Math.round(value);
  if (error < 0.5 && Math.abs(value - near) <= error && (near || !value)) return near.toLocaleString("en");
  const known = error ? Math.floor(Math.log10(Math.abs(value) / error)) : 4;
  const digits = Math.min(Math.max(known, 1), 4);
  if (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3) return value.toExponential(Math.min(digits, 3) - 1);
  return value.toLocaleString("en", { maximumSignificantDigits: digits });
}
