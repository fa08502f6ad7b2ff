// Whether everybody can use the page: axe in every state of it, a narrow screen, colours that the system decides, more contrast.
import AxeBuilder from "@axe-core/playwright";
import { type Page, expect, test } from "@playwright/test";
import { Lab } from "../lab";

/** What axe finds, with the size of targets, which it does not look at by itself; where `dark` says so also in the colours of the other theme, all
    else being the same there, and these at every width. */
async function violations(page: Page, dark = true): Promise<string[]> {
  await page.emulateMedia({ colorScheme: "light" });
  const found = await new AxeBuilder({ page }).options({ rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] }).analyze();
  if (dark) {
    await page.emulateMedia({ colorScheme: "dark" });
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
    const { violations } = await new AxeBuilder({ page }).withRules("color-contrast").analyze();
    await page.emulateMedia({ colorScheme: "light" });
    found.violations.push(...violations.map((violation) => ({ ...violation, id: `${violation.id}, dark` })));
  }
  const all = found.violations.flatMap(({ id, nodes }) => nodes.map((node) => ({ id, target: String(node.target) })));
  const free = await Promise.all(all.map(async ({ target }) => !(await page.locator(target).first().evaluate(halfCovered))));
  return all.filter(({ id }, i) => id !== "target-size" || free[i]).map(({ id, target }) => `${id}: ${target}`);

  // What scrolls out of sight, or below a bar or a card that stays in its place, is small only until it is scrolled back.
  function halfCovered(element: Element): boolean {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    const stays = (other: Element | null): boolean => !!other && (/fixed|sticky/.test(getComputedStyle(other).position) || other.matches(":popover-open") || stays(other.parentElement));
    return [[left + 1, top + 1], [right - 1, top + 1], [left + 1, bottom - 1], [right - 1, bottom - 1]].some(([x, y]) => {
      const over = document.elementFromPoint(x!, y!);
      return !over || (!element.contains(over) && !over.contains(element) && stays(over));
    });
  }
}

const table = ["length,width,kind", ...Array.from({ length: 60 }, (_, i) => `${i % 7},${(i * 3) % 5},${i % 7 > 3 ? "oak" : "elm"}`)].join("\n");

