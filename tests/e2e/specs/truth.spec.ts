// What the page says is so: once, under one name, and also in another tab, after a reload and in another language.
import { expect, test } from "@playwright/test";
import { Lab, drawn, link } from "../lab";

const digits = { version: 1, data: "digits", model: [{ linear: { out: 16 } }, "relu", { linear: { out: "classes" } }], view: { pace: 300 } };

test("the pointer on the picture of the sample reads the pixel below it", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(digits));
  const picture = page.locator(".cell.big canvas");
  const { x, y, width, height } = (await picture.boundingBox())!;
  for (const [row, column] of [[0, 0], [2, 5], [7, 7]] as const) {
    await page.mouse.move(x + ((column + 0.5) / 8) * width, y + ((row + 0.5) / 8) * height);
    await expect(page.locator(".tip")).toContainText(`row ${row + 1} column ${column + 1}`);
  }
});

test("clear gives an empty pad, whatever was on it, and a stroke begins on what is seen", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(digits));
  const pad = page.getByTestId("pad");
  const ink = () =>
    pad.evaluate((canvas: HTMLCanvasElement) => {
      const data = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data;
      return Array.from(data).filter((v, i) => i % 4 === 0 && v !== data[0]).length;
    });
  const { x, y, width, height } = (await pad.boundingBox())!;
  const stroke = async (from: number, to: number) => {
    await page.mouse.move(x + from * width, y + 0.1 * height);
    await page.mouse.down();
    await page.mouse.move(x + to * width, y + 0.9 * height, { steps: 6 });
    await page.mouse.up();
  };
  await stroke(0.5, 0.5);
  await expect.poll(ink).toBeGreaterThan(4);
  const alone = await ink();
  await page.locator(".tile").first().click();
  await page.getByTestId("clear").click();
  await expect.poll(ink).toBe(0);
  await stroke(0.2, 0.8);
  await page.locator(".tile").first().click();
  await stroke(0.5, 0.5);
  await expect.poll(ink).toBe(alone);
  await page.getByTestId("clear").click();
  await expect.poll(ink).toBe(0);
});

test("a layer has one name in the network, the charts, the inspector and the profile", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...digits, data: "spirals" }));
  await expect(page.locator(".layer")).toHaveText(["linear 16 #0", "relu #1", "linear 2 #2"]);
  await expect(page.getByTestId("gradient-legend").locator(".key")).toHaveText(["linear 16 #0", "linear 2 #2"]);
  await page.getByRole("tab", { name: /Inspector/ }).click();
  await expect(page.locator(".inspector th[scope=row]")).toHaveText(["linear 16 #0 weight", "linear 16 #0 bias", "linear 2 #2 weight", "linear 2 #2 bias", "linear 16 #0", "relu #1", "linear 2 #2"]);
  await page.getByRole("tab", { name: /Program/ }).click();
  await page.getByTestId("measure").click();
  await expect(page.locator(".profile th[scope=rowgroup]").filter({ hasText: /^linear 16 #0$/ })).toBeVisible({ timeout: 30_000 });
});

test("what is wrong is said once, at its field, and the banner calls the place by its name", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...digits, data: "spirals" }));
  await page.getByLabel("Noise", { exact: true }).fill("7");
  await page.getByLabel("Noise", { exact: true }).press("Enter");
  await expect(page.locator(".data .trouble")).toContainText("out of range");
  await expect(page.getByText("out of range")).toHaveCount(1);
  await expect(page.getByTestId("problem")).toContainText("Noise cannot be used as it is. The last version that works goes on.");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(page.getByTestId("problem")).toHaveCount(0);
});

test("a number that is none has one place in the editor, and what is typed outlives a reload", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...digits, data: "spirals" }));
  await page.getByRole("tab", { name: "Code" }).click();
  const code = page.getByTestId("code");
  const wrong = '{\n  "version": 1,\n  "seed": NaN\n}';
  await code.fill(wrong);
  const sentence = await page.getByTestId("code-error").innerText();
  expect(sentence.match(/line/gi)).toHaveLength(1);
  expect(sentence).toMatch(/^Line 3, column \d+: /);
  await page.getByRole("button", { name: "Show the place" }).click();
  expect(await code.evaluate((area: HTMLTextAreaElement) => area.value.slice(area.selectionStart, area.selectionEnd))).toBe("NaN");
  await page.reload();
  await lab.reach((state) => state.step > 0);
  await page.getByRole("tab", { name: "Code" }).click();
  await expect(code).toHaveValue(wrong);
  await page.getByRole("button", { name: "Discard" }).click();
  await page.reload();
  await lab.reach((state) => state.step > 0);
  await page.getByRole("tab", { name: "Code" }).click();
  await expect(code).not.toHaveValue(wrong);
});

test("a theme that is chosen in one tab is that of the other", async ({ page, context }) => {
  const lab = new Lab(page);
  await lab.open();
  const other = await context.newPage();
  await new Lab(other).open();
  const theme = (of: typeof page) => of.evaluate(() => document.documentElement.dataset.theme);
  const before = await theme(page);
  await other.getByTestId("theme").click();
  const after = await theme(other);
  expect(after).not.toBe(before);
  await expect.poll(() => theme(page)).toBe(after);
  await expect(page.getByTestId("theme")).toHaveAccessibleName(`Theme: ${after}`);
});

