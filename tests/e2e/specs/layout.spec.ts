// What is on screen without scrolling, and that nothing lies over anything else or is cut off.
import { type Page, expect, test } from "@playwright/test";
import { Lab, link } from "../lab";

/** Whether an element is wholly inside of the window, and of everything around it that cuts. */
async function seen(page: Page, selector: string, nth = 0): Promise<boolean> {
  return page.locator(selector).nth(nth).evaluate((element) => {
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height || box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight) return false;
    for (let around = element.parentElement; around; around = around.parentElement) {
      const cut = around.getBoundingClientRect();
      const { overflowX, overflowY } = getComputedStyle(around);
      if (overflowX !== "visible" && (box.left < cut.left - 0.5 || box.right > cut.right + 0.5)) return false;
      if (overflowY !== "visible" && (box.top < cut.top - 0.5 || box.bottom > cut.bottom + 0.5)) return false;
    }
    return true;
  });
}

/** Pairs of controls that overlap. */
async function overlaps(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found = [...document.querySelectorAll("button, input, select, summary, .num, h2, label, .note, .facts div, .head b, .column-card, .net .tokens li, .net canvas.strip")].filter((e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
    const inside = (e: Element) => {
      // Of what scrolls, only what shows counts.
      let { left, top, right, bottom } = e.getBoundingClientRect();
      for (let around = e.parentElement; around; around = around.parentElement) {
        const style = getComputedStyle(around);
        const cut = around.getBoundingClientRect();
        if (style.overflowX !== "visible") [left, right] = [Math.max(left, cut.left), Math.min(right, cut.right)];
        if (style.overflowY !== "visible") [top, bottom] = [Math.max(top, cut.top), Math.min(bottom, cut.bottom)];
      }
      return { left, top, right, bottom };
    };
    const boxes = found.map((e) => ({ e, ...inside(e) })).filter((b) => b.right - b.left > 1 && b.bottom - b.top > 1);
    const name = (e: Element) => `${e.tagName.toLowerCase()}.${e.className} "${(e.getAttribute("aria-label") ?? e.textContent ?? "").slice(0, 24)}"`;
    const pairs: string[] = [];
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
      if (a.e.contains(b.e) || b.e.contains(a.e)) return;
      const [x, y] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
      if (x > 1.5 && y > 1.5) pairs.push(`${name(a.e)} and ${name(b.e)}`);
    }));
    return pairs;
  });
}

/** Controls whose text does not fit. */
async function cut(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("button, select, label, h2, .facts .num, .read .num, .entry")]
      .filter((e) => e.checkVisibility() && e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1 && !e.closest(".source, .cell"))
      .map((e) => `${e.tagName.toLowerCase()}.${e.className} "${e.textContent}"`));
}

test("at 1366 × 768 everything that a first lesson needs shows without scrolling", async ({ page }) => {
  await page.setViewportSize({ width: 1366, height: 768 });
  const lab = new Lab(page);
  await lab.open();
  await expect(page.getByTestId("verdict").locator("dd").first()).toBeVisible();
  for (const selector of ["#f-data-spirals-noise", "#choose-optimizer", "#f-optimizer-adam-lr", "#f-training-batch_size", "[data-testid=verdict]"]) {
    expect(await seen(page, selector), selector).toBe(true);
  }
  const sources = page.locator(".source");
  for (let i = 0; i < await sources.count(); i++) expect(await seen(page, ".source", i), `source ${i}`).toBe(true);
  for (const column of [1, 2]) {
    await expect(page.locator(`.cell[data-column='${column}']`)).toHaveCount(16);
    for (const unit of [0, 15]) expect(await seen(page, `.cell[data-column='${column}'][data-unit='${unit}']`), `${column}, ${unit}`).toBe(true);
  }
  await page.goto("about:blank");
  await lab.open("#p=digits");
  await expect(page.locator(".cell[data-column='2']")).toHaveCount(10);
  for (let i = 0; i < 10; i++) {
    expect(await seen(page, ".cell[data-column='2']", i), `unit ${i}`).toBe(true);
    expect(await seen(page, "[data-digit]", i), `probability ${i}`).toBe(true);
  }
  await expect(page.getByTestId("verdict").locator("dd").first()).toBeVisible();
  expect(await seen(page, "[data-testid=verdict]")).toBe(true);
});

test("the longest verdict shows as a whole at 1366 × 768", async ({ page }) => {
  await page.setViewportSize({ width: 1366, height: 768 });
  await new Lab(page).open("#p=too_fast");
  await expect(page.getByTestId("fix")).toBeVisible({ timeout: 30_000 });
  expect(await seen(page, "[data-testid=verdict]")).toBe(true);
});

