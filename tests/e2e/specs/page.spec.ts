// What a person does on the page, control by control.
import { readFileSync, readdirSync } from "node:fs";
import { expect, test } from "@playwright/test";
import { Lab, link } from "../lab";

test("pause holds the run, step takes one step, reset starts over with the same weights", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
  const { step } = await lab.state();
  await page.getByTestId("step").click();
  await page.waitForFunction((before) => window.downhill!.state().step === before + 1, step);
  // The same weights have the same loss on the same held-out samples, to the last bit.
  const lossOfReset = async (): Promise<number> => {
    await page.getByTestId("reset").click();
    await lab.reach((state) => state.step === 0);
    let loss: number | undefined;
    await expect.poll(async () => (loss = (await lab.state()).metrics.validation_loss)).toBeGreaterThan(0);
    return loss!;
  };
  const first = await lossOfReset();
  await page.getByTestId("play").click();
  await lab.reach((state) => state.step > 200 && state.metrics.validation_loss !== undefined);
  await page.getByTestId("play").click();
  const { metrics } = await lab.reach((state) => !state.running);
  expect(metrics.validation_loss).not.toBe(first);
  expect(await lossOfReset()).toBe(first);
});

test("keys do what the buttons do", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.keyboard.press("Space");
  const { step } = await lab.reach((state) => !state.running);
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((before) => window.downhill!.state().step === before + 1, step);
  expect((await lab.state()).running).toBe(false);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toContainText("Play or pause");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("another learning rate takes effect without a restart", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const before = await lab.reach((state) => state.step > 100);
  const rate = page.getByLabel("Learning rate", { exact: true });
  await rate.fill("0.002");
  await rate.press("Enter");
  await page.waitForFunction(() => {
    const { optimizer } = window.downhill!.state().experiment as { optimizer?: { adam?: { lr?: number } } };
    return optimizer?.adam?.lr === 0.002;
  });
  // The rate is the worker's own word: that of the next step.
  const after = await lab.reach((state) => state.lr === 0.002);
  expect(after.run).toBe(before.run);
  expect(after.step).toBeGreaterThanOrEqual(before.step);
});

test("a hidden layer is added, edited in place and removed", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  const layers = async () => ((await lab.state()).experiment as { model: unknown[] }).model.length;
  const before = await layers();
  await page.getByTestId("add-layer").nth(1).click();
  await page.getByTestId("add-hidden").click();
  await expect.poll(layers).toBe(before + 2);
  const units = page.getByTestId("layer-editor").getByLabel("Outputs, slider");
  await units.focus();
  await units.press("End");
  await expect.poll(async () => JSON.stringify((await lab.state()).experiment)).toContain('"out":128');
  await page.getByTestId("remove-layer").click();
  await expect.poll(layers).toBe(before + 1);
});

test("Escape closes a card that the mouse opened, and so does another example", async ({ page }) => {
  await new Lab(page).open();
  const card = page.getByTestId("layer-editor");
  await page.locator("[data-layer='0']").click();
  await expect(card).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(card).toBeHidden();
  await page.locator("[data-layer='0']").click();
  await expect(card).toBeVisible();
  await page.getByTestId("gallery").click();
  await page.locator("[data-preset]").nth(1).click();
  await expect(card).toBeHidden();
});

test("the pace is set on a phone too", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 780 });
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId("pace").focus();
  await page.getByTestId("pace").press("Home");
  await expect.poll(async () => ((await lab.state()).experiment as { view?: { pace?: number } }).view?.pace).toBe(1);
});

test("a network that is wider than its panel scrolls together with its lines", async ({ page }) => {
  const hidden = Array.from({ length: 11 }, () => [{ linear: { out: 4 } }, "tanh"]).flat();
  await new Lab(page).open(link({ version: 1, data: "spirals", model: [...hidden, { linear: { out: "classes" } }] }));
  await expect(page.locator(".col")).toHaveCount(13);
  const wide = await page.locator(".cols").evaluate((cols) => cols.clientWidth);
  expect(wide).toBeGreaterThan(await page.locator(".pan").evaluate((pan) => pan.clientWidth));
  expect(await page.locator("canvas.wires").evaluate((wires) => wires.clientWidth)).toBe(wide);
});

test("other data after the last step is learned from at once, and runs through the network", async ({ page }) => {
  const lab = new Lab(page);
  const model = [{ linear: { out: 8 } }, "relu", { linear: { out: "classes" } }];
  await lab.open(link({ version: 1, data: "iris", model, training: { steps: 400 }, view: { pace: "max" } }));
  await lab.reach((state) => state.step === 400 && !state.running);
  await page.locator("[data-source=wine]").click();
  await lab.reach((state) => "wine" in (state.experiment.data as object) && state.step === 400 && state.metrics.train_accuracy! > 0.9);
  const painted = () => page.locator(".cell canvas").first().evaluate((cell) => (cell as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, 1, 1).data[3]);
  await expect.poll(painted).toBe(255);
});

test("a link that is shared opens the same experiment", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.locator("[data-source=moons]").click();
  await page.waitForFunction(() => JSON.stringify(window.downhill!.state().experiment).includes("moons"));
  await page.evaluate(() => window.downhill!.pace(50));
  await page.getByTestId("share").click();
  const url = await page.getByTestId("link").inputValue();
  const { experiment } = await lab.state();
  await page.goto("about:blank");
  await page.goto(url);
  await lab.reach((state) => state.step > 0);
  expect((await lab.state()).experiment).toEqual(experiment);
  expect(JSON.stringify(experiment)).toContain('"pace":50');
});

