// Bundles the chart glue with uPlot, the styles of both, and what makes zip files into web/dist; Trunk calls this before each build.
import { build } from "esbuild";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
await build({
  entryPoints: [join(here, "src/charts.ts"), join(here, "src/page.css"), join(here, "src/zip.ts")],
  outdir: join(here, "dist"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  logLevel: "warning",
});