/** What a person brings on screen, one after the other. */
const STATES: [string, (page: Page) => Promise<void>][] = [
  ["verdict", async (page) => {
    await expect(page.getByTestId("verdict").locator("dd").first()).toBeVisible();
    // What follows is looked at while the run rests: axe takes half as long.
    await page.evaluate(() => window.downhill!.pause());
  }],
  ["examples", (page) => page.getByTestId("gallery").click()],
  ["what trains", (page) => page.getByTestId("backend").click()],
  ["share", (page) => page.getByTestId("share").click()],
  ["training", (page) => page.getByTestId("training").click()],
  ["layer", (page) => page.locator("[data-layer='0']").click()],
  ["new layer", (page) => page.getByTestId("add-layer").nth(1).click()],
  ["unit", (page) => page.locator(".cell[data-column='1']").first().click()],
  ["samples", (page) => page.locator("[data-output=Samples]").click()],
  ["confusion", (page) => page.locator("[data-output=Confusion]").click()],
  ["about the data", (page) => page.locator("summary", { hasText: "About the data" }).click()],
  ["inspector", async (page) => {
    await page.getByRole("tab", { name: "Inspector" }).click();
    await expect(page.getByRole("row", { name: /^linear .*#0 weight/ })).toBeVisible();
  }],
  ["program", (page) => page.getByRole("tab", { name: "Program" }).click()],
  ["code", (page) => page.getByRole("tab", { name: "Code" }).click()],
  ["code that is wrong", (page) => page.getByTestId("code").fill("{")],
  ["a field that is wrong", async (page) => {
    const rate = page.getByLabel("Learning rate", { exact: true });
    await rate.fill("-4");
    await rate.press("Enter");
    await expect(page.getByTestId("problem")).toBeVisible();
  }],
  ["own table", async (page) => {
    await page.getByTestId("problem").getByRole("button").click();
    await page.getByTestId("own").click();
    await page.getByTestId("csv").fill(table);
    await expect(page.locator("[data-testid=problem], [data-testid=csv-columns]").first()).toBeVisible();
  }],
];

for (const [device, width, height, touch] of [["desk", 1440, 900, false], ["phone", 390, 844, true]] as const) {
  test.describe(device, () => {
    test.use({ viewport: { width, height }, hasTouch: touch, isMobile: touch });

    test("axe finds nothing in any state of the page", async ({ page }) => {
      test.setTimeout(240_000);
      await new Lab(page).open();
      const found: string[] = [];
      for (const [name, show] of [["start", async () => {}] as (typeof STATES)[number], ...STATES]) {
        await show(page);
        found.push(...(await violations(page, !touch)).map((text) => `${name}: ${text}`));
        await page.keyboard.press("Escape");
      }
      expect(found).toEqual([]);
    });

    test("axe finds nothing with the digits, nor in a dialog", async ({ page }) => {
      await new Lab(page).open("#p=digits");
      await expect(page.locator(".tile")).toHaveCount(12);
      expect(await violations(page)).toEqual([]);
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
      await page.keyboard.press("?");
      await expect(page.locator("dialog[open]")).toBeVisible();
      expect(await violations(page)).toEqual([]);
    });
  });
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

/** How an element looks, but for its colours. */
async function form(page: Page, selector: string): Promise<string> {
  return page.locator(selector).first().evaluate((element) => {
    const of = (pseudo?: string) => {
      const s = getComputedStyle(element, pseudo);
      const width = (style: string, width: string) => (style === "none" ? "0" : `${style} ${width}`);
      return [s.content, width(s.outlineStyle, s.outlineWidth), ...["Top", "Left", "Bottom"].map((side) => width(s.getPropertyValue(`border-${side.toLowerCase()}-style`), s.getPropertyValue(`border-${side.toLowerCase()}-width`))),
        s.textDecorationLine, s.transform].join(" ");
    };
    return [of(), of("::before"), of("::after")].join(" | ");
  });
}

test("where the system decides the colours, shapes say what they said", async ({ page }) => {
  await page.emulateMedia({ forcedColors: "active", colorScheme: "dark" });
  await page.addInitScript(() => localStorage.setItem("downhill.theme", "light"));
  await new Lab(page).open();
  // Pictures are painted for the ground that is there, whatever was chosen before.
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.locator("[data-layer='0']").click();
  for (const [what, one, other] of [
    ["a chip", ".chips [aria-pressed=true]", ".chips [aria-pressed=false]"],
    ["a view", ".choices [aria-checked=true]", ".choices [aria-checked=false]"],
    ["a source", ".source[aria-checked=true] canvas", ".source[aria-checked=false] canvas"],
    ["a tab", ".tabs [aria-selected=true]", ".tabs [aria-selected=false]"],
    ["a kind of data", ".kinds [aria-selected=true]", ".kinds [aria-selected=false]"],
    ["a card", ".layer[aria-expanded=true]", ".layer[aria-expanded=false]"],
    ["the key of a curve", ".key.pos", ".key.neg"],
  ] as const) {
    expect(await form(page, one), what).not.toBe(await form(page, other));
  }
  // A switch that is on has its knob at the other end.
  const knob = () => page.locator(".side .switch").first().evaluate((element) => getComputedStyle(element, "::after").transform);
  const off = await knob();
  await page.locator(".side .switch").first().check();
  expect(await knob()).not.toBe(off);
  // With a pen in hand the data are points of one's own, which are none of the sources.
  await page.locator(".pen").nth(1).click();
  expect(await form(page, ".pen[aria-pressed=true]"), "a pen").not.toBe(await form(page, ".pen[aria-pressed=false]"));
  // Swatches keep their colours and differ by what stands on them.
  const pens = await page.locator(".pen").evaluateAll((pens) => pens.map((pen) => [getComputedStyle(pen).backgroundColor, getComputedStyle(pen, "::after").content]));
  expect(new Set(pens.map(([colour]) => colour)).size).toBe(4);
  expect(new Set(pens.map(([, sign]) => sign)).size).toBe(4);
});

test("points of classes differ by shape where colours do not tell them apart", async ({ page }) => {
  // Corners are drawn with lines, circles with arcs.
  await page.addInitScript(() => {
    const count = ((window as unknown as { lines: number }).lines = 0);
    void count;
    const line = CanvasRenderingContext2D.prototype.lineTo;
    CanvasRenderingContext2D.prototype.lineTo = function (...at) {
      if (this.canvas.classList.contains("dots")) (window as unknown as { lines: number }).lines++;
      return line.apply(this, at);
    };
  });
  const lines = () => page.evaluate(() => (window as unknown as { lines: number }).lines);
  await new Lab(page).open();
  expect(await lines()).toBe(0);
  await page.emulateMedia({ forcedColors: "active" });
  await expect.poll(lines).toBeGreaterThan(100);
});

test("less motion and more contrast are respected", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce", contrast: "more" });
  await new Lab(page).open();
  const ink = (name: string) => page.evaluate((name) => getComputedStyle(document.documentElement).getPropertyValue(name), name);
  const strong = await ink("--line");
  await page.emulateMedia({ reducedMotion: "reduce", contrast: "no-preference" });
  expect(await ink("--line")).not.toBe(strong);
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((e) => [e, "::after"].some(() => parseFloat(getComputedStyle(e, "::after").transitionDuration) > 0 || parseFloat(getComputedStyle(e).transitionDuration) > 0)).length);
  expect(moving).toBe(0);
});
