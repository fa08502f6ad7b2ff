// Makes a release in a folder, in the steps that `cargo xtask build` calls by name: `page`; a program, once cargo has compiled it; `end`. A program
// is made smaller while cargo compiles the next. Trunk's hook (`finish.mjs`) goes on from what Trunk has laid out. Of all that the npm package is
// made, and it is made to be cached, to work offline, and to be sent compressed.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./build.mjs";
import { compress } from "./compress.mjs";
import { gather } from "./gather.mjs";
import { bind, lay } from "./lay.mjs";
import { offline } from "./offline.mjs";
import { pack } from "./package.mjs";
import { PROGRAMS, shrink, withoutComments } from "./shrink.mjs";

async function end(folder) {
  await pack(folder);
  await gather(folder);
  offline(folder);
  await withoutComments(folder);
  await compress(folder);
}

/** Makes a release of the page that lies in `folder` with its programs. */
export async function release(folder) {
  await Promise.all(PROGRAMS.map((program) => shrink(folder, program)));
  await end(folder);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , to, step] = process.argv;
  const folder = resolve(to);
  const say = (what) => console.log(`▸ release build: ${what}`);
  if (step === "page") {
    say("bundling scripts and styles, laying out the page");
    await bundle();
    lay(folder);
  } else if (step === "end") {
    say("packing and compressing, some 20 seconds");
    await end(folder);
  } else {
    say(`making ${step} smaller, a minute or more`);
    await bind(folder, step);
    await shrink(folder, step);
  }
}
