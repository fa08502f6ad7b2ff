// Cuts out of the wasm what the first visit does without (`crates/protocol/src/later.rs`), to be fetched when it is first needed. Both parts are
// one program: the later one shares memory, stack and tables of the first and calls its functions. Where the first calls the later one, a stub
// calls through a place of the function table instead, and the later part fills these places when it is started.
import binaryen from "binaryen";
import { linkName, path, references, segment } from "./references.mjs";
import { CODE, CUSTOM, DATA, DATA_COUNT, ELEMENTS, EXPORTS, FUNCTION_NAMES, Reader, START, join, list, number, sections, sized } from "./wasm.mjs";

/** What goes into the later part: functions by their names in Rust, and whatever is reached through them alone. */
const LATER =
  /apart::apart|later::begun|Part>::show|(Layer|Loss|Optimizer)Def>::torch|(OutputView|LayerView|Inside|Panel)>::view|downhill_gpu|wgpu|downhill_train::(chooser::opened|export|bench|compile_bench|reports::(explained|occluded|writing)|session::(compare|profile|table_row))|downhill_data::(arrays|corpus|recordings|csv::(cells|columns|date|encode|load|number|reader|sheet|survey|table|text|timeline))|downhill_app::(taking|media|widget|probing|texts|controls|keeping::(write|read|open|settled|refusal))/;
/** Of those, what is called before the part is there; the views are those whose `is_at_once` says so. */
const AT_ONCE = /DeviceOptions|no_gpu|next_batches|(Boundary|NeuronMap|Charts) as/;
/** Of those, what the first part may call. */
const BORDER = /^(<?downhill_(gpu|train|data|model|app|protocol|tensor)::|<[FT] as downhill_(app|model)::|<.* for downhill_(gpu|train)::)/;
/** Of those, what is a border however small it is. */
const ENTRANCE = /apart::apart|later::begun|Part>::show|(OutputView|LayerView|Inside|Panel)>::view/;
/** Of those, what is one where it names data, a text to give back: functions that are alike name none, or the same. */
const TEXT = /Def>::torch/;
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

/** The places of the function table that a module fills: the name of the function in each. */
function placed(module) {
  const infos = every(module.getNumElementSegments(), (i) => binaryen.getElementSegmentInfo(module.getElementSegmentByIndex(i)));
  return infos.flatMap(({ name, data, offset }) => {
    const first = binaryen.getExpressionInfo(offset).value;
    module.removeElementSegment(name);
    return data.map((name, i) => [first + i, name]);
  });
}

/** Fills places of the function table, those that stand beside each other at once. */
function place(module, table, places) {
  const all = [...places].sort(([a], [b]) => a - b);
  for (let from = 0, to; from < all.length; from = to) {
    for (to = from + 1; all[to]?.[0] === all[to - 1][0] + 1; ) to++;
    const names = all.slice(from, to).map(([, name]) => name);
    module.addActiveElementSegment(table, `${from}`, names, module.i32.const(all[from][0]));
  }
}

/**
 * Divides a program: `border` are the functions of the later part that the first one calls, `stays` those of the first part, `live` the
 * pieces of data and `places` the places of the function table that the first part refers to. The first part is what the exports reach without
 * crossing the border. A function of another crate is no border, whatever it is called: the compiler keeps one of several functions that
 * are alike, under the name of any of them. Nor are the smallest of ours.
 */
