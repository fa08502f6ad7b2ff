// What fingers do: a swipe scrolls, a slider moves only when it is meant, and whatever is pressed is large enough.
import { type CDPSession, type Page, expect, test } from "@playwright/test";
import { Lab } from "../lab";

test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

async function swipe(client: CDPSession, from: [number, number], to: [number, number], steps = 8): Promise<void> {
  const at = (t: number) => [{ x: from[0] + (to[0] - from[0]) * t, y: from[1] + (to[1] - from[1]) * t }];
  await client.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at(0) });
  for (let i = 1; i <= steps; i++) await client.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: at(i / steps) });
  await client.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
}

const rate = (page: Page) => page.evaluate(() => (window.downhill!.state().experiment as { optimizer?: { adam?: { lr?: number } } }).optimizer?.adam?.lr);

test("a vertical swipe that begins on a slider scrolls and changes nothing", async ({ page }) => {
  await new Lab(page).open();
  const client = await page.context().newCDPSession(page);
  const slider = page.getByLabel("Learning rate, slider");
  await slider.evaluate((element) => element.scrollIntoView({ block: "center" }));
  const box = (await slider.boundingBox())!;
  const before = { rate: await rate(page), value: await slider.inputValue(), top: await page.evaluate(() => scrollY) };
  await page.evaluate(() => {
    const heard = ((window as unknown as { heard: string[] }).heard = []) as string[];
    document.querySelector("[aria-label='Learning rate, slider']")!.addEventListener("input", () => heard.push("input"));
  });
  await swipe(client, [box.x + box.width * 0.9, box.y + box.height / 2], [box.x + box.width * 0.9, box.y - 200]);
  await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(before.top + 60);
  await page.waitForTimeout(300);
  expect(await page.evaluate(() => (window as unknown as { heard: string[] }).heard)).toEqual([]);
  expect({ rate: await rate(page), value: await slider.inputValue() }).toEqual({ rate: before.rate, value: before.value });
});

test("a finger that moves sideways moves a slider, and so does a tap", async ({ page }) => {
  await new Lab(page).open();
  const client = await page.context().newCDPSession(page);
  const slider = page.getByLabel("Learning rate, slider");
  await slider.evaluate((element) => element.scrollIntoView({ block: "center" }));
  const box = (await slider.boundingBox())!;
  const y = box.y + box.height / 2;
  await swipe(client, [box.x + box.width * 0.5, y], [box.x + box.width * 0.95, y]);
  await expect.poll(() => rate(page)).toBeGreaterThan(0.5);
  await page.touchscreen.tap(box.x + box.width * 0.1, y);
  await expect.poll(() => rate(page)).toBeLessThan(0.001);
});

test("whatever is pressed measures 44 pixels under a finger", async ({ page }) => {
  const lab = new Lab(page);
  const small = () => page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("button, select, input, summary, [role=tab]")]
      // The row around a radio button is what is pressed.
      .map((e) => (e.matches("[type=radio]") ? e.closest<HTMLElement>("label")! : e))
      .filter((e) => e.checkVisibility() && !e.closest(".skip"))
      .map((e) => ({ e, box: e.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0 && Math.min(box.width, box.height) < 43.5)
      .map(({ e, box }) => `${e.tagName.toLowerCase()}.${e.className} "${e.getAttribute("aria-label") ?? e.textContent}" ${Math.round(box.width)} × ${Math.round(box.height)}`));
  await lab.open();
  await expect(page.getByTestId("verdict").locator("dd").first()).toBeVisible();
  expect(await small(), "start").toEqual([]);
  await page.getByTestId("training").click();
  await expect(page.locator("#training")).toBeVisible();
  expect(await small(), "training").toEqual([]);
  await page.keyboard.press("Escape");
  await page.locator("[data-layer='0']").tap();
  expect(await small(), "layer").toEqual([]);
  await page.goto("about:blank");
  await lab.open("#p=digits");
  expect(await small(), "digits").toEqual([]);
});
