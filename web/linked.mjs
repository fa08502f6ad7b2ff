import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The folder in which the linker has left the programs of a release. */
export async function linked() {
  const cwd = dirname(fileURLToPath(import.meta.url));
  const { stdout } = await promisify(execFile)("cargo", ["metadata", "--no-deps", "--format-version", "1"], { cwd, maxBuffer: 1 << 26 });
  return join(JSON.parse(stdout).target_directory, "wasm32-unknown-unknown", "release");
}
