// Makes the npm package `downhill` in web/dist/package: the script of widgets with every file that it fetches, its TypeScript types, and a page that
// says how large the files are. Called with the folder of a build.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompressSync, constants } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const out = join(here, "dist/package");
/** What the script fetches, by name or as a whole folder. The sets of data lie beside it as they do beside the page. */
const FILES = /^(embed\.js|speak\.js|here\.js|charts\.js|worker\.js|widget\.css|site(-relaxed)?\.js|site(-relaxed)?_(bg|later)\.wasm|data|words)$/;
const VERSION = readFileSync(join(root, "Cargo.toml"), "utf8").match(/^version = "(.*)"$/m)[1];

const manifest = {
  name: "downhill",
  version: VERSION,
  description: "Neural networks that train in a page: an element for articles, and runs for scripts",
  license: "MIT OR Apache-2.0",
  type: "module",
  exports: { ".": { types: "./types/embed.d.ts", default: "./embed.js" }, "./*": "./*" },
  types: "./types/embed.d.ts",
};

/** The types, from the TypeScript of the script. What Node and bundlers import has its ending. */
async function types() {
  const options = "--declaration --emitDeclarationOnly --stripInternal --strict --skipLibCheck --target es2022 --module esnext --moduleResolution bundler --lib es2023,dom,dom.iterable";
  const tsc = join(here, "node_modules/typescript/bin/tsc");
  const folder = join(out, "types");
  await promisify(execFile)(process.execPath, [tsc, ...options.split(" "), "--outDir", folder, join(here, "src/embed.ts")], { cwd: here });
  for (const name of readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".ts"))) {
    const file = join(folder, name);
    writeFileSync(file, readFileSync(file, "utf8").replace(/(from "\.[^"]*)"/g, '$1.js"'));
  }
}

function sizes() {
  const kilobytes = (bytes) => (bytes / 1000).toFixed(1);
  const rows = readdirSync(out).filter((name) => /\.(js|css|wasm)$/.test(name)).map((name) => {
    const bytes = readFileSync(join(out, name));
    const packed = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
    return `| \`${name}\` | ${kilobytes(bytes.length)} | ${kilobytes(packed.length)} |`;
  });
  return ["| file | kB | compressed with brotli |", "|---|---:|---:|", ...rows].join("\n");
}

/** Makes the package from the files in `folder`. */
export async function pack(folder) {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(folder).filter((name) => FILES.test(name))) {
    cpSync(join(folder, name), join(out, name), { recursive: true, filter: (file) => !file.endsWith(".br") });
  }
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE", "static/schema/experiment.v1.json"]) cpSync(join(root, name), join(out, name.split("/").at(-1)));
  // A bundler would look for what is fetched while it runs; esbuild drops the comment that says so.
  const script = join(out, "embed.js");
  writeFileSync(script, readFileSync(script, "utf8").replaceAll("import(", "import(/* webpackIgnore: true */ /* @vite-ignore */ "));
  await types();
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(out, "README.md"), readFileSync(join(here, "package.md"), "utf8").replace("SIZES", () => sizes()));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await pack(process.argv[2]);
