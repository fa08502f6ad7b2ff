// Cuts out of the wasm what the first visit does without (`crates/protocol/src/later.rs`), to be fetched when it is first needed. Both parts are
// one program: the later one shares memory, stack and tables of the first and calls its functions. Where the first calls the later one, a stub
// calls through a place of the function table instead, and the later part fills these places when it is started.
import binaryen from "binaryen";
import { readFileSync, readdirSync } from "node:fs";
import { CODE, CUSTOM, DATA, DATA_COUNT, ELEMENTS, EXPORTS, FUNCTION_NAMES, Reader, START, join, list, number, sections, sized } from "./wasm.mjs";

/** Where the texts are that only the later part reads. */
const SHADERS = new URL("../crates/gpu/src/wgsl/", import.meta.url);

/** What goes into the later part: functions by their names in Rust, and whatever nobody else calls. */
const LATER =
  /downhill_gpu|wgpu|downhill_train::(chooser::opened|export|bench|compile_bench|reports::(explained|occluded)|session::(compare|profile|table_row))|downhill_data::csv::(cells|columns|date|encode|load|number|reader|sheet|survey|table|text)|downhill_app::(taking|widget|probing|controls|keeping::(write|read|open|settled|refusal)|panels::(csv|table|share|export|embed|parts)|views::(attribution|rows|inspector|program|profile|code))/;
/** Of those, what is called before the part is there. */
const AT_ONCE = /DeviceOptions|no_gpu|next_batches|Panel>::(name|count|prepare)|OutputView>/;
/** Of those, what the first part may call. */
const BORDER = /^(<?downhill_(gpu|train|data|app)::|<.* for downhill_(gpu|train)::)/;
/** Bytes of a function that is so small that it may as well be somebody else's. */
const SMALL = 96;
/** The first part, as the later one names it. */
const FIRST = "first";
/** What is done once, by the first part. */
const ONCE = [EXPORTS, START, ELEMENTS, DATA, DATA_COUNT];
const FEATURES = ["BulkMemory", "BulkMemoryOpt", "Multivalue", "MutableGlobals", "NontrappingFPToInt", "ReferenceTypes", "RelaxedSIMD", "SignExt", "SIMD128"];

/** A section of names without those of anything but functions: binaryen complains of names of data that is not there. */
function functionNames([kind, section]) {
  const reader = new Reader(section);
  if (kind !== CUSTOM || reader.name() !== "name") return [kind, section];
  const kept = [sized(Buffer.from("name"))];
  while (!reader.done) {
    const [sort] = reader.take(1);
    const bytes = reader.take(reader.number());
    if (sort === FUNCTION_NAMES) kept.push(Buffer.from([sort]), sized(bytes));
  }
  return [kind, Buffer.concat(kept)];
}

function read(wasm) {
  const module = binaryen.readBinary(wasm);
  module.setFeatures(FEATURES.reduce((all, name) => all | binaryen.Features[name], 0));
  return module;
}

const every = (count, at) => Array.from({ length: count }, (_, i) => at(i));
const functions = (module) => every(module.getNumFunctions(), (i) => binaryen.getFunctionInfo(module.getFunctionByIndex(i)));
const tables = (module) => every(module.getNumTables(), (i) => binaryen.getTableInfo(module.getTableByIndex(i)));
const globals = (module) => every(module.getNumGlobals(), (i) => binaryen.getGlobalInfo(module.getGlobalByIndex(i)));

/** Puts a call through a place of the function table in the place of a function. */
function stub(module, table, { name, params, results }, place) {
  const given = binaryen.expandType(params).map((type, i) => module.local.get(i, type));
  module.removeFunction(name);
  module.addFunction(name, params, results, [], module.call_indirect(table, module.i32.const(place), given, params, results));
}

/** Makes the function table so much longer. A table cannot be changed, but one of the same name can be put in its place. */
function lengthen(module, { name, initial, max }, more) {
  module.removeTable(name);
  module.addTable(name, initial + more, max + more);
}

/**
 * The functions of the later part that the first one calls, and those that stay in the first. A function of another crate that the first part
 * calls stays there, whatever it is called: the compiler keeps one of several functions that are alike, under the name of any of them. So do
 * the smallest of ours.
 */
