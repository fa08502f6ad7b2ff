// Installs the npm package from its tarball, as `npm pack` makes it, into the example of this folder; checks the example against the types of the
// package, imports the package where there is no page, and bundles the example into dist/.
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const made = join(here, "../../web/dist/package");
const dist = join(here, "dist");
const npm = (...args) => execFileSync("npm", args, { cwd: here, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

rmSync(dist, { recursive: true, force: true });
const [{ filename, size, files }] = JSON.parse(npm("pack", "--json", made));
console.log(`${filename}: ${files.length} files, ${(size / 1000).toFixed(0)} kB`);
const tarball = join(here, filename);
npm("install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline", tarball);
rmSync(tarball);
execFileSync(process.execPath, [join(here, "node_modules/typescript/bin/tsc")], { cwd: here, stdio: "inherit" });

// A server that renders pages imports it too, and is told in a sentence what it cannot do there.
const { createRun } = await import("downhill");
const refused = await createRun("spirals").catch(({ message }) => message);
if (!/in the browser, not on the server/.test(refused)) throw new Error(`Without a page \`createRun\` says: ${refused}`);

await build({ absWorkingDir: here, entryPoints: ["app.tsx"], outdir: join(dist, "scripts"), bundle: true, format: "esm", minify: true, define: { "process.env.NODE_ENV": '"production"' } });
cpSync(join(here, "index.html"), join(dist, "index.html"));
cpSync(join(here, "node_modules/downhill"), join(dist, "downhill"), { recursive: true });
