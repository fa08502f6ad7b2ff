// Writes RESULTS.md: what was measured, beside whom, on what.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launch } from "./host.mjs";
import { ROUNDS } from "./measure.mjs";
import { occasion, rateText, ratio, row } from "./rates.mjs";
import { TABLES } from "./tables.mjs";

const here = import.meta.dirname;
const ROLES = ["ours", "peer", "limit"];

const cellText = ({ stepsPerSec, error, workload }) => {
  if (error) return "failed";
  if (workload.startsWith("gemm")) {
    const gflops = (stepsPerSec * 2 * Number(workload.split("-")[1]) ** 3) / 1e9;
    return gflops.toFixed(gflops < 10 ? 2 : 1);
  }
  return rateText(stepsPerSec);
};

/** Pages with a cell that did not fail, ours first, yardsticks last. */
function shown({ pages, cells }) {
  const alive = Object.keys(pages).filter((name) => cells.some((cell) => cell.page === name && !cell.error));
  return alive.sort((a, b) => ROLES.indexOf(pages[a].role) - ROLES.indexOf(pages[b].role));
}

function rateTable(table) {
  const workloads = Object.keys(table.aims);
  const text = (name, workload) => {
    const cell = table.cells.find((cell) => cell.page === name && cell.workload === workload);
    return cell ? cellText(cell) : "–";
  };
  return [
    row(["", ...workloads]),
    row(["---", ...workloads.map(() => "---:")]),
    ...shown(table).map((name) => row([name, ...workloads.map((workload) => text(name, workload))])),
  ];
}

/** Why cells failed, of pages that are shown. */
function failures(table) {
  const failed = table.cells.filter(({ page, error }) => error && shown(table).includes(page));
  const reason = ({ error }) => error.replace(/^page\.evaluate: (Error: )?/, "");
  return failed.length ? ["", ...failed.map((cell) => `- ${cell.page}, ${cell.workload}: ${reason(cell)}`)] : [];
}

function ratioTable(table) {
  const ours = shown(table).filter((name) => table.pages[name].role === "ours");
  if (!ours.length) return [];
  const rows = Object.entries(table.aims).map(([workload, aim]) => {
    const cells = table.cells.filter((cell) => cell.workload === workload && !cell.error);
    const peer = cells.filter((cell) => cell.role === "peer").sort((a, b) => b.stepsPerSec - a.stepsPerSec)[0];
    const texts = ours.map((name) => {
      const cell = cells.find((cell) => cell.page === name);
      const limit = cells.find((cell) => cell.page === table.pages[name].limit);
      if (!cell) return "–";
      const parts = peer ? [`${ratio(cell, peer).toFixed(2)}×`] : [];
      if (limit) parts.push(`${Math.round(100 * ratio(cell, limit))} % of limits`);
      return parts.join(", ") || "–";
    });
    return row([workload, peer?.page ?? "–", ...texts, aim]);
  });
  return ["", row(["", "best peer", ...ours, "aim"]), row(["---", "---", ...ours.map(() => "---:"), "---:"]), ...rows];
}

function pageTable(page) {
  if (!page) return [];
  return [
    "",
    "## The page while it trains",
    "",
    row(["", "measured", "aim"]),
    row(["---", "---:", "---:"]),
    row(["transfer of the first visit (brotli)", `${page.transferKB} KB`, "≤ 600 KB"]),
    row(["first motion, warm cache", `${page.firstMotionMs} ms`, "≤ 2000 ms"]),
    row(["two spirals learned to 0.97, from opening", `${page.learnedMs} ms`, "≤ 30000 ms"]),
    row(["frames per second, flat out, median", page.medianFps, "≥ 50"]),
    row(["longest task, flat out", `${page.longestTaskMs} ms`, "≤ 50 ms"]),
    row(["steps per second, flat out", Math.round(page.stepsPerSec).toLocaleString("en-US"), "–"]),
  ];
}

/** The browser's version and its WebGPU adapter, null where there is none. */
async function browser(origin) {
  const browser = await launch(TABLES.flatMap(({ flags }) => flags));
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/page.html`);
    const adapter = await page.evaluate(async () => {
      const info = (await navigator.gpu?.requestAdapter())?.info;
      return info ? [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ") : null;
    });
    return { version: browser.version(), adapter };
  } finally {
    await browser.close();
  }
}

function adapterNote(adapter) {
  const software = /swiftshader|llvmpipe/i.test(adapter);
  const note = software ? ", a software adapter: it shows what an engine costs around its kernels, not how it ranks on a graphics card" : "";
  return [`Adapter: ${adapter}${note}.`, ""];
}

function peers() {
  const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  const npm = Object.entries(dependencies).filter(([name]) => name.startsWith("@"));
  const rust = ["candle", "burn"].flatMap((folder) => {
    const manifest = readFileSync(join(here, folder, "Cargo.toml"), "utf8");
    return [...manifest.matchAll(/^(\S+) = \{ version = "=([\d.]+)"/gm)].map(([, name, at]) => [name, at]);
  });
  return [...npm, ...rust].map(([name, at]) => `${name} ${at}`).join(", ");
}

const HEADER = `# Training in the browser, beside its peers

Written by \`cargo xtask bench --rust-peers\`; do not edit. Full training steps (forward, loss, backward, Adam) in f32 on one thread, as steps per
second, and matrix products as GFLOP/s. Each page has a browser of its own for each workload. All pages of a table are measured in turn, ${ROUNDS} times,
every other time in reverse, ${TABLES.map(({ seconds }) => seconds).join(" or ")} s in all after a warm-up; a rate is the median of its rounds, a ratio the median of their ratios, so that a
machine that gets slower or faster meanwhile does so for both sides. \`cnn\` is two convolutions with pooling
on 28 × 28 images, \`lstm\` 128 units over 64 tokens, \`gpt-s\` four transformer blocks of width 128 over 64 tokens; all pages but Downhill's begin with the same
weights on the same batches. \`nt\` and \`tn\` are the transposed products of a linear layer's gradients.
\`limits\` is a packed matrix product of our own and nothing around it; on WebGPU it is the best of some hand-tuned shapes.`;

export async function writeResults(origin, tables, page) {
  const { version, adapter } = await browser(origin);
  const lines = [
    HEADER,
    "",
    `- ${occasion()}`,
    `- Chromium ${version} headless, Node ${process.versions.node}`,
    `- ${peers()}`,
  ];
  for (const table of tables) {
    if (!shown(table).length) continue;
    lines.push("", `## ${table.title}`, "", ...(table.onAdapter ? adapterNote(adapter) : []));
    lines.push(...rateTable(table), ...failures(table), ...ratioTable(table));
  }
  writeFileSync(join(here, "RESULTS.md"), [...lines, ...pageTable(page), ""].join("\n"));
}
