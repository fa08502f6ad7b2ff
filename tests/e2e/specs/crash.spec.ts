// A crash of the worker: the run goes on from the copy that the page keeps.
import { expect, test } from "@playwright/test";
import { Lab } from "../lab";

test("a crash of the worker restarts it and the run goes on where it was", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  // Longer than the time between two copies of the weights, so that there is one.
  await page.waitForTimeout(5000);
  const before = (await lab.state()).step;
  await lab.crashWorker();
  const after = await lab.reach((state) => state.running && state.stepsPerSecond > 0);
  expect(after.step).toBeGreaterThan(before / 3);
  await page.waitForFunction((step) => window.downhill!.state().step > step, before, { timeout: 20_000 });
  await expect(page.locator("#crash")).toBeHidden();
});
