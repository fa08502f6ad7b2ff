// Data that is images: the pad's tools, the samples behind a cell of the confusion matrix, and where the network looks.
import { expect, test, type Page } from "@playwright/test";
import { Lab } from "../lab";

/** Digits that are learned well, at rest, so that only what a person does can move anything. */
async function rested(page: Page): Promise<void> {
  const lab = new Lab(page);
  await lab.open("#p=digits");
  await lab.reach((state) => (state.metrics.validation_accuracy ?? 0) > 0.9, 30_000);
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
}

/** Moves the pointer over the pad with its button held; places are 0 to 1 on both axes. */
async function drag(page: Page, from: [number, number], to: [number, number]): Promise<void> {
  const pad = (await page.getByTestId("pad").boundingBox())!;
  const at = ([x, y]: [number, number]): [number, number] => [pad.x + x * pad.width, pad.y + y * pad.height];
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 8 });
  await page.mouse.up();
}

/** The red of every pixel of a picture. */
const reds = (page: Page, id: string): Promise<number[]> =>
  page.getByTestId(id).evaluate((canvas: HTMLCanvasElement) => {
    const data = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data;
    return Array.from(data).filter((_, i) => i % 4 === 0);
  });

test("the eraser takes away, the hand moves, and the likeliest class stands on top", async ({ page }) => {
  await rested(page);
  const inked = async (): Promise<number[]> => {
    const found = await reds(page, "pad");
    return found.flatMap((v, i) => (v < 128 ? [i % Math.sqrt(found.length)] : []));
  };
  await page.getByTestId("clear").click();
  await drag(page, [0.3, 0.1], [0.3, 0.9]);
  const stroke = await inked();
  await page.getByRole("radio", { name: "Eraser" }).click();
  await drag(page, [0.1, 0.2], [0.6, 0.2]);
  await expect.poll(async () => (await inked()).length).toBeLessThan(stroke.length);
  await page.getByRole("radio", { name: "Move" }).click();
  const middle = (columns: number[]): number => columns.reduce((sum, x) => sum + x, 0) / columns.length;
  await drag(page, [0.5, 0.5], [0.5, 0.5]);
  const before = middle(await inked());
  await drag(page, [0.5, 0.5], [0.75, 0.5]);
  await expect.poll(async () => middle(await inked()) - before).toBeCloseTo(8, 0);
  // By where they are on the screen, the probabilities fall.
  await expect
    .poll(() =>
      page.locator("[data-digit]").evaluateAll((bars) => {
        const placed = bars.map((bar) => [bar.getBoundingClientRect().top, Number(bar.querySelector(".num")!.textContent)] as const);
        const shown = placed.sort((a, b) => a[0] - b[0]).map((bar) => bar[1]);
        return shown.every((p, i) => i === 0 || p <= shown[i - 1]! + 0.05);
      }),
    )
    .toBe(true);
});

test("a cell of the confusion matrix opens its samples, and a sample runs through the network", async ({ page }) => {
  await rested(page);
  await page.getByRole("radio", { name: "Confusion" }).click();
  const wrong = page.locator(".count:not(:disabled)").and(page.getByRole("button", { name: /^(\d+) of (\d) taken for (?!\2)/ }));
  await expect(wrong.first()).toBeVisible();
  const [, count, truth, guess] = /^(\d+) of (\d) taken for (\d)/.exec((await wrong.first().getAttribute("aria-label"))!)!;
  await wrong.first().click();
  const samples = page.getByTestId("cell-samples");
  await expect(page.getByTestId("clear-filter")).toHaveText(`${truth} taken for ${guess} · ${count}`);
  await expect(samples.locator(".tile")).toHaveCount(Math.min(12, Number(count)));
  await expect(samples.locator(".tile").first()).toHaveText(`${truth} → ${guess}`);
  await samples.locator(".tile").first().click();
  await expect(samples.locator(".tile").first()).toHaveAttribute("aria-current", "true");
  await page.getByTestId("clear-filter").click();
  await expect(samples).toHaveCount(0);
});

test("saliency and occlusion colour the chosen image, each in its own way", async ({ page }) => {
  await rested(page);
  await page.locator(".tile").first().click();
  await page.getByRole("radio", { name: "Why" }).click();
  await expect(page.getByTestId("attributed")).toHaveText(/^\d · \d/);
  await expect.poll(async () => new Set(await reds(page, "attribution")).size).toBeGreaterThan(10);
  const slopes = await reds(page, "attribution");
  expect(slopes).toHaveLength(64);
  await page.getByRole("radio", { name: "Occlusion" }).click();
  await expect.poll(async () => `${await reds(page, "attribution")}`).not.toBe(`${slopes}`);
});
