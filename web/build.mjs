// Bundles what is not wasm into web/dist, before each build: the chart glue with uPlot, what makes zip files, what reads pictures and sounds, what
// maps vectors, the script of widgets and what has them speak other languages, and the styles of page and widgets.
import { build } from "esbuild";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const src = (name) => join(here, "src", name);
const outdir = join(here, "dist");
const options = { outdir, bundle: true, format: "esm", target: "es2022", minify: true, logLevel: "warning" };

/** The script of widgets, in whatever folder; beside it lies the rest, in a folder of its own where it is named. */
export const embed = (outdir, release) =>
  build({ ...options, outdir, entryPoints: [src("embed.ts")], define: { RELEASE: JSON.stringify(release && `${release}/`) } });

export async function bundle() {
  await embed(outdir, "");
  await build({ ...options, entryPoints: ["charts.ts", "page.css", "zip.ts", "media.ts", "umap.ts", "speak.ts", "here.ts", "frame.ts"].map(src), external: ["./embed.js", "./here.js"] });
  // In a shadow tree there is no root element to hang the tokens on, and a widget's screen is its own width.
  const { outputFiles } = await build({ ...options, entryPoints: [src("widget.css")], write: false });
  const css = outputFiles[0].text
    .replaceAll(":root", ".downhill")
    .replace(/\bbody\{/g, ".downhill{")
    .replace(/@media ?\(max-width: ?(\d+px)\)/g, "@container downhill (max-width:$1)");
  writeFileSync(join(outdir, "widget.css"), css);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
