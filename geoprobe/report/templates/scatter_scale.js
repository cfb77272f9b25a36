// Strangers' text made visible, packed columns read, and one axis of a scatter.
"use strict";

const STEPS = 65535;
const NAMED = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

async function inflate(packed) {
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

// One axis: packed steps to values, and values to ticks.
class Scale {
  constructor(axis, [low, high], steps) {
    Object.assign(this, { label: axis.label, log: axis.scale === "log", low, span: high - low || 1, steps });
    this.whole();
  }
  whole() {
    this.from = -0.02 * STEPS;
    this.to = 1.02 * STEPS;
  }
  fraction(step) {
    return (step - this.from) / (this.to - this.from);
  }
  step(value) {
    return (((this.log ? Math.log(value) : value) - this.low) / this.span) * STEPS;
  }
  value(step) {
    const placed = this.low + (step / STEPS) * this.span;
    return this.log ? Math.exp(placed) : placed;
  }
  // the nearest whole number, where the packing cannot tell it from the value
  text(step) {
    const value = this.value(step);
    const near = Math.round(value);
    const error = this.log ? (Math.abs(value) * this.span) / STEPS : this.span / STEPS;
    if (near !== 0 && Math.abs(value - near) <= error) return near.toLocaleString("en");
    return Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(+value.toPrecision(4));
  }
  ticks(most) {
    const [low, high] = [this.value(this.from), this.value(this.to)];
    const found = [];
    if (this.log && high / low >= 10) {
      const every = Math.max(1, Math.ceil(Math.log10(high / low) / most));
      for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high; power += every) found.push(10 ** power);
      return found;
    }
    const rough = (high - low) / most;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((times) => times * unit >= rough);
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(+at.toPrecision(12));
    return found;
  }
}
