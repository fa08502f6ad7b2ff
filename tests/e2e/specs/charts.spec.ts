// Charts say what is so, and the page does without them.
import { expect, test } from "@playwright/test";
import { Lab, drawn, link } from "../lab";

test("a browser whose language is no valid tag starts, trains and draws its charts", async ({ page }) => {
  const lab = new Lab(page);
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "language", { get: () => "C", configurable: true }));
  await lab.open();
  await expect(page.locator("[data-chart=Loss] canvas")).toBeVisible();
  expect(lab.errors).toEqual([]);
});

test("where the charts cannot be drawn the page starts and trains, and says so in their place", async ({ page }) => {
  const lab = new Lab(page);
  await page.addInitScript(() => {
    Intl.NumberFormat = class {
      constructor() {
        throw new Error("no numbers here");
      }
    } as unknown as typeof Intl.NumberFormat;
  });
  await lab.open();
  await expect(page.locator("[data-chart=Loss]")).toContainText("The charts cannot be drawn in this browser; training goes on.");
  await lab.reach((state) => state.step > 50);
});

const value = (text: string): number => {
  const found = /^(-?[\d,.]+)(k|M|G)?(?:e([−\d]+))?$/.exec(text)!;
  const unit = { k: 1e3, M: 1e6, G: 1e9 }[found[2] ?? ""] ?? 1;
  return Number(found[1]!.replaceAll(",", "")) * unit * 10 ** Number((found[3] ?? "0").replace("−", "-"));
};

test("what stands at a tick is what its place is worth", async ({ page }) => {
  await drawn(page);
  for (const lr of [0.001, 0.00011, 1e-7, 0.3, 7]) {
    const lab = new Lab(page);
    const model = [{ linear: { out: 4 } }, { linear: { out: "classes" } }];
    await page.goto("about:blank");
    await page.goto(`./${link({ version: 1, data: "spirals", model, optimizer: { sgd: { lr } }, schedule: "cosine", training: { steps: 50, clip_norm: 0.01 }, view: { pace: 300 } })}`);
    await lab.reach((state) => state.step > 20);
    await page.evaluate(() => window.downhill!.pause());
    await expect(page.locator("[data-chart='Learning rate'] canvas")).toBeVisible();
    await page.waitForTimeout(400);
    const found = await drawn(page, "Learning rate");
    const lowest = Math.max(...found.map((d) => d.y));
    const ticks = found.filter((d) => d.y < lowest - 4 && d.text !== "");
    expect(ticks.length).toBeGreaterThan(1);
    // Places and values of the ticks lie on one line; half a pixel is what rounding to pixels takes.
    const [low, high] = [ticks[0]!, ticks.at(-1)!];
    for (const tick of ticks) {
      const share = (tick.y - low.y) / (high.y - low.y);
      const meant = (value(tick.text) - value(low.text)) / (value(high.text) - value(low.text));
      expect(Math.abs(share - meant), `${lr}: ${ticks.map((t) => t.text).join(" ")}`).toBeLessThan(0.02);
    }
  }
});

test("the chart of gradients has a curve and a name for every layer", async ({ page }) => {
  const lab = new Lab(page);
  const hidden = Array.from({ length: 8 }, () => [{ linear: { out: 4 } }, "tanh"]).flat();
  await lab.open(link({ version: 1, data: "spirals", model: [...hidden, { linear: { out: "classes" } }], view: { pace: 300 } }));
  const names = page.getByTestId("gradient-legend").locator(".key");
  await expect(names).toHaveText([...Array.from({ length: 8 }, (_, i) => `linear 4 #${2 * i}`), "linear 2 #16"]);
  await page.locator("[data-chart='Gradient norm'] .plot").hover();
  await expect(page.locator("[data-chart='Gradient norm'] .chart-tip")).toContainText("linear 2 #16");
});