function divide(wasm, table, references) {
  const whole = read(wasm);
  const all = functions(whole);
  const filled = new Map(placed(whole));
  whole.dispose();
  const code = list(new Map(sections(wasm)).get(CODE), (reader) => reader.take(reader.number()).length);
  const own = all.filter(({ module }) => !module);
  const isBorder = ({ name }, i) => LATER.test(path(name)) && BORDER.test(path(name)) && !AT_ONCE.test(path(name)) && (code[i] >= SMALL || ENTRANCE.test(path(name)) || (TEXT.test(path(name)) && references.functions.get(linkName(name))?.pieces.size));
  const border = new Map(own.filter(isBorder).map((info) => [info.name, info]));
  if (!border.size) throw new Error("No function of the later part is found by its name.");
  const known = new Set(own.map(({ name }) => linkName(name)));
  const [seen, live, places] = [new Set(), new Set(), new Set()];
  /** Notes what a function or a piece of data refers to; a function that was made part of another is read as a part of it. */
  const follow = (from) => {
    if (!from || seen.has(from)) return;
    seen.add(from);
    from.places.forEach((at) => places.add(at));
    from.pieces.forEach((piece) => (live.add(piece), follow(piece)));
    from.calls?.forEach((called) => known.has(called) || follow(references.functions.get(called)));
  };
  for (;;) {
    const module = read(wasm);
    placed(module);
    const entered = [...places].map((at) => [at, filled.get(at)]).filter(([, name]) => name && !border.has(name));
    place(module, table.name, entered);
    border.forEach((info) => stub(module, table.name, info, 0));
    // What nobody in the first part needs goes.
    module.runPasses(["remove-unused-module-elements"]);
    const left = new Set(functions(module).map(({ name }) => name));
    module.dispose();
    const before = seen.size;
    left.forEach((name) => border.has(name) || follow(references.functions.get(linkName(name))));
    if (seen.size > before) continue;
    const called = [...border.values()].filter(({ name }) => left.has(name));
    // What the bindings give is given to the first part, for both.
    const stays = all.filter(({ name, module }) => module || (left.has(name) && !border.has(name)));
    return { called, stays, live, entered, filled };
  }
}

/** Takes out of the data what only the later part reads: where it was are zeros, which are not downloaded. Returns a section of data with it. */
function takeData(wasm, pieces, live) {
  const found = list(new Map(sections(wasm)).get(DATA), (reader) => {
    const { address, bytes } = segment(reader);
    const to = address + bytes.length;
    const runs = [];
    for (const piece of pieces.filter(({ from }) => address <= from && from < to)) {
      if (live.has(piece)) runs.push(undefined);
      else if (runs.at(-1)) runs.at(-1).to = piece.to;
      else runs.push({ from: piece.from, to: piece.to });
    }
    return runs.filter(Boolean).map(({ from, to }) => {
      const taken = bytes.subarray(from - address, to - address);
      const segment = Buffer.concat([Buffer.from([0, 0x41]), signed(from), Buffer.from([0x0b]), sized(taken)]);
      taken.fill(0);
      return segment;
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
 * The two parts of a wasm file that still has the names of its functions. `linked` is the file that the linker has made. The exports of the
 * first part that begin with `prefix` are what the later one imports, as exports of a module called "first".
 */
export function cut(file, linked, prefix) {
  const wasm = join([...sections(file)].map(functionNames));
  const known = references(linked);
  const whole = read(wasm);
  const shared = { tables: tables(whole), globals: globals(whole) };
  whole.dispose();
  const [table] = shared.tables;
  const { called, stays, live, entered, filled } = divide(wasm, table, known);
  const data = takeData(wasm, known.pieces, live);
  const [atOnce, staying] = [new Set(entered.map(([at]) => at)), new Set(stays.map(({ name }) => name))];

  const later = read(join([...[...sections(wasm)].filter(([kind]) => !ONCE.includes(kind)), [DATA, data]]));
  for (const [i, { name, params, results }] of stays.entries()) {
    later.removeFunction(name);
    later.addFunctionImport(name, FIRST, `${prefix}${i}`, params, results);
  }
  shared.globals.forEach(({ name, type, mutable }, i) => later.addGlobalImport(name, FIRST, `${prefix}g${i}`, type, mutable));
  lengthen(later, table, called.length);
  shared.tables.forEach(({ name }, i) => later.addTableImport(name, FIRST, `${prefix}t${i}`));
  later.addMemoryImport("0", FIRST, `${prefix}m`);
  place(later, table.name, [...[...filled].filter(([at]) => !atOnce.has(at)), ...called.map(({ name }, i) => [table.initial + i, name])]);
  later.runPasses(["remove-unused-module-elements"]);
  const used = new Set(functions(later).filter(({ module }) => module).map(({ name }) => name));

  const first = read(wasm);
  placed(first);
  lengthen(first, table, called.length);
  place(first, table.name, entered);
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
