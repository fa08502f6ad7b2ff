// Makes what a release build downloads smaller; Trunk calls this after each build. Scripts lose their comments. wasm-bindgen names
// every function that wasm and its bindings call in each other at length and with a hash: both sides get the same short names. What the
// page does not use of the bindings goes, then what only that used of the wasm. Binaryen tidies up what is left and puts functions that
// are alike next to each other: the nearer the earlier copy, the fewer bits it takes a compressor to name it.
import { build, transform } from "esbuild";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const WASM_OPT = join(dirname(fileURLToPath(import.meta.url)), "node_modules/binaryen/bin/wasm-opt");
/**
 * More effort than -O1 makes the file smaller but not what is downloaded. The lowest addresses are the far end of the stack: no offset leads
 * there from a pointer below zero. Of the features, all but relaxed SIMD, which is the kernels', are what rustc switches on for wasm.
 */
const OPTIONS = [
  "--low-memory-unused",
  "-O1",
  "--rse",
  "-O1",
  "--reorder-functions-by-name",
  "--strip-debug",
  ...["bulk-memory", "bulk-memory-opt", "multivalue", "mutable-globals", "nontrapping-float-to-int", "reference-types", "relaxed-simd", "sign-ext", "simd"].map(
    (feature) => `--enable-${feature}`,
  ),
];
const MADE_UP = /^(__wb|__externref|wasm_bindgen__|intounderlying)/;
const CUSTOM = 0;
const IMPORTS = 2;
const FUNCTIONS = 3;
const EXPORTS = 7;
const CODE = 10;
/** Within the section of names. */
const FUNCTION_NAMES = 1;
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

/** A section of imports with other names. */
function imports(section, names) {
  const reader = new Reader(section);
  const count = reader.number();
  const parts = [number(count)];
  for (let i = 0; i < count; i++) {
    const module = reader.name();
    const field = reader.name();
    parts.push(name(module), name(names[field] || field), reader.type());
  }
  return Buffer.concat(parts);
}

/** A section of exports with other names, and without those that `code` never uses. */
function exports(section, names, code) {
  const reader = new Reader(section);
  const parts = [];
  for (let left = reader.number(); left > 0; left--) {
    const long = reader.name();
    const short = names[long] || long;
    const rest = [reader.take(1), number(reader.number())];
    if (code.includes(`.${short}`)) parts.push(Buffer.concat([name(short), ...rest]));
  }
  return Buffer.concat([number(parts.length), ...parts]);
}

function* sections(wasm) {
  const reader = new Reader(wasm, HEAD);
  while (!reader.done) {
    const [kind] = reader.take(1);
    yield [kind, reader.take(reader.number())];
  }
}

/** What `read` makes of each member of a section. */
function list(section, read) {
  const reader = new Reader(section);
  return Array.from({ length: reader.number() }, () => read(reader));
}

/** A section of names in whose order functions of one type stand together, and among them those that begin alike. */
function likeness(wasm) {
  const found = new Map(sections(wasm));
  const imported = list(found.get(IMPORTS), (reader) => (reader.name(), reader.name(), reader.type()[0])).filter((kind) => kind === 0).length;
  const types = list(found.get(FUNCTIONS), (reader) => reader.number());
  const bodies = list(found.get(CODE), (reader) => reader.take(reader.number()));
  const order = [...bodies.keys()].sort((a, b) => types[a] - types[b] || Buffer.compare(bodies[a], bodies[b]));
  const names = [];
  order.forEach((at, rank) => (names[at] = Buffer.concat([number(imported + at), name(`${rank}`.padStart(9, "0"))])));
  const functions = Buffer.concat([number(names.length), ...names]);
  return Buffer.concat([Buffer.from([CUSTOM]), sized(Buffer.concat([name("name"), Buffer.from([FUNCTION_NAMES]), sized(functions)]))]);
}

function renamed(wasm, names, code) {
  const parts = [wasm.subarray(0, HEAD)];
  for (const [kind, section] of sections(wasm)) {
    const made = kind === IMPORTS ? imports(section, names) : kind === EXPORTS ? exports(section, names, code) : section;
    parts.push(Buffer.from([kind]), sized(made));
  }
  return Buffer.concat([...parts, likeness(wasm)]);
}

async function shrink(folder, name) {
  const { outputFiles, mangleCache } = await build({
    stdin: { contents: `export { default } from "./${name}.js";`, resolveDir: folder },
    bundle: true,
    external: ["./charts.js"],
    write: false,
    minify: true,
    format: "esm",
    target: "es2022",
    // Nothing here is ever disposed of by a `using`.
    define: { "Symbol.dispose": "false" },
    mangleProps: MADE_UP,
    mangleQuoted: true,
    mangleCache: {},
    logLevel: "warning",
  });
  const code = outputFiles[0].text;
  writeFileSync(join(folder, `${name}.js`), code);
  const wasm = join(folder, `${name}_bg.wasm`);
  writeFileSync(wasm, renamed(readFileSync(wasm), mangleCache, code));
  await promisify(execFile)(process.execPath, [WASM_OPT, wasm, "-o", wasm, ...OPTIONS]);
}

async function withoutComments(html) {
  const scripts = [...html.matchAll(/<(script|style)>([^]*?)<\/\1>/g)];
  const codes = await Promise.all(scripts.map(([, tag, text]) => transform(text, { minify: true, loader: tag === "style" ? "css" : "js", target: "es2022" })));
  return scripts.reduce((page, [whole, tag], i) => page.replace(whole, () => `<${tag}>${codes[i].code.trim()}</${tag}>`), html);
}

if (process.env.TRUNK_PROFILE === "release") {
  const page = join(process.env.TRUNK_STAGING_DIR, "index.html");
  writeFileSync(page, await withoutComments(readFileSync(page, "utf8")));
  await Promise.all(["site", "site-relaxed"].map((name) => shrink(process.env.TRUNK_STAGING_DIR, name)));
}
