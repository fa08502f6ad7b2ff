// Bundles the chart glue with uPlot, and the styles of both, into web/dist; Trunk calls this before each build.
import { build } from "esbuild";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
await build({
  entryPoints: [join(here, "src/charts.ts"), join(here, "src/page.css")],
  outdir: join(here, "dist"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  logLevel: "warning",
});
