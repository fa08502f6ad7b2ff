// Puts the files of a release that name each other into a folder that is named by a hash of them all, so that a copy of one never grows old and
// files of two releases never meet. Where pages and scripts of others look for them stay the pages, the script of widgets, and sets of data.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { embed } from "./build.mjs";

const GATHERED = /^((charts|worker|zip|media|umap|speak|here|site(-relaxed)?)\.js|.*\.css|.*\.wasm)$/;

/** Moves the files, and tells the page and the script of widgets where they are. */
export async function gather(folder) {
  const names = readdirSync(folder).filter((name) => GATHERED.test(name)).sort();
  const hash = createHash("sha256");
  for (const name of names) hash.update(name).update(readFileSync(join(folder, name)));
  const release = hash.digest("hex").slice(0, 16);
  mkdirSync(join(folder, release));
  for (const name of names) renameSync(join(folder, name), join(folder, release, name));
  const page = join(folder, "index.html");
  const told = readFileSync(page, "utf8")
    .replace(/"\.\/([^"]+)"/g, (whole, name) => (names.includes(name) ? `"./${release}/${name}"` : whole))
    .replaceAll("`./${name}", `\`./${release}/\${name}`);
  writeFileSync(page, told);
  await embed(folder, release);
}