test("text that is wrong is kept, with a sentence that names the place", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.getByRole("tab", { name: "Code" }).click();
  const code = page.getByTestId("code");
  const text = (await code.inputValue()).replace('"linear"', '"lineer"');
  await code.fill(text);
  await expect(page.getByTestId("code-error")).toContainText("linear");
  await expect(page.getByTestId("apply")).toBeDisabled();
  await page.getByRole("tab", { name: "Charts" }).click();
  await page.getByRole("tab", { name: "Code" }).click();
  await expect(code).toHaveValue(text);
  await code.fill(text.replace('"lineer"', '"linear"').replace(/"name": "[^"]*"/, '"name": "Mine"'));
  await page.getByTestId("apply").click();
  await expect(page.getByLabel("Name of the experiment")).toHaveValue("Mine");
});

test("a table that is pasted is understood, its trouble is named, and it is learned from", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId("own").click();
  const rows = Array.from({ length: 60 }, (_, i) => `${i % 7},${(i * 3) % 5},${i % 7 > 3 ? "yes" : "no"}`);
  await page.getByTestId("csv").fill(["a,b,answer", ...rows, "4,,yes", "1,2"].join("\n"));
  await expect(page.getByTestId("csv-columns")).toContainText("category");
  await expect(page.getByTestId("csv-trouble")).toContainText("Line");
  await lab.reach((state) => JSON.stringify(state.experiment).includes("answer") && state.step > 0);
});

test("a digit that is drawn moves the ten probabilities", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open("#p=digits");
  await lab.reach((state) => (state.metrics.validation_accuracy ?? 0) > 0.8, 30_000);
  // At rest, only the pen can move them.
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
  await page.getByTestId("clear").click();
  const bars = page.getByTestId("probabilities").locator(".num");
  // Until somebody draws, the worst mistake is on show.
  await expect(bars).toHaveText(Array(10).fill(/^\d+\.\d$/));
  const mistake = await bars.allTextContents();
  const pad = (await page.getByTestId("pad").boundingBox())!;
  const at = (x: number, y: number): [number, number] => [pad.x + x * pad.width, pad.y + y * pad.height];
  const draw = async (from: [number, number], to: [number, number]): Promise<void> => {
    await page.mouse.move(...from);
    await page.mouse.down();
    await page.mouse.move(...to, { steps: 12 });
    await page.mouse.up();
  };
  const sum = async (): Promise<number> => (await bars.allTextContents()).reduce((sum, text) => sum + Number(text), 0);
  await draw(at(0.5, 0.1), at(0.5, 0.9));
  await expect(bars).not.toHaveText(mistake);
  // Ten numbers with one digit behind the point each.
  await expect.poll(async () => Math.abs((await sum()) - 100)).toBeLessThan(1);
  const stroke = await bars.allTextContents();
  await draw(at(0.2, 0.2), at(0.8, 0.2));
  await expect(bars).not.toHaveText(stroke);
  await expect.poll(async () => Math.abs((await sum()) - 100)).toBeLessThan(1);
});

test("a click on a unit changes its bias", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
  const unit = page.locator(".cell[data-column='1']").first();
  await unit.click();
  const entry = page.getByTestId("weight");
  const before = Number(await entry.inputValue());
  expect(before).not.toBe(1.5);
  await entry.fill("1.5");
  await entry.press("Enter");
  // What stands in the field is what was typed. The tip shows what the engine has sent since then.
  await page.getByRole("button", { name: "Close" }).click();
  await page.mouse.move(0, 0);
  await unit.hover();
  await expect(page.getByRole("tooltip")).toContainText("+1.5000");
});

test("the theme button goes round and is remembered", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await new Lab(page).open();
  await page.getByTestId("theme").click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

const examples = readdirSync("../../static/presets").filter((file) => file !== "index.json").map((file) => file.replace(/\.json$/, "")).sort();

test("the gallery has every example", async ({ page }) => {
  await new Lab(page).open();
  await page.getByTestId("gallery").click();
  await expect(page.locator("[data-preset]").first()).toBeVisible();
  const ids = await page.locator("[data-preset]").evaluateAll((cards) => cards.map((card) => (card as HTMLElement).dataset.preset!));
  expect(ids.sort()).toEqual(examples);
});

// In quarters, so that none is the one that all others wait for.
for (const quarter of [0, 1, 2, 3]) {
  test(`every example opens and trains, quarter ${quarter + 1}`, async ({ page }) => {
    test.setTimeout(120_000);
    const lab = new Lab(page);
    await lab.open();
    for (const id of examples.filter((_, at) => at % 4 === quarter)) {
      await page.evaluate((preset) => (location.hash = `#p=${preset}`), id);
      const { name } = JSON.parse(readFileSync(`../../static/presets/${id}.json`, "utf8"));
      await page.waitForFunction((opened) => window.downhill!.state().experiment.name === opened && window.downhill!.state().step > 0, name, { timeout: 30_000 });
    }
    expect(lab.errors).toEqual([]);
  });
}