for (const [width, height] of [[1440, 900], [1366, 768], [1024, 768], [390, 844]] as const) {
  for (const [name, fragment] of [["spirals", ""], ["digits", "#p=digits"], ["sine", "#p=sine"], ["pictures", "#p=lenet"], ["tokens", "#p=sort"], ["a table", "#p=breast_cancer"], ["two sentences", "#p=masked_words"], ["seven layers", link({ version: 1, data: "moons", model: [...Array.from({ length: 6 }, () => [{ linear: { out: 12 } }, "tanh"]).flat(), { linear: { out: "classes" } }] })]] as const) {
    test(`nothing overlaps or is cut at ${width} × ${height}, ${name}`, async ({ page }) => {
      await page.setViewportSize({ width, height });
      await new Lab(page).open(fragment);
      await expect(page.getByTestId("verdict").locator("dd").first()).toBeVisible({ timeout: 30_000 });
      expect(await overlaps(page)).toEqual([]);
      expect(await cut(page)).toEqual([]);
    });
  }
}

test("the cards of a table's columns are whole, and those without room are counted", async ({ page }) => {
  for (const [width, height] of [[1440, 900], [1366, 768]] as const) {
    await page.setViewportSize({ width, height });
    await page.goto("about:blank");
    await new Lab(page).open("#p=breast_cancer");
    const cards = page.locator(".column-card");
    const more = page.locator(".cards .more");
    await expect(more).toHaveText(/^\+\d+ columns$/);
    const count = await cards.count();
    expect(count, `${height}`).toBeGreaterThan(8);
    await expect(more).toHaveText(`+${30 - count} columns`);
    for (let i = 0; i < count; i++) expect(await seen(page, ".column-card", i), `card ${i} at ${height}`).toBe(true);
    expect(await seen(page, ".cards .more"), `${height}`).toBe(true);
  }
});

test("nothing moves while the page starts", async ({ page }) => {
  for (const [width, height] of [[1366, 768], [390, 844]] as const) {
    await page.setViewportSize({ width, height });
    await page.addInitScript(() => {
      type Shift = PerformanceEntry & { value: number; sources: { node?: Element; previousRect: DOMRect; currentRect: DOMRect }[] };
      const shifts: [number, string][] = [];
      (window as unknown as { shifts: unknown }).shifts = shifts;
      const told = ({ x, y, width, height }: DOMRect) => [x, y, width, height].map(Math.round).join(" ");
      const moved = ({ node, previousRect, currentRect }: Shift["sources"][number]) => `${node?.nodeName} ${node?.className} ${told(previousRect)} to ${told(currentRect)}`;
      new PerformanceObserver((list) => shifts.push(...(list.getEntries() as Shift[]).map((e): [number, string] => [e.value, e.sources.map(moved).join(", ")]))).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto("about:blank");
    await new Lab(page).open();
    await expect(page.getByTestId("verdict").locator("dd").first()).toBeVisible();
    const shifts = await page.evaluate(() => (window as unknown as { shifts: [number, string][] }).shifts);
    expect(shifts.reduce((sum, [value]) => sum + value, 0), `${width}: ${shifts.join("; ")}`).toBeLessThan(0.02);
  }
});

test("the parts of the page are made in tasks of their own", async ({ page }) => {
  // Whenever a timer of the page or a turn of its effects begins, it finds what the tasks before it have made.
  await page.addInitScript(() => {
    const seen = new Set<number>();
    (window as unknown as { seen: Set<number> }).seen = seen;
    const parts = [".top", ".out .facts", ".network", ".sources", "#choose-optimizer", "#drawer"];
    const look = () => seen.add(parts.filter((part) => document.querySelector(part)).length);
    const plain = window.setTimeout;
    window.setTimeout = ((run: () => void, ...rest: number[]) =>
      plain(() => {
        look();
        run();
      }, ...rest)) as typeof window.setTimeout;
    const onmessage = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage")!;
    Object.defineProperty(MessagePort.prototype, "onmessage", {
      ...onmessage,
      set(run: (event: MessageEvent) => void) {
        onmessage.set!.call(this, (event: MessageEvent) => {
          look();
          run(event);
        });
      },
    });
  });
  await new Lab(page).open();
  const seen = await page.evaluate(() => [...(window as unknown as { seen: Set<number> }).seen]);
  expect(seen).toEqual(expect.arrayContaining([1, 2, 3, 4, 5, 6]));
});
