// Bundles the chart glue and uPlot into web/dist; Trunk calls this before each build.
import { build } from "esbuild";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
mkdirSync(dist, { recursive: true });

await build({
  entryPoints: [join(here, "src/charts.ts")],
  outfile: join(dist, "charts.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  logLevel: "warning",
});
copyFileSync(join(here, "node_modules/uplot/dist/uPlot.min.css"), join(dist, "uPlot.css"));
