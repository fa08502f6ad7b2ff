// Whether everybody can use the page: axe, and a narrow screen.
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { Lab } from "../lab";

for (const theme of ["light", "dark"] as const) {
  for (const [device, width, height] of [["desk", 1440, 900], ["phone", 360, 780]] as const) {
    test(`axe finds nothing on a ${device}, ${theme}`, async ({ page }) => {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: theme });
      await new Lab(page).open();
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(", ")}`)).toEqual([]);
    });
  }
}

test("nothing scrolls sideways at 360 px", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 780 });
  await new Lab(page).open();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  for (const id of ["gallery", "backend", "share", "theme", "reset", "play", "step"]) {
    const place = await page.getByTestId(id).boundingBox();
    expect(place && place.x >= 0 && place.x + place.width <= 360, id).toBe(true);
  }
});