test("numbers move on while the browser translates the page", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...digits, data: "spirals" }));
  // What the translators of browsers do: every text outside of `translate="no"` gives way to another one in an element of theirs.
  await page.evaluate(() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found: Text[] = [];
    while (texts.nextNode()) found.push(texts.currentNode as Text);
    for (const text of found) {
      if (!text.data.trim() || text.parentElement!.closest("[translate=no], script, style")) continue;
      const font = document.createElement("font");
      font.textContent = text.data.toUpperCase();
      text.replaceWith(font);
    }
  });
  const read = () => page.locator(".read .num, .facts .num").allInnerTexts();
  const before = await read();
  const { step } = await lab.state();
  await lab.reach((state) => state.step > 600);
  const after = await read();
  expect(Number(after[0]!.replace(",", ""))).toBeGreaterThan(step);
  expect(after[2]).not.toBe(before[2]);
  await page.getByTestId("play").click();
  await expect(page.getByTestId("play")).toHaveText("Play");
  await page.locator("[data-source=circles]").click();
  await lab.reach((state) => "circles" in (state.experiment.data as object));
  expect(lab.errors).toEqual([]);
});

test("no line breaks between a number and its unit", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...digits, data: "spirals" }));
  await lab.reach((state) => state.metrics.validation_accuracy !== undefined);
  expect(await page.getByTestId("validation-metric").locator(".num").innerText()).toMatch(/^\d+\.\d\u00a0%$/);
  const text = await page.locator("body").innerText();
  expect(text.match(/\d (%|k|M|ns|µs|ms)(?![a-z])/g)).toBeNull();
});

test("an error goes with what it tells of, and so does what is under way", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...digits, data: "spirals" }).slice(0, -12));
  const alert = page.getByTestId("notices").getByRole("alert");
  await expect(alert).toContainText("could not be opened");
  await page.getByLabel("Noise", { exact: true }).fill("0.1");
  await page.getByLabel("Noise", { exact: true }).press("Enter");
  await expect(alert).toHaveCount(0);
  await page.getByTestId("export").click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("[data-export=weights]").click()]);
  expect(download.suggestedFilename()).toMatch(/safetensors$/);
  await expect(page.getByTestId("notices")).toContainText("is saved");
  expect(await page.getByTestId("notices").innerText()).not.toContain("Exporting");
});

test("the shapes are those of the run, whatever stands in a field", async ({ page }) => {
  await new Lab(page).open(link({ ...digits, data: "spirals" }));
  const shape = page.locator(".head > .num").nth(1);
  await expect(shape).toHaveText("[32, 16]");
  const batch = page.getByLabel("Batch size", { exact: true });
  await batch.fill("1000000");
  await batch.press("Enter");
  await expect(page.getByTestId("problem")).toBeVisible();
  await expect(shape).toHaveText("[32, 16]");
  await batch.fill("8");
  await batch.press("Enter");
  await expect(shape).toHaveText("[8, 16]");
});

test("a long name can be read as a whole", async ({ page }) => {
  const name = "Two spirals, seen by a network that is as wide as it is deep";
  await new Lab(page).open(link({ ...digits, data: "spirals", name }));
  await expect(page.getByLabel("Name of the experiment")).toHaveAttribute("title", name);
});

for (const [width, height] of [[1440, 900], [1366, 768], [390, 844]] as const) {
  test(`every axis of steps has two ticks with a number at ${width} × ${height}`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await drawn(page);
    const lab = new Lab(page);
    for (const steps of [300, 4000, 70_000]) {
      await page.goto("about:blank");
      await lab.open(link({ ...digits, data: "spirals", schedule: "cosine", training: { steps } }));
      for (const chart of ["Loss", "Accuracy", "Gradient norm", "Learning rate"]) {
        const ticks = async () => {
          const found = await drawn(page, chart);
          const lowest = Math.max(...found.map((d) => d.y));
          return found.filter((d) => d.y === lowest && d.text !== "").length;
        };
        await expect.poll(ticks, `${chart}, ${steps}`).toBeGreaterThan(1);
      }
    }
  });
}

test("what is said to be ahead is ahead", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link({ ...digits, data: "spirals" }));
  const key = page.getByText("schedule ahead dotted");
  await expect(key).toHaveCount(0);
  await page.goto("about:blank");
  await lab.open(link({ ...digits, data: "spirals", schedule: "cosine", training: { steps: 4000 } }));
  await expect(key).toHaveCount(1);
});

test("the lines of a forecast are drawn as their keys show them", async ({ page }) => {
  await page.addInitScript(() => {
    const strokes = ((window as unknown as { strokes: string[] }).strokes = []) as string[];
    const stroke = CanvasRenderingContext2D.prototype.stroke as (...at: unknown[]) => void;
    CanvasRenderingContext2D.prototype.stroke = function (...at: unknown[]) {
      if (this.canvas.closest(".forecast")) strokes.push(`${this.strokeStyle} ${this.getLineDash().join(" ")}`);
      return stroke.apply(this, at);
    };
  });
  await new Lab(page).open("#p=sine_forecast");
  await expect(page.getByTestId("forecast").locator("canvas")).toBeVisible();
  const strokes = () => page.evaluate(() => [...new Set((window as unknown as { strokes: string[] }).strokes)]);
  const inks = async (dash: string) => (await strokes()).filter((s) => s.endsWith(` ${dash}`)).map((s) => s.slice(0, -dash.length - 1));
  await expect.poll(() => inks("7 5")).toHaveLength(1);
  // What is fed back has the colour of the forecast; what is dotted is the last value.
  expect(await inks("")).toContain((await inks("7 5"))[0]);
  expect(await inks("2 3")).toHaveLength(1);
  const style = (key: string) => page.locator(`.forecast-keys .key${key}`).evaluate((key) => getComputedStyle(key, "::before").borderTopStyle);
  expect([await style(".fed"), await style(".base"), await style(".pos:not(.fed)")]).toEqual(["dashed", "dotted", "solid"]);
});
