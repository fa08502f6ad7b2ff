// What the page says of a run: the truth, long enough to be read, and a change that can be tried with one click.
import { expect, test } from "@playwright/test";
import { Lab, link } from "../lab";

test.setTimeout(120_000);

const model = [{ linear: { out: 16 } }, "tanh", { linear: { out: 16 } }, "tanh", { linear: { out: "classes" } }];
const spirals = (optimizer: unknown, more: object = {}) => ({ version: 1, seed: 7, data: { spirals: { samples: 500, noise: 0.02 } }, model, optimizer, view: { pace: 300 }, ...more });
const TOO_FAST = spirals({ adam: { lr: 0.3 } });

/** What was shown when. */
interface Seen {
  at: number;
  step: number;
  verdict: string | null;
  loss: number | undefined;
}

test("a rate that is too high is never called healthy, and a verdict stands for three seconds", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(TOO_FAST));
  const seen: Seen[] = await page.evaluate(async () => {
    const seen: Seen[] = [];
    const began = performance.now();
    while (performance.now() - began < 20_000) {
      const { step, verdict, metrics } = window.downhill!.state();
      seen.push({ at: performance.now(), step, verdict, loss: metrics.train_loss });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return seen;
  });
  // A verdict is made four times a second, so it may lag behind the loss by that much.
  let above = 0;
  for (const { verdict, loss } of seen) {
    const healthy = verdict === "learning" || verdict === "learned";
    above = healthy && (loss ?? 0) >= Math.LN2 ? above + 1 : 0;
    expect(above, `${verdict} at a loss of ${loss}`).toBeLessThan(12);
  }
  const changes = seen.filter(({ verdict }, i) => i === 0 || verdict !== seen[i - 1]!.verdict);
  for (let i = 1; i + 1 < changes.length; i++) {
    const [shown, next] = [changes[i]!, changes[i + 1]!];
    // What says that there is nothing to say yet gives way at once, and so does what is good where the loss rises above guessing.
    if (["early", "learning", "learned"].includes(shown.verdict ?? "early")) continue;
    expect(next.at - shown.at, `${shown.verdict}, then ${next.verdict}`).toBeGreaterThan(2_800);
    expect(next.step - shown.step).toBeGreaterThan(150);
  }
  expect(seen.map(({ verdict }) => verdict)).toContain("oscillating");
  expect(lab.errors).toEqual([]);
});

test("the button of a verdict edits the run that goes on", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(spirals({ adam: { lr: 0.0001 } })));
  const card = page.getByTestId("verdict");
  await expect(card).toHaveAttribute("data-verdict", "creeping", { timeout: 60_000 });
  await expect(card).toContainText("the learning rate of 0.0001 is too low");
  const { run } = await lab.state();
  const fix = page.getByTestId("fix");
  const rate = Number((await fix.innerText()).replace("Set the learning rate to ", ""));
  expect(rate).toBeGreaterThan(0.0001);
  await fix.click();
  const after = await lab.reach((state) => state.lr > 0.0001);
  expect([after.lr, after.run]).toEqual([rate, run]);
  await expect(card).not.toHaveAttribute("data-verdict", "creeping");
});

test("what diverged starts over with the rate that is offered", async ({ page }) => {
  const lab = new Lab(page);
  const hidden = [{ linear: { out: 16 } }, "relu", { linear: { out: 16 } }, "relu", { linear: { out: "targets" } }];
  await page.goto(`./${link({ version: 1, seed: 7, data: "sine", loss: "mse", model: hidden, optimizer: { sgd: { lr: 10, momentum: 0.9 } } })}`);
  const card = page.getByTestId("verdict");
  await expect(card).toHaveAttribute("data-verdict", "diverged", { timeout: 20_000 });
  await expect(page.locator(".aloud")).toHaveAttribute("role", "alert");
  const { run } = await lab.state();
  await page.getByTestId("fix").click();
  const after = await lab.reach((state) => state.lr === 1);
  expect(after.run).toBeGreaterThan(run);
});

test("the end is not called a fall, and more steps are a click away", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...spirals({ adam: { lr: 0.01 } }), training: { steps: 400 } }));
  await lab.reach((state) => state.step === 400 && !state.running);
  const card = page.getByTestId("verdict");
  await expect(card).toHaveAttribute("data-verdict", "finished");
  await expect(card).toContainText("After 400 steps");
  await page.getByTestId("fix").click();
  await lab.reach((state) => state.step === 800 && !state.running);
});

test("an end that is moved is not reached, and a run that stops early is not called done", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...spirals({ adam: { lr: 0.01 } }), training: { steps: 400 } }));
  await lab.reach((state) => state.step === 400 && !state.running);
  const card = page.getByTestId("verdict");
  await expect(card).toContainText("All steps are done");
  await page.getByTestId("training").click();
  await page.locator("#f-training-steps").fill("900");
  await page.locator("#f-training-steps").press("Enter");
  await page.keyboard.press("Escape");
  await lab.reach((state) => (state.experiment.training as { steps: number }).steps === 900);
  await expect(card).not.toContainText("All steps are done");
  await page.goto("about:blank");
  // A rate that throws the weights about gets no better for long.
  await lab.open(link({ ...spirals({ sgd: { lr: 1 } }), training: { steps: 20_000, patience: 5, eval_every: 10 }, view: { pace: "max" } }));
  await lab.reach((state) => !state.running && state.step > 0);
  expect((await lab.state()).step).toBeLessThan(20_000);
  await expect(card).toContainText("it stopped early");
  await expect(card).not.toContainText("All steps are done");
});

test("the card fits a phone", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await new Lab(page).open(link(TOO_FAST));
  const card = page.getByTestId("verdict");
  await expect(page.getByTestId("fix")).toBeVisible({ timeout: 20_000 });
  expect(await card.evaluate((card) => card.scrollWidth - card.clientWidth)).toBe(0);
  const place = await page.getByTestId("fix").boundingBox();
  expect(place!.height).toBeGreaterThanOrEqual(24);
});
