// Bundles every page to dist/ and lays TensorFlow.js's wasm files beside them.
import { build } from "esbuild";
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const wasm = join(here, "node_modules/@tensorflow/tfjs-backend-wasm/dist");
mkdirSync(join(dist, "tfjs-wasm"), { recursive: true });

const library = new Set(["data.js", "measure.js", "parameters.js", "random.js", "rust.js", "wgsl.js", "workloads.js"]);
await build({
  entryPoints: readdirSync(join(here, "pages")).filter((file) => file.endsWith(".js") && !library.has(file)).map((file) => join(here, "pages", file)),
  outdir: dist,
  bundle: true,
  format: "esm",
  target: "esnext",
  // What the peers name only for Node, and what xtask puts there ready made.
  external: ["fs", "path", "os", "worker_threads", "perf_hooks", "util", "crypto", "/peers/*"],
  logLevel: "error",
});
for (const file of readdirSync(wasm).filter((file) => file.endsWith(".wasm"))) cpSync(join(wasm, file), join(dist, "tfjs-wasm", file));
