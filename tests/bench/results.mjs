// Writes RESULTS.md: what was measured, beside whom, on what.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { launch } from "./host.mjs";

const here = import.meta.dirname;

const rateText = ({ stepsPerSec, error, workload }) => {
  if (error) return "failed";
  if (workload.startsWith("gemm")) return (stepsPerSec * 2 * Number(workload.split("-")[1]) ** 3 / 1e9).toFixed(1);
  return stepsPerSec >= 1000 ? Math.round(stepsPerSec).toLocaleString("en-US") : stepsPerSec.toPrecision(3);
};

const row = (texts) => `| ${texts.join(" | ")} |`;

/** Best of a role in a workload; `suffix` keeps plain and relaxed yardsticks apart. */
function best(cells, workload, accept) {
  const found = cells.filter((cell) => cell.workload === workload && cell.stepsPerSec && accept(cell));
  return found.sort((a, b) => b.stepsPerSec - a.stepsPerSec)[0];
}

function ratioRows(workloads, cells) {
  return workloads.map((workload) => {
    const gemm = workload.startsWith("gemm");
    const peer = best(cells, workload, (cell) => cell.role === "peer");
    const texts = ["downhill", "downhill relaxed"].map((name) => {
      const ours = best(cells, workload, (cell) => cell.page === name);
      const limit = best(cells, workload, (cell) => cell.page === name.replace("downhill", "limits"));
      if (!ours) return "–";
      const parts = [];
      if (peer) parts.push(`${(ours.stepsPerSec / peer.stepsPerSec).toFixed(2)}×`);
      if (gemm && limit) parts.push(`${Math.round((100 * ours.stepsPerSec) / limit.stepsPerSec)} % of limits`);
      return parts.join(", ") || "–";
    });
    return row([workload, peer ? peer.page : "–", ...texts]);
  });
}

function pageSection(page) {
  if (!page) return [];
  return [
    "## The page while it trains",
    "",
    row(["", "measured", "aim"]),
    row(["---", "---:", "---:"]),
    row(["transfer of the first visit (brotli)", `${page.transferKB} KB`, "≤ 600 KB"]),
    row(["first motion, warm cache", `${page.firstMotionMs} ms`, "≤ 2000 ms"]),
    row(["frames per second, flat out, median", page.medianFps, "≥ 50"]),
    row(["longest task, flat out", `${page.longestTaskMs} ms`, "≤ 50 ms"]),
    row(["steps per second, flat out", Math.round(page.stepsPerSec).toLocaleString("en-US"), "–"]),
    "",
  ];
}

async function machine() {
  const browser = await launch();
  const version = browser.version();
  await browser.close();
  const packages = JSON.parse(readFileSync(join(here, "package.json"), "utf8")).dependencies;
  const peers = Object.entries(packages).filter(([name]) => name.startsWith("@")).map(([name, at]) => `${name} ${at}`);
  return [
    `- ${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${release()}`,
    `- Chromium ${version} headless, Node ${process.versions.node}, ${peers.join(", ")}`,
  ];
}

export async function writeResults(workloads, cells, page, seconds) {
  const names = [...new Set(cells.map((cell) => cell.page))];
  const lines = [
    "# Training in the browser, beside its peers",
    "",
    "Written by `cargo xtask bench`; do not edit. Full training steps (forward, loss, backward, Adam) in f32 on one thread, as steps per second, and",
    `matrix products as GFLOP/s; median of 7 windows in ${seconds} s after a warm-up, each cell in a fresh browser. \`nt\` and \`tn\` are the transposed`,
    "products of a linear layer's gradients. `limits` is a packed matrix product of our own and nothing around it.",
    "",
    ...(await machine()),
    "",
    row(["", ...workloads]),
    row(["---", ...workloads.map(() => "---:")]),
    ...names.map((name) =>
      row([name, ...workloads.map((workload) => {
        const cell = cells.find((cell) => cell.page === name && cell.workload === workload);
        return cell ? rateText(cell) : "–";
      })]),
    ),
    "",
    "## Against the best peer",
    "",
    row(["", "best peer", "plain", "relaxed"]),
    row(["---", "---", "---:", "---:"]),
    ...ratioRows(workloads, cells),
    "",
    ...pageSection(page),
  ];
  writeFileSync(join(here, "RESULTS.md"), lines.join("\n"));
}
