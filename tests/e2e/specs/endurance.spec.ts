// Memory after many steps and many edits. What it takes at a time is the business of the benchmark.
import { expect, test, type Page } from "@playwright/test";
import config from "../playwright.config";
import { inWorker, Lab, link, type State } from "../lab";
import { bookkeeping, readLedger, Scale, type Weight } from "../memory";

// The GPU is the browser's own software adapter, which every machine has.
const launch = config.use!.launchOptions!;
test.use({ launchOptions: { ...launch, args: [...launch.args!, "--enable-unsafe-webgpu"] } });
test.setTimeout(180_000);
const SLOW = 60_000;

const KIB = 1024;
// What a collected heap differs by from one look to the next: compiled code, the newest frame of each panel, the inspector's own notes.
const HEAP = 1024 * KIB;
// Curves grow until they hold 20,000 points of 48 bytes: here some 10,000 more in each of four, in vectors that double.
const CURVES = 4096 * KIB;
// wasm takes memory in steps of up to 128 KiB: from one look to the next fewer than two of them.
const EDITS = 128 * KIB;

const experiment = (hidden: number, lr: number) => ({
  version: 1,
  data: "spirals",
  model: [{ linear: { out: hidden } }, "tanh", { linear: { out: "classes" } }],
  optimizer: { adam: { lr } },
  view: { pace: "max" },
});

/** Opens the page on one backend, flat out. */
async function open(page: Page, backend: "cpu" | "gpu"): Promise<Lab> {
  await inWorker(page, bookkeeping);
  const lab = new Lab(page);
  await lab.open(link(experiment(8, 0.003)));
  await page.evaluate((choice) => window.downhill!.choose(choice), backend);
  const chosen = { cpu: (s: State) => s.backends.choice === "cpu", gpu: (s: State) => s.backend === "gpu" };
  await lab.reach(chosen[backend], SLOW);
  return lab;
}

/** Waits for so many further steps. */
async function train(lab: Lab, steps: number): Promise<void> {
  const { step } = await lab.state();
  await lab.page.waitForFunction((end) => window.downhill!.state().step >= end, step + steps, { timeout: SLOW });
}

/** Weighs page and worker while the run rests: frames on their way weigh more than a leak would. What goes a moment later was none. */
async function weighAtRest(lab: Lab, scale: Scale): Promise<Weight> {
  await lab.page.evaluate(() => window.downhill!.pause());
  await lab.reach((state) => !state.running, SLOW);
  const soon = await scale.weigh();
  await lab.page.waitForTimeout(500);
  const later = await scale.weigh();
  for (const part of ["page", "worker"] as const) later[part].heap = Math.min(soon[part].heap, later[part].heap);
  await lab.page.evaluate(() => window.downhill!.play());
  return later;
}

/** Starts, edits the width or the learning rate, waits for steps, stops, resets; so many times, within the page. */
async function cycle(page: Page, times: number): Promise<void> {
  const texts = [experiment(8, 0.003), experiment(12, 0.003), experiment(12, 0.01), experiment(8, 0.01)].map((e) => JSON.stringify(e));
  await page.evaluate(
    async ([texts, times]) => {
      const lab = window.downhill!;
      const until = async (accept: (state: State) => boolean): Promise<void> => {
        while (!accept(lab.state())) await new Promise((resolve) => setTimeout(resolve, 4));
      };
      for (let i = 0; i < times; i++) {
        const { run } = lab.state();
        lab.play();
        lab.load(texts[i % texts.length]!);
        await until((state) => state.run > run && state.step > 0);
        lab.pause();
        await until((state) => !state.running);
        lab.reset();
        await until((state) => state.step === 0);
      }
    },
    [texts, times] as const,
  );
}

/** Nothing grows from each look to the next: what leaks does so every time, a highest mark is reached once. */
function expectFlat(looks: Weight[], wasm: number): void {
  const grown = (part: (weight: Weight) => number): number => Math.min(...looks.slice(1).map((after, i) => part(after) - part(looks[i]!)));
  expect(grown((w) => w.page.heap), "heap of the page").toBeLessThan(HEAP);
  expect(grown((w) => w.worker.heap), "heap of the worker").toBeLessThan(HEAP);
  expect(grown((w) => w.page.wasm), "wasm memory of the page").toBeLessThanOrEqual(wasm);
  expect(grown((w) => w.worker.wasm), "wasm memory of the worker").toBeLessThanOrEqual(wasm);
}

test("100,000 steps on the cpu leave memory as it was", async ({ page }) => {
  const lab = await open(page, "cpu");
  const scale = await Scale.of(page);
  await train(lab, 20_000);
  const before = await weighAtRest(lab, scale);
  await train(lab, 100_000);
  expectFlat([before, await weighAtRest(lab, scale)], CURVES);
});

test("10,000 steps on the gpu leave memory as it was, and cost few submits and readbacks", { tag: "@long" }, async ({ page }) => {
  const lab = await open(page, "gpu");
  const scale = await Scale.of(page);
  await train(lab, 2_000);
  const before = await weighAtRest(lab, scale);
  const look = async () => ({ seconds: Date.now() / 1000, steps: (await lab.state()).step, ...(await readLedger(page)) });
  const opened = await look();
  await train(lab, 10_000);
  const closed = await look();
  expectFlat([before, await weighAtRest(lab, scale)], CURVES);
  const grown = (what: keyof typeof opened): number => closed[what] - opened[what];
  expect(grown("groups"), "bind groups").toBe(0);
  // Reads that happen to come together may ask for a larger staging buffer; it takes the place of a smaller one.
  expect(grown("created"), "buffers made").toBeLessThanOrEqual(8);
  expect(grown("buffers"), "buffers").toBeLessThanOrEqual(4);
  expect(grown("reads") / grown("seconds"), "readbacks a second").toBeLessThanOrEqual(60);
  // The panels' programs are submits too, and counted with those of the steps.
  expect(grown("steps"), "steps, and submits").toBeGreaterThan(grown("submits"));
});

// Each time takes most of a second; `CYCLES=100` looks further.
const CYCLES = Number(process.env.CYCLES ?? 15);

for (const backend of ["cpu", "gpu"] as const) {
  test(`${2 * CYCLES} times start, stop and edit on the ${backend} leave memory as it was`, { tag: backend === "gpu" ? "@long" : [] }, async ({ page }) => {
    test.setTimeout(Math.max(180_000, 3000 * CYCLES));
    await open(page, backend);
    const scale = await Scale.of(page);
    // What one network leaves over is where the next one finds its place, but it takes some until the highest mark is reached.
    await cycle(page, 40);
    const opened = await readLedger(page);
    const looks = [await scale.weigh()];
    for (let look = 0; look < 2; look++) {
      await cycle(page, CYCLES);
      looks.push(await scale.weigh());
    }
    const closed = await readLedger(page);
    expectFlat(looks, EDITS);
    // A trial of the newest network may be under way at one look and not at the other: its buffers are all but a few.
    expect(closed.buffers - opened.buffers, "buffers").toBeLessThanOrEqual(20);
  });
}
