// What refers to what in a program, from the relocations that the linker leaves (`--emit-relocs`): in the finished code an address and a place
// of the function table are numbers like any other. https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md
import { CODE, CUSTOM, DATA, ELEMENTS, FUNCTION_NAMES, IMPORTS, Reader, list, sections } from "./wasm.mjs";

/** Kinds of relocations that are followed by an addend. */
const WITH_ADDEND = [3, 4, 5, 8, 9, 11, 14, 15, 16, 17, 22, 23, 25];
/** Of these, and of those without: references to an address, and to a place of the function table. */
const ADDRESS = [3, 4, 5, 11];
const PLACE = [1, 2, 12];
/** Within the section `linking`. */
const SYMBOLS = 8;
/** Kinds of symbols, and what their flags say. */
const FUNCTION = 0;
const OBJECT = 1;
const SECTION = 3;
const UNDEFINED = 0x10;
const EXPLICIT_NAME = 0x40;
/** What rustc writes for signs that no name may hold. */
const SIGNS = { SP: "@", BP: "*", RF: "&", LT: "<", GT: ">", LP: "(", RP: ")", C: "," };

/** A function's name as the linker knows it; wasm-bindgen calls what it puts before a function by its name and a word more. */
export const linkName = (name) => name.split(" ")[0];

/** A name of rustc's as a path: `_ZN4core3fmt5write17h…E` is `core::fmt::write`. */
export function path(name) {
  if (!name.startsWith("_ZN")) return name;
  const parts = [];
  for (let at = 3, length; (length = parseInt(name.slice(at))); at += length) {
    at += `${length}`.length;
    parts.push(name.slice(at, at + length));
  }
  const sign = (_, code) => SIGNS[code] ?? String.fromCodePoint(parseInt(code.slice(1), 16));
  return parts.map((part) => part.replace(/^_\$/, "$").replaceAll("..", "::").replace(/\$(\w+)\$/g, sign)).join("::");
}

/** Custom sections by name, without their names. */
function custom(wasm) {
  const found = new Map();
  for (const [kind, section] of sections(wasm)) {
    if (kind !== CUSTOM) continue;
    const reader = new Reader(section);
    found.set(reader.name(), section.subarray(reader.at));
  }
  return found;
}

function subsection(section, wanted, reader = new Reader(section)) {
  while (!reader.done) {
    const [kind] = reader.take(1);
    const bytes = reader.take(reader.number());
    if (kind === wanted) return bytes;
  }
  throw new Error("A section that was asked of the linker is missing.");
}

function symbol(reader) {
  const [kind] = reader.take(1);
  const flags = reader.number();
  if (kind === SECTION) return reader.number(), {};
  if (kind !== OBJECT) {
    const index = reader.number();
    if (!(flags & UNDEFINED) || flags & EXPLICIT_NAME) reader.name();
    return kind === FUNCTION ? { index } : {};
  }
  reader.name();
  return flags & UNDEFINED ? {} : { segment: reader.number(), offset: reader.number(), size: reader.number() };
}

function relocations(section) {
  const reader = new Reader(section);
  reader.number();
  return Array.from({ length: reader.number() }, () => {
    const [kind] = reader.take(1);
    const found = { kind, at: reader.number(), symbol: reader.number() };
    if (WITH_ADDEND.includes(kind)) reader.number();
    return found;
  });
}

/** Where the members of a section begin, by the offsets that relocations have. */
function spans(section, read) {
  return list(section, (reader) => {
    const { length, ...more } = read(reader);
    return { from: reader.at - length, to: reader.at, ...more };
  });
}

/** An active segment of data: 0, `i32.const` with the address, `end`, bytes. */
export function segment(reader) {
  reader.take(2);
  const address = reader.number();
  reader.take(1);
  const bytes = reader.take(reader.number());
  return { address, bytes, length: bytes.length };
}

/** The last of those that begin at or before a place; they stand in order. */
function around(all, place) {
  let [low, high] = [0, all.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (all[middle].from <= place) low = middle;
    else high = middle;
  }
  return all[low]?.from <= place && place < all[low].to ? all[low] : undefined;
}

/** Symbols of data as pieces of memory in order; those that overlap, as ends of texts do, are one. */
function pieces(symbols, segments) {
  const found = [];
  const known = symbols.filter(({ size, segment }) => size && segments[segment]);
  known.forEach((symbol) => (symbol.from = segments[symbol.segment].address + symbol.offset));
  known.sort((a, b) => a.from - b.from);
  for (const symbol of known) {
    const [last, to] = [found.at(-1), symbol.from + symbol.size];
    if (last && symbol.from < last.to) last.to = Math.max(last.to, to);
    else found.push({ from: symbol.from, to, places: new Set(), pieces: new Set() });
    symbol.piece = found.at(-1);
  }
  return found;
}

/** What the functions of a program refer to, by the linker's names, and the pieces of its data, which refer to others. */
export function references(wasm) {
  const [found, more] = [new Map(sections(wasm)), custom(wasm)];
  const symbols = list(subsection(more.get("linking"), SYMBOLS, new Reader(more.get("linking"), 1)), symbol);
  const segments = spans(found.get(DATA), segment);
  const data = pieces(symbols, segments);
  const imported = list(found.get(IMPORTS), (reader) => (reader.name(), reader.name(), reader.type()[0])).filter((kind) => kind === 0).length;
  const bodies = spans(found.get(CODE), (reader) => ({ length: reader.take(reader.number()).length }));
  const names = new Map(list(subsection(more.get("name"), FUNCTION_NAMES), (reader) => [reader.number(), reader.name()]));
  const places = new Map();
  list(found.get(ELEMENTS), (reader) => {
    reader.take(2);
    const first = reader.number();
    reader.take(1);
    Array.from({ length: reader.number() }, (_, i) => places.set(reader.number(), first + i));
  });

  const functions = new Map();
  bodies.forEach((body, i) => {
    const name = names.get(imported + i);
    if (!functions.has(name)) functions.set(name, { calls: new Set(), places: new Set(), pieces: new Set() });
    Object.assign(body, functions.get(name));
  });
  const note = (from, { kind, symbol }) => {
    const { index, piece } = symbols[symbol];
    if (ADDRESS.includes(kind)) piece && from.pieces.add(piece);
    else if (PLACE.includes(kind)) from.places.add(places.get(index));
    else if (kind === 0) from.calls.add(names.get(index));
  };
  relocations(more.get("reloc.CODE")).forEach((one) => note(around(bodies, one.at), one));
  for (const one of relocations(more.get("reloc.DATA"))) {
    const { address, from } = around(segments, one.at);
    note(around(data, address + one.at - from), one);
  }
  return { functions, pieces: data };
}
