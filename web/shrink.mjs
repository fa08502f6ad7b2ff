// Makes what a release build downloads smaller. Scripts lose their comments. wasm-bindgen names
// every function that wasm and its bindings call in each other at length and with a hash: both sides get the same short names. What the
// page does not use of the bindings goes, then what only that used of the wasm. Binaryen tidies up what is left, what the first visit does
// without is cut out (`parts.mjs`), and functions that are alike are put next to each other: the nearer the earlier copy, the fewer bits it
// takes a compressor to name it.
import { build, transform } from "esbuild";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join as path } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chains } from "./chains.mjs";
import { linked } from "./linked.mjs";
import { cut } from "./parts.mjs";
import { CODE, CUSTOM, EXPORTS, FUNCTIONS, FUNCTION_NAMES, IMPORTS, Reader, join, list, name, number, sections, sized } from "./wasm.mjs";

const WASM_OPT = path(dirname(fileURLToPath(import.meta.url)), "node_modules/binaryen/bin/wasm-opt");
/** Of the features, all but relaxed SIMD, which is the kernels', are what rustc switches on for wasm. */
const FEATURES = ["bulk-memory", "bulk-memory-opt", "multivalue", "mutable-globals", "nontrapping-float-to-int", "reference-types", "relaxed-simd", "sign-ext", "simd"].map(
  (feature) => `--enable-${feature}`,
);
/**
 * More effort than -O1 makes the file smaller but not what is downloaded. The lowest addresses are the far end of the stack: no offset leads
 * there from a pointer below zero. The names of functions stay, for cutting goes by them.
 */
const TIDY = ["--low-memory-unused", "--rse", "-O1", "--debuginfo"];
const SORT = ["--reorder-functions-by-name", "--strip-debug"];
const MADE_UP = /^(__wb|__externref|_ZN|wasm_bindgen__|intounderlying)/;
/** Begin of the exports that are for the later part only; no short name of the bindings begins so. */
const FOR_LATER = "~";

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

/** A section of names in whose order functions that are alike stand together. */
function likeness(wasm) {
  const found = new Map(sections(wasm));
  const imported = list(found.get(IMPORTS), (reader) => (reader.name(), reader.name(), reader.type()[0])).filter((kind) => kind === 0).length;
  const types = list(found.get(FUNCTIONS), (reader) => reader.number());
  const bodies = list(found.get(CODE), (reader) => reader.take(reader.number()));
  const byBegin = ([a], [b]) => types[a] - types[b] || Buffer.compare(bodies[a], bodies[b]);
  const order = chains(bodies).sort(byBegin).flat();
  const names = [];
  order.forEach((at, rank) => (names[at] = Buffer.concat([number(imported + at), name(`${rank}`.padStart(9, "0"))])));
  const functions = Buffer.concat([number(names.length), ...names]);
  return Buffer.concat([Buffer.from([CUSTOM]), sized(Buffer.concat([name("name"), Buffer.from([FUNCTION_NAMES]), sized(functions)]))]);
}

/** The file with short names between it and its bindings, and without what only the linker's own file tells rightly. */
function renamed(wasm, names, code) {
  const made = ([kind, section]) => (kind === IMPORTS ? imports(section, names) : kind === EXPORTS ? exports(section, names, code) : section);
  const kept = [...sections(wasm)].filter(([kind, section]) => kind !== CUSTOM || !/^(linking|reloc\.)/.test(new Reader(section).name()));
  return join(kept.map((section) => [section[0], made(section)]));
}

async function optimise(file, options) {
  await promisify(execFile)(process.execPath, [WASM_OPT, file, "-o", file, ...options, ...FEATURES]);
}

/** The bindings of wasm-bindgen, and what fetches the later part, once, and starts it beside the first, whose exports it is given. */
const bindings = (name) => `
export { default, widget } from "./${name}.js";
let part;
async function start(first) {
  const response = await fetch(new URL("./${name}_later.wasm", import.meta.url));
  if (!response.ok) throw new Error(\`\${response.url} cannot be loaded (\${response.status}).\`);
  await WebAssembly.instantiate(await response.arrayBuffer(), { first });
}
export const later = (first) => (part ??= start(first).catch((error) => { part = undefined; throw error; }));
`;

async function smaller(folder, name) {
  const { outputFiles, mangleCache } = await build({
    stdin: { contents: bindings(name), resolveDir: folder },
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
  writeFileSync(path(folder, `${name}.js`), code);
  const files = [`${name}_bg.wasm`, `${name}_later.wasm`].map((file) => path(folder, file));
  writeFileSync(files[0], renamed(readFileSync(files[0]), mangleCache, code));
  await optimise(files[0], TIDY);
  const parts = cut(readFileSync(files[0]), readFileSync(path(await linked(), `${name}.wasm`)), FOR_LATER);
  for (const [i, file] of files.entries()) {
    writeFileSync(file, Buffer.concat([parts[i], likeness(parts[i])]));
    await optimise(file, SORT);
  }
}

/** Makes the scripts and styles in the page shorter. */
export async function withoutComments(folder) {
  const page = path(folder, "index.html");
  const html = readFileSync(page, "utf8");
  const inside = [...html.matchAll(/<(script|style)>([^]*?)<\/\1>/g)];
  const codes = await Promise.all(inside.map(([, tag, text]) => transform(text, { minify: true, loader: tag === "style" ? "css" : "js", target: "es2022" })));
  writeFileSync(page, inside.reduce((html, [whole, tag], i) => html.replace(whole, () => `<${tag}>${codes[i].code.trim()}</${tag}>`), html));
}

/** The programs of a build: the page with and without relaxed SIMD. */
export const PROGRAMS = ["site", "site-relaxed"];

/** Makes a program of a build smaller, in a process of its own: most of it is the work of one core. */
export async function shrink(folder, program) {
  await promisify(execFile)(process.execPath, [fileURLToPath(import.meta.url), folder, program], { maxBuffer: 1 << 26 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await smaller(process.argv[2], process.argv[3]);