function choose(wasm, table) {
  const whole = read(wasm);
  const all = functions(whole);
  whole.dispose();
  const code = list(new Map(sections(wasm)).get(CODE), (reader) => reader.take(reader.number()).length);
  const own = all.filter(({ module }) => !module);
  const sizes = new Map(own.map(({ name }, i) => [name, code[i]]));
  const named = new Map(own.filter(({ name }) => LATER.test(name) && !AT_ONCE.test(name)).map((info) => [info.name, info]));
  for (;;) {
    const module = read(wasm);
    named.forEach((info) => stub(module, table, info, 0));
    // What only they called goes with them.
    module.runPasses(["remove-unused-module-elements"]);
    const left = new Set(functions(module).map(({ name }) => name));
    module.dispose();
    const called = [...named.values()].filter(({ name }) => left.has(name));
    const doubtful = called.filter(({ name }) => !BORDER.test(name) || sizes.get(name) < SMALL);
    // What the bindings give is given to the first part, for both.
    if (!doubtful.length) return { called, stays: all.filter(({ name, module }) => module || (left.has(name) && !named.has(name))) };
    doubtful.forEach(({ name }) => named.delete(name));
  }
}

/** The text of a shader as it is compiled in: without lines of comment (`crates/gpu/src/wgsl.rs`). */
function shader(file) {
  const lines = readFileSync(new URL(file, SHADERS), "utf8").match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return Buffer.from(lines.filter((line) => !/^ *\/\/ /.test(line)).join(""));
}

/** Takes the shaders' texts out of the data: where they were there are zeros, which are not downloaded. Returns a section of data with them. */
function takeShaders(wasm) {
  const texts = readdirSync(SHADERS).map(shader);
  const found = list(new Map(sections(wasm)).get(DATA), (reader) => {
    // An active segment: 0, `i32.const` with the address, `end`, bytes.
    reader.take(2);
    const address = reader.number();
    reader.take(1);
    const bytes = reader.take(reader.number());
    return texts.flatMap((text) => {
      const at = bytes.indexOf(text);
      if (at < 0) return [];
      bytes.fill(0, at, at + text.length);
      return [Buffer.concat([Buffer.from([0, 0x41]), signed(address + at), Buffer.from([0x0b]), sized(text)])];
    });
  }).flat();
  return Buffer.concat([number(found.length), ...found]);
}

/** A number that is not negative, as the wasm format writes those that may be. */
function signed(value) {
  const bytes = [];
  for (; value > 63; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

/**
 * The two parts of a wasm file that still has the names of its functions. The exports of the first that begin with `prefix` are what the
 * later one imports, as exports of a module called "first".
 */
export function cut(file, prefix) {
  const wasm = join([...sections(file)].map(functionNames));
  const shaders = takeShaders(wasm);
  const whole = read(wasm);
  const shared = { tables: tables(whole), globals: globals(whole) };
  whole.dispose();
  const [table] = shared.tables;
  const { called, stays } = choose(wasm, table.name);

  const later = read(join([...[...sections(wasm)].filter(([kind]) => !ONCE.includes(kind)), [DATA, shaders]]));
  for (const [i, { name, params, results }] of stays.entries()) {
    later.removeFunction(name);
    later.addFunctionImport(name, FIRST, `${prefix}${i}`, params, results);
  }
  shared.globals.forEach(({ name, type, mutable }, i) => later.addGlobalImport(name, FIRST, `${prefix}g${i}`, type, mutable));
  lengthen(later, table, called.length);
  shared.tables.forEach(({ name }, i) => later.addTableImport(name, FIRST, `${prefix}t${i}`));
  later.addMemoryImport("0", FIRST, `${prefix}m`);
  later.addActiveElementSegment(table.name, "later", called.map(({ name }) => name), later.i32.const(table.initial));
  later.runPasses(["remove-unused-module-elements"]);
  const used = new Set(functions(later).filter(({ module }) => module).map(({ name }) => name));

  const first = read(wasm);
  lengthen(first, table, called.length);
  called.forEach((info, i) => stub(first, table.name, info, table.initial + i));
  stays.forEach(({ name }, i) => used.has(name) && first.addFunctionExport(name, `${prefix}${i}`));
  shared.globals.forEach(({ name }, i) => first.addGlobalExport(name, `${prefix}g${i}`));
  shared.tables.forEach(({ name }, i) => first.addTableExport(name, `${prefix}t${i}`));
  first.addMemoryExport("0", `${prefix}m`);
  first.runPasses(["remove-unused-module-elements"]);
  const parts = [first, later].map((module) => Buffer.from(module.emitBinary()));
  [first, later].forEach((module) => module.dispose());
  return parts;
}
