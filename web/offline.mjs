// Makes a release work without a network: writes the service worker `sw.js`, which is told the files of this release, and has the page install
// it once it is at rest. Frames never do: a widget is a guest and leaves nothing behind.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
/** What belongs to a release: what lies beside the page, its own folder, and the sets of data. Examples are pages of their own. */
const RELEASED = /^([^/]*\.(html|js|css|wasm|webmanifest|svg)|[0-9a-f]{16}\/.*\.(js|css|wasm)|data\/.*(?<!\.md))$/;

/** The page is at rest once it has loaded and some seconds of training have passed; a reader who saves data is not asked to fetch more. */
const INSTALL = `
if (top === self && "serviceWorker" in navigator && !navigator.connection?.saveData) {
  addEventListener("load", () => setTimeout(() => navigator.serviceWorker.register("./sw.js?" + (window.downhillWorker?.bindings.match(/[^/]*(?=\\.js)/)[0] ?? "site")).catch(() => {}), 3000));
}
`;

/** Writes `sw.js` for the files in `folder`. */
export function offline(folder) {
  const page = join(folder, "index.html");
  writeFileSync(page, readFileSync(page, "utf8").replace("</body>", () => `<script>${INSTALL}</script>\n</body>`));
  const files = readdirSync(folder, { recursive: true }).filter((name) => RELEASED.test(name) && name !== "sw.js").sort();
  const hash = createHash("sha256");
  for (const name of files) hash.update(name).update(readFileSync(join(folder, name)));
  const said = { FILES: JSON.stringify(files), RELEASE: JSON.stringify(hash.digest("hex").slice(0, 16)) };
  const worker = transformSync(readFileSync(join(here, "src/sw.js"), "utf8"), { define: said, minify: true, target: "es2022" });
  writeFileSync(join(folder, "sw.js"), worker.code);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) offline(process.argv[2]);
