// node widgets.mjs [--no-lighthouse]: what widgets cost the page that they stand in, one line per measure, and all of them in WIDGETS.md.
// The host page comes from another origin than the build, as in somebody's blog. Figures are of this machine; what counts is how they compare.
import lighthouse from "lighthouse";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { launch, serve } from "./host.mjs";

const ROUNDS = 3;
const WIDGET = (name, more = "") => `<downhill-lab src="${name}" style="display: block" ${more}></downhill-lab>`;
/** Every part that a widget may have, of the heaviest of the small examples. */
const EVERYTHING = 'show="data network output views draw edit transport pace step score loss accuracy gradients rates verdict lr optimizer batch_size lab fullscreen"';
const FAR = `<div style="height: 3000px">${"<p>An article, as long as articles are, with a figure far below its first screen.</p>".repeat(20)}</div>`;

/** Pages of another origin. */
async function host(script) {
  const pages = {
    "/none": FAR,
    "/below": FAR + ["spirals", "circles", "moons"].map((name) => WIDGET(name)).join(""),
    "/everything": FAR + WIDGET("digits", EVERYTHING),
    "/one": WIDGET("circles", 'show="step"'),
    "/ten": WIDGET("circles", 'show="step" height="40"').repeat(10),
    "/asked": WIDGET("circles", 'show="step"') + WIDGET("circles", 'height="40" autostart="click"').repeat(20),
    "/empty": "",
  };
  const server = createServer(({ url }, reply) => {
    const body = pages[url];
    reply.writeHead(body === undefined ? 404 : 200, { "content-type": "text/html" });
    const tag = url === "/none" || url === "/empty" ? "" : `<script type="module" src="${script}"></script>`;
    reply.end(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="description" content="A host"><title>Host</title>${tag}<body style="margin: 0"><main>${body}</main></html>`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/** Megabytes that the processes of a browser's pages hold for themselves, workers and their wasm among it, after garbage was collected. */
async function memory(browser, page) {
  const session = await page.context().newCDPSession(page);
  for (let round = 0; round < 2; round++) await session.send("HeapProfiler.collectGarbage");
  await session.detach();
  const { processInfo } = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
  const held = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => {
    const text = readFileSync(`/proc/${id}/smaps_rollup`, "utf8");
    return Number(text.match(/Private_Dirty: +(\d+) kB/)[1]) / 1000;
  });
  return Math.round(held.reduce((sum, megabytes) => sum + megabytes, 0));
}

const started = (page, count) =>
  page.waitForFunction(
    async (count) => {
      const labs = [...document.querySelectorAll("downhill-lab:not([autostart=click])")];
      const runs = await Promise.all(labs.map((lab) => lab.run?.()));
      return runs.filter((run) => run?.state().experiment).length === count;
    },
    count,
    { timeout: 120_000 },
  );

/** Megabytes of pages with none, one and ten widgets, with one and twenty that wait for a click, and when the ten are taken away in the middle of
    their runs. */
async function megabytes(origin) {
  const found = {};
  for (const [name, count] of [["empty", 0], ["one", 1], ["asked", 1], ["ten", 10]]) {
    // Processes of pages that were closed live on for a while.
    const browser = await launch();
    const page = await browser.newPage();
    await page.goto(`${origin}/${name}`);
    await started(page, count);
    found[name] = await memory(browser, page);
    if (count === 10) {
      await page.evaluate(() => document.querySelectorAll("downhill-lab").forEach((lab) => lab.remove()));
      for (let waited = 0; page.workers().length && waited < 10_000; waited += 100) await sleep(100);
      found.workersAfterRemoval = page.workers().length;
      found.removed = await memory(browser, page);
    }
    await browser.close();
  }
  const each = (page, widgets) => Math.round(((found[page] - found.one) / widgets) * 10) / 10;
  return { ...found, perWidget: each("ten", 9), perPoster: each("asked", 20) };
}

/** Milliseconds of the processor's time in the longest task of the page's own thread. What else the machine does is not in it, as it is in the
    durations that a page can see. */
function longestTask({ traceEvents }) {
  const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`);
  const tasks = traceEvents.filter(({ ph, name, pid, tid }) => ph === "X" && name.endsWith("RunTask") && threads.includes(`${pid} ${tid}`));
  return Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1000;
}

/** Milliseconds from a widget's way into the viewport to the first change of its picture, and the longest task of the page until it has
    trained for a while, in a browser that has compiled nothing yet. */
async function motion(origin, name) {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${origin}/${name}`);
  await page.waitForFunction(() => customElements.get("downhill-lab"));
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  const moved = await page.evaluate(async () => {
    const lab = document.querySelector("downhill-lab");
    const picture = () => {
      const canvas = lab.shadowRoot.querySelector(".w-output canvas");
      return canvas?.width ? canvas.toDataURL() : null;
    };
    const begin = performance.now();
    lab.scrollIntoView({ block: "center" });
    let first = null;
    for (;;) {
      const now = picture();
      first ??= now;
      if (first && now !== first) break;
      if (performance.now() - begin > 60_000) throw new Error("the picture never moved");
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    return Math.round(performance.now() - begin);
  });
  await sleep(3000);
  const longest = longestTask(JSON.parse((await browser.stopTracing()).toString()));
  await browser.close();
  return { moved, longest };
}

/** Lighthouse's score of performance, 0 to 100, of a page with three widgets below its first screen beside the page without them. */
async function scores(origin) {
  const port = 9300 + Math.floor(Math.random() * 500);
  const browser = await launch([`--remote-debugging-port=${port}`]);
  try {
    const found = { none: [], below: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of round % 2 ? ["below", "none"] : ["none", "below"]) {
        const { lhr } = await lighthouse(`${origin}/${name}`, { port, onlyCategories: ["performance"], logLevel: "error" });
        found[name].push(Math.round(lhr.categories.performance.score * 100));
      }
    }
    return { without: median(found.none), with: median(found.below) };
  } finally {
    await browser.close();
  }
}

const server = await serve();
const build = `http://127.0.0.1:${server.address().port}/app/`;
const other = await host(process.env.DOWNHILL_SCRIPT ?? `${build}embed.js`);
const origin = `http://127.0.0.1:${other.address().port}`;
const browser = await launch();
const version = browser.version();
await browser.close();
const rows = [];
const row = (what, value, wanted = "") => (rows.push([what, value, wanted]), console.log(`${what}: ${value}${wanted && ` (wanted: ${wanted})`}`));

const held = await megabytes(origin);
row("memory of the page, MB: empty, one widget, ten", `${held.empty}, ${held.one}, ${held.ten}`);
row("ten more than one, MB", held.ten - held.one, "at most 60");
row("each further widget that has run and takes its turn, MB", held.perWidget);
row("each widget that waits for a click, MB", held.perPoster, "at most 2");
row("ten taken away in the middle of their runs: workers left, MB", `${held.workersAfterRemoval}, ${held.removed}`, "no worker");
for (const [name, what, wanted] of [["below", "one of three widgets", "at most 1500"], ["everything", "a widget of digits with every part", ""]]) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await motion(origin, name));
  row(`${what}: from the viewport to motion, ms`, median(rounds.map(({ moved }) => moved)), wanted);
  row(`${what}: the longest task of the host page meanwhile, ms of the processor's time`, Math.round(median(rounds.map(({ longest }) => longest))), "at most 50");
}
if (!process.argv.includes("--no-lighthouse")) {
  const { without, with: beside } = await scores(origin);
  row("Lighthouse performance without and with three widgets below the first screen", `${without}, ${beside}`, "at most 2 apart");
}
server.close();
other.close();
other.closeAllConnections();

const head = `# What widgets cost their page\n\nWritten by \`cargo xtask bench --widgets\`; do not edit. The page and the script come from two origins; medians of ${ROUNDS} rounds.\n\n- ${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0].model.trim()}\n- Chromium ${version} headless\n`;
writeFileSync(join(import.meta.dirname, "WIDGETS.md"), `${head}\n| | | wanted |\n|---|---:|---|\n${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`);
