// Makes a release: `cargo xtask build` calls it with a folder once cargo has compiled the programs, and Trunk's hook (`finish.mjs`) for what Trunk
// has laid out. It is made smaller, the npm package is made of it, and it is made to be cached, to work offline, and to be sent compressed.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./build.mjs";
import { compress } from "./compress.mjs";
import { gather } from "./gather.mjs";
import { lay } from "./lay.mjs";
import { offline } from "./offline.mjs";
import { pack } from "./package.mjs";
import { shrink, withoutComments } from "./shrink.mjs";

/** Makes a release of the page that lies in `folder`. */
export async function release(folder) {
  await shrink(folder);
  await pack(folder);
  await gather(folder);
  offline(folder);
  await withoutComments(folder);
  await compress(folder);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2]);
  const step = async (what, work) => (console.log(`▸ release build: ${what}`), await work(folder));
  await step("bundling scripts and styles", bundle);
  await step("laying out the page", lay);
  await step("making it smaller", release);
}
