// A crash of the worker: the run goes on from the copy that the page keeps.
import { expect, test, type Page } from "@playwright/test";
import { Lab } from "../lab";

// The page is given a copy every two seconds; one more may pass until it is made and read.
const OLDEST_COPY_S = 3;
const PACE = 100;

/** The step from which the page says that the run goes on. */
async function stepOfCopy(page: Page): Promise<number> {
  const alert = page.getByRole("alert").filter({ hasText: "goes on from step" });
  await expect(alert).toBeVisible();
  return Number((await alert.textContent())!.match(/from step (\d+)/)![1]);
}

test("a crash of the worker restarts it and the run goes on from a copy that is some seconds old", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.evaluate((pace) => window.downhill!.pace(pace), PACE);
  const { step } = await lab.reach((state) => state.step > 1000, 30_000);
  await lab.crashWorker();
  const copy = await stepOfCopy(page);
  expect(copy).toBeGreaterThanOrEqual(step - OLDEST_COPY_S * PACE);
  const after = await lab.reach((state) => state.step > 2000, 40_000);
  expect(after.running).toBe(true);
  await expect(page.locator("#crash")).toBeHidden();
});

test("a crash just after another experiment was opened does not bring the one before back", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await lab.reach((state) => state.step > 1000, 30_000);
  await page.evaluate(async (text) => {
    const { downhill } = window;
    downhill!.load(text);
    while (!("moons" in (downhill!.state().experiment.data as object))) await new Promise((resolve) => setTimeout(resolve, 1));
    downhill!.crashWorker();
  }, JSON.stringify({ data: "moons", model: [{ linear: { out: "classes" } }] }));
  await expect(page.getByRole("alert").filter({ hasText: "started again" })).toBeVisible();
  await lab.reach((state) => state.step > 0 && state.running);
  // A copy would be taken up a moment later.
  await page.waitForTimeout(1500);
  const after = await lab.state();
  expect(after.experiment).toMatchObject({ data: { moons: {} } });
});
