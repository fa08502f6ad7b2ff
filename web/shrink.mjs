// Makes what a release build downloads smaller; Trunk calls this after each build. Scripts lose their comments. wasm-bindgen names every function that wasm and
// its bindings call in each other at length and with a hash: both sides get the same short names, and the bindings are minified.
import { transform } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MADE_UP = /^(__wb|__externref|wasm_bindgen__|intounderlying)/;
const IMPORTS = 2;
const EXPORTS = 7;
/** Bytes of the magic number and the version. */
const HEAD = 8;

/** Numbers and names of the wasm format, read one after the other. */
class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  get done() {
    return this.at >= this.bytes.length;
  }
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }
  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  name() {
    return Buffer.from(this.take(this.number())).toString();
  }
  /** What an import is: a function, a table, a memory, a global, or a tag. */
  type() {
    const from = this.at;
    const limits = () => {
      const most = this.number() & 1;
      this.number();
      if (most) this.number();
    };
    const kind = this.number();
    if (kind === 0) this.number();
    else if (kind === 1) this.number(), limits();
    else if (kind === 2) limits();
    else this.at += 2;
    return this.bytes.subarray(from, this.at);
  }
}

function number(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

const sized = (bytes) => Buffer.concat([number(bytes.length), bytes]);
const name = (text) => sized(Buffer.from(text));

/** A section of imports or exports with other names. */
function renamed(kind, section, names) {
  const reader = new Reader(section);
  const count = reader.number();
  const parts = [number(count)];
  const short = (text) => name(names[text] || text);
  for (let i = 0; i < count; i++) {
    if (kind === IMPORTS) parts.push(name(reader.name()), short(reader.name()), reader.type());
    else parts.push(short(reader.name()), reader.take(1), number(reader.number()));
  }
  return Buffer.concat(parts);
}

function shrunk(wasm, names) {
  const reader = new Reader(wasm, HEAD);
  const parts = [wasm.subarray(0, HEAD)];
  while (!reader.done) {
    const [kind] = reader.take(1);
    const section = reader.take(reader.number());
    parts.push(Buffer.from([kind]), sized(kind === IMPORTS || kind === EXPORTS ? renamed(kind, section, names) : section));
  }
  return Buffer.concat(parts);
}

async function withoutComments(html) {
  const scripts = [...html.matchAll(/<(script|style)>([^]*?)<\/\1>/g)];
  const codes = await Promise.all(scripts.map(([, tag, text]) => transform(text, { minify: true, loader: tag === "style" ? "css" : "js", target: "es2022" })));
  return scripts.reduce((page, [whole, tag], i) => page.replace(whole, () => `<${tag}>${codes[i].code.trim()}</${tag}>`), html);
}

if (process.env.TRUNK_PROFILE === "release") {
  const page = join(process.env.TRUNK_STAGING_DIR, "index.html");
  writeFileSync(page, await withoutComments(readFileSync(page, "utf8")));
  for (const build of ["site", "site-relaxed"]) {
    const file = (end) => join(process.env.TRUNK_STAGING_DIR, build + end);
    const bindings = readFileSync(file(".js"), "utf8");
    const { code, mangleCache } = await transform(bindings, { minify: true, format: "esm", target: "es2022", mangleProps: MADE_UP, mangleQuoted: true, mangleCache: {} });
    writeFileSync(file(".js"), code);
    writeFileSync(file("_bg.wasm"), shrunk(readFileSync(file("_bg.wasm")), mangleCache));
  }
}
