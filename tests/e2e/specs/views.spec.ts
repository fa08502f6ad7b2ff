// What views show of the chosen sample, and that one view which closes leaves the others what they watch.
import { expect, test } from "@playwright/test";
import { Lab, link } from "../lab";

const iris = { version: 1, data: "iris", model: [{ linear: { out: 8 } }, "tanh", { linear: { out: "classes" } }], view: { pace: "max" } };

test("a sample that is typed runs through the network like one that is chosen", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(iris));
  await lab.reach((state) => (state.metrics.validation_accuracy ?? 0) > 0.9);
  await page.getByTestId("play").click();
  await lab.reach((state) => !state.running);
  await page.locator("[data-output=Samples]").click();
  const entry = page.getByTestId("sample");
  const answer = page.getByTestId("sample-answer");
  await expect(entry).not.toHaveValue("");
  await entry.fill("5.1 3.5 1.4 0.2");
  await entry.press("Enter");
  await expect(answer).toContainText("setosa");
  // Single units may be saturated alike for both samples; all eight are not, for the answers differ.
  const cells = page.locator(".cell[data-column='1'] canvas");
  const colour = () =>
    cells.evaluateAll((canvases) =>
      canvases.map((canvas) => [...(canvas as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, 1, 1).data].join()).join(" "),
    );
  const typed = await colour();
  await entry.fill("7.2 3.6 6.1 2.5");
  await entry.press("Enter");
  await expect(answer).toContainText("virginica");
  await expect.poll(colour).not.toBe(typed);
  await page.locator(".predictions tbody button").first().click();
  await expect(page.locator(".predictions tr[aria-current=true]")).toHaveCount(1);
  await expect(entry).not.toHaveValue("7.2 3.6 6.1 2.5");
  expect(lab.errors).toEqual([]);
});

test("the confusion matrix counts every sample that is held out", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open(link(iris));
  await page.locator("[data-output=Confusion]").click();
  await page.locator(".datacard summary").click();
  const heldOut = Number((await page.locator(".datacard dd").first().textContent())!.match(/(\d+) held out/)![1]);
  const counted = async () => (await page.locator(".confusion td:not(.recall)").allTextContents()).reduce((sum, text) => sum + Number(text), 0);
  await expect.poll(counted).toBe(heldOut);
});

test("a tab that closes leaves what another panel watches going on", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  // The lines of the network and the inspector both look at the weights.
  await page.getByRole("tab", { name: "Inspector" }).click();
  await expect(page.locator(".inspector td").first()).not.toHaveText("–");
  await expect(page.locator(".inspector .spark path").first()).toHaveAttribute("d", /^M0 10V.*Z$/);
  await page.getByRole("tab", { name: "Charts" }).click();
  const wires = page.locator("canvas.wires");
  const picture = () => wires.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const before = await picture();
  await expect.poll(picture).not.toBe(before);
});

test("a point of the plane that is clicked is what every view shows", async ({ page }) => {
  const lab = new Lab(page);
  await lab.open();
  await page.locator(".boundary .dots").click({ position: { x: 60, y: 60 } });
  await page.locator("[data-output=Samples]").click();
  await expect(page.getByTestId("sample")).toHaveValue(/^-?[\d.]+ -?[\d.]+$/);
  await page.locator(".cell[data-column='1']").first().hover();
  await expect(page.locator(".tip")).toContainText("for this sample");
});
