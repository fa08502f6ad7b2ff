// Whole runs in the browser: they learn what they are meant to, and the same link gives the same run.
import { expect, test } from "@playwright/test";
import { Lab, link } from "../lab";

// How long it takes on a quiet machine is measured by the benchmark.
const PATIENCE = 60_000;
test.setTimeout(2 * PATIENCE);

test("the page opens with two spirals that are already being learned", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const state = await lab.reach((state) => (state.metrics.train_loss ?? 1) < 0.5);
  expect(state.experiment).toMatchObject({ data: { spirals: {} } });
  expect(lab.errors).toEqual([]);
});

test("two spirals reach a validation accuracy of 0.97", async ({ page }) => {
  const lab = new Lab(page);
  await page.goto("./");
  const state = await lab.reach((state) => (state.metrics.validation_accuracy ?? 0) >= 0.97, PATIENCE);
  expect(state.metrics.validation_accuracy).toBeGreaterThanOrEqual(0.97);
});

test("digits reach a validation accuracy of 0.95", async ({ page }) => {
  const lab = new Lab(page);
  const experiment = {
    version: 1,
    data: "digits",
    model: [{ linear: { out: 32 } }, "relu", { linear: { out: "classes" } }],
    optimizer: { adam: { lr: 0.003 } },
  };
  await page.goto(`./${link(experiment)}`);
  const state = await lab.reach((state) => (state.metrics.validation_accuracy ?? 0) >= 0.95, PATIENCE);
  expect(state.experiment).toMatchObject({ data: { digits: {} } });
});

test("the same link gives the same run", async ({ page }) => {
  const experiment = { version: 1, data: "moons", model: [{ linear: { out: 8 } }, "tanh", { linear: { out: "classes" } }], training: { steps: 300 }, view: { pace: "max" } };
  const losses: (number | undefined)[] = [];
  for (let run = 0; run < 2; run++) {
    const lab = new Lab(page);
    await page.goto("about:blank");
    await lab.open(link(experiment));
    losses.push((await lab.reach((state) => state.step === 300 && !state.running)).metrics.validation_loss);
  }
  expect(losses[0]).toBeGreaterThan(0);
  expect(losses[1]).toBe(losses[0]);
});
