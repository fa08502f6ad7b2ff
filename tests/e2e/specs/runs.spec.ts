// A new run is a new run, and what keeps weights says so: steps, curves and marks after an edit.
import { expect, test } from "@playwright/test";
import { type Drawn, Lab, drawn, link } from "../lab";

const deep = [{ linear: { out: 8 } }, "tanh", { linear: { out: 8 } }, "tanh", { linear: { out: "classes" } }];
const shallow = [{ linear: { out: 8 } }, "tanh", { linear: { out: "classes" } }];
const experiment = { version: 1, name: "Mine", seed: 1, data: "spirals", model: deep, training: { steps: 4000 }, view: { pace: 300 } };

const words = (found: Drawn[]): string => found.map((d) => d.text).join(" | ");

// Room for the words beside a mark.
test.use({ viewport: { width: 1920, height: 1080 } });

test("another data set begins a run at step 0, and the curve before it stays, named by what differs", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(experiment));
  // Far enough that a page which is slow to look still sees the new run behind.
  const before = await lab.reach((state) => state.step > 600);
  await page.locator("[data-source=circles]").click();
  const after = await lab.reach((state) => "circles" in (state.experiment.data as object) && state.step > 0);
  expect(after.step).toBeLessThan(before.step);
  expect(after.running).toBe(true);
  await expect(page.getByTestId("run-before")).toHaveText("run before: data spirals → circles");
});

test("another seed and layers that keep nothing begin a run, also when it was at its end, and it trains", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...experiment, model: shallow, training: { steps: 60 }, view: { pace: "max" } }));
  await lab.reach((state) => state.step === 60 && !state.running);
  await page.getByTestId("training").click();
  await page.getByLabel("Seed").fill("2");
  await page.getByLabel("Seed").press("Enter");
  await page.keyboard.press("Escape");
  await lab.reach((state) => state.experiment.seed === 2 && state.step === 60 && !state.running);
  await expect(page.getByTestId("run-before")).toHaveText("run before: seed 1 → 2");
  await page.locator(".layer[data-layer='0']").click();
  await page.getByTestId("layer-editor").locator("input[type=text]").first().fill("16");
  await page.getByTestId("layer-editor").locator("input[type=text]").first().press("Enter");
  await expect(page.getByTestId("run-before")).toHaveText("run before: hidden 8 → 16");
  await lab.reach((state) => state.step === 60 && !state.running);
});

test("an experiment that was opened trains, though the run before came to its end while its data was on its way", async ({ page }) => {
  const lab = new Lab(page);
  let send = (): void => {};
  const held = new Promise<void>((resolve) => (send = resolve));
  await page.route(/\/iris\./, async (route) => (await held, route.continue()));
  await lab.open(link({ ...experiment, model: shallow, training: { steps: 200 }, view: { pace: 300 } }));
  await page.evaluate(() => (location.hash = "#p=iris"));
  await expect.poll(() => page.evaluate(() => (document.querySelector("input[aria-label='Name of the experiment']") as HTMLInputElement).value)).toBe("Iris");
  await lab.reach((state) => state.step === 200 && !state.running);
  send();
  expect(await lab.reach((state) => state.experiment.name === "Iris" && state.step > 0)).toMatchObject({ running: true });
});

test("more noise keeps the weights and the step, and marks the chart with what it was and that weights are kept", async ({ page }) => {
  const lab = new Lab(page);
  await drawn(page);
  await lab.open(link(experiment));
  // Far enough that a page which is slow to look still sees the new run behind.
  const before = await lab.reach((state) => state.step > 600);
  await page.getByLabel("Noise", { exact: true }).fill("0.2");
  await page.getByLabel("Noise", { exact: true }).press("Enter");
  const after = await lab.reach((state) => (state.experiment.data as { spirals: { noise: number } }).spirals.noise === 0.2 && state.step > 0);
  expect(after.step).toBeGreaterThanOrEqual(before.step);
  await expect.poll(async () => words(await drawn(page, "Loss"))).toContain("noise 0.03 → 0.2 · weights kept");
  await expect(page.getByTestId("run-before")).toHaveCount(0);
});

test("layers of which some keep their weights go on with the curve of before", async ({ page }) => {
  const lab = new Lab(page);
  await drawn(page);
  await lab.open(link(experiment));
  // Far enough that a page which is slow to look still sees the new run behind.
  const before = await lab.reach((state) => state.step > 600);
  await page.evaluate(() => window.downhill!.pause());
  await page.locator(".layer[data-layer='0']").click();
  await page.getByTestId("layer-editor").locator("input[type=text]").first().fill("16");
  await page.getByTestId("layer-editor").locator("input[type=text]").first().press("Enter");
  await expect.poll(async () => words(await drawn(page, "Loss"))).toContain("hidden 8 → 16 · keeps 1 of 3 layers");
  expect((await lab.state()).step).toBeGreaterThanOrEqual(before.step);
});

test("a learning rate changed within a run is what the next run is told apart by", async ({ page }) => {
  const lab = new Lab(page);
  await drawn(page);
  await lab.open(link(experiment));
  await lab.reach((state) => state.step > 100);
  await page.getByLabel("Learning rate", { exact: true }).fill("0.03");
  await page.getByLabel("Learning rate", { exact: true }).press("Enter");
  await expect.poll(async () => words(await drawn(page, "Loss"))).toContain("lr 0.001 → 0.03");
  await page.getByTestId("reset").click();
  await expect(page.getByTestId("run-before")).toHaveText("run before: lr 0.001 → 0.03");
});

test("all charts show the same steps", async ({ page }) => {
  const lab = new Lab(page);
  await drawn(page);
  await lab.open(link({ ...experiment, schedule: "cosine" }));
  await lab.reach((state) => state.step > 100);
  await page.evaluate(() => window.downhill!.pause());
  const steps = async (chart: string): Promise<string> => {
    const found = await drawn(page, chart);
    const lowest = Math.max(...found.map((d) => d.y));
    return words(found.filter((d) => d.y === lowest).sort((a, b) => a.x - b.x).slice(-1));
  };
  await expect.poll(async () => new Set(await Promise.all(["Loss", "Accuracy", "Gradient norm", "Learning rate"].map(steps))).size).toBe(1);
});
