// Lays out the page in a folder as Trunk does in development: copies what the links of `index.html` name, and has wasm-bindgen make its bindings
// for each program that cargo has compiled.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { linked } from "./linked.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** A line for Trunk: what it links to, and where that is. */
const LINK = /^<link data-trunk rel="(.+?)" href="(.+?)".*>\n/gm;

/** Makes the bindings of a program, and its wasm to go with them. */
export async function bind(folder, program) {
  const options = ["--target", "web", "--no-typescript", "--no-demangle", "--out-dir", folder];
  await promisify(execFile)("wasm-bindgen", [...options, join(await linked(), `${program}.wasm`)]);
}

/** Lays out the page in `folder`, and nothing else. */
export function lay(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const page = readFileSync(join(root, "index.html"), "utf8").replace(LINK, (_, kind, href) => {
    if (kind !== "rust") cpSync(join(root, href), join(folder, basename(href)), { recursive: true });
    return kind === "css" ? `<link rel="stylesheet" href="./${basename(href)}">\n` : "";
  });
  writeFileSync(join(folder, "index.html"), page);
}
