// node run.mjs [workload…] [--pages a,b] [--seconds N]: one line per cell on stdout, the table in RESULTS.md when every page ran.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { launch, serve } from "./host.mjs";
import { measurePage } from "./page.mjs";
import { writeResults } from "./results.mjs";

export const WORKLOADS = ["mlp-s-10", "mlp-s-128", "mlp-l", "gemm-512", "gemm-512-nt", "gemm-512-tn", "gemm-1024"];
const LIMIT_MS = 150_000;

/** Our own pages first; `limits` is the yardstick, everything else a peer. The Rust peers are there if they were built. */
const PAGES = {
  downhill: { query: "page=downhill&build=plain", role: "ours" },
  "downhill relaxed": { query: "page=downhill&build=relaxed", role: "ours" },
  hand: { query: "page=hand", role: "peer" },
  "tfjs cpu": { query: "page=tfjs&backend=cpu", role: "peer" },
  "tfjs wasm": { query: "page=tfjs&backend=wasm", role: "peer" },
  "jax-js wasm": { query: "page=jax", role: "peer" },
  "candle wasm": { query: "page=candle", role: "peer", needs: "peers/candle.js" },
  limits: { query: "page=limits&build=plain", role: "limit" },
  "limits relaxed": { query: "page=limits&build=relaxed", role: "limit" },
};

/** Runs one workload on one page in a fresh browser: no page inherits another's heap or compiled code. */
async function cell(origin, query, workload, seconds) {
  const browser = await launch();
  const watchdog = setTimeout(() => browser.close(), LIMIT_MS);
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/page.html?${query}`);
    await page.waitForFunction(() => window.ready || window.failed, null, { timeout: 60_000 });
    return await page.evaluate(
      async ([name, time]) => {
        if (window.failed) return { error: window.failed };
        try {
          return await window.bench(name, time);
        } catch (error) {
          return { error: String(error?.message ?? error) };
        }
      },
      [workload, seconds],
    );
  } catch (error) {
    return { error: String(error.message).split("\n")[0] };
  } finally {
    clearTimeout(watchdog);
    await browser.close();
  }
}

function options(args) {
  const value = (name) => args[args.indexOf(name) + 1];
  const named = args.filter((arg, i) => !arg.startsWith("--") && !["--pages", "--seconds"].includes(args[i - 1]));
  const unknown = named.filter((name) => !WORKLOADS.includes(name));
  if (unknown.length) throw new Error(`no workload ${unknown}; there are ${WORKLOADS}`);
  const there = Object.keys(PAGES).filter((name) => !PAGES[name].needs || existsSync(join(import.meta.dirname, "dist", PAGES[name].needs)));
  const pages = args.includes("--pages") ? value("--pages").split(",") : there;
  const missing = pages.filter((name) => !there.includes(name));
  if (missing.length) throw new Error(`no page ${missing}; there are ${there}`);
  const whole = !named.length && pages.length === there.length && !args.includes("--page-only");
  return {
    workloads: args.includes("--page-only") ? [] : named.length ? named : WORKLOADS,
    pages,
    seconds: args.includes("--seconds") ? Number(value("--seconds")) : 5,
    whole,
    withPage: whole || args.includes("--page-only"),
  };
}

const { workloads, pages, seconds, whole, withPage } = options(process.argv.slice(2));
const server = await serve();
const origin = `http://127.0.0.1:${server.address().port}`;
const cells = [];
// Workload by workload, so that what is compared was measured close in time.
for (const workload of workloads) {
  for (const name of pages) {
    const result = await cell(origin, PAGES[name].query, workload, seconds);
    if (result.missing) continue;
    cells.push({ workload, page: name, role: PAGES[name].role, ...result });
    console.log(JSON.stringify(cells.at(-1)));
  }
}
const page = withPage ? await measurePage(server, `${origin}/app/index.html`) : null;
if (page) console.log(JSON.stringify({ page }));
server.close();
if (whole) await writeResults(WORKLOADS, cells, page, seconds);
